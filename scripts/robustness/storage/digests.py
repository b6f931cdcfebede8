"""Computes the digests by which a result file knows on reading whether it is as it was written.

Bits flip on disks and in transfers, and most formats let that pass: a damaged image is still an image. Digests are
SHA-256, cut to 16 digits, which finds damage and does not protect against forgery.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robustness.errors import UserError


def digest(*parts: bytes | memoryview) -> str:
    """Return a digest of bytes, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]


def digest_of_json(value: Any) -> str:
    """Return a digest of what JSON can hold, whatever the order of its keys."""
    return digest(json.dumps(value, sort_keys=True).encode())


def damaged_member(archive: Path) -> str | None:
    """Return the first member of a file of `torch.save` that is not as it was written, or None.

    Such a file is a zip with a checksum for each member, which `torch.load` ignores: of flipped bits, most would only
    change a number. Raises `ValueError` where the file is no zip that can be read.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            return members.testzip()
    # A flipped bit may also name an unknown compression (NotImplementedError) or ask for a password (RuntimeError).
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error)) from None


def is_damaged(path: Path, why: Any) -> UserError:
    """Return the error for a result file that is not as it was written."""
    return UserError(f"{path} is damaged ({why}): delete it and run the workflow again, which makes it again")


def check(path: Path, found: str | Sequence[str], written: str | Sequence[str], what: str) -> None:
    """Raise `UserError` naming the file, and what of it has changed, unless the digests are those that were written."""
    if found != written:
        raise is_damaged(path, f"its {what} changed after it was written")
