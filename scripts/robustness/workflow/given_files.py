"""Digests of the user's own files: images and weights. A plan names them, so that it sees when one has changed.

Snakemake would look at times alone: a copy of a file would repeat everything, and an older file in place of a newer one
nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from robustness.data.folder_digest import digest
from robustness.errors import UserError
from robustness.storage import kept, provenance

_KNOWN = kept.Kept("given_files.json", Path(provenance.__file__))


@cache
def digest_of(path: str) -> str:
    """Return 16 hexadecimal digits that change when a file, or an image in a folder, does.

    A file is read once, and again when its size or times change; a folder is looked at in each start of
    Snakemake. Empty where there is nothing, which Snakemake names; raises `UserError` for what cannot be read.
    """
    if not Path(path).exists():
        return ""
    try:
        if Path(path).is_dir():
            return digest(Path(path))
        found: str = _KNOWN.of(Path(path), lambda: provenance.file_digest(Path(path))[:16])
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}): make it readable") from None
    _KNOWN.save()
    return found
