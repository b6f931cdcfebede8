"""Read a downloaded file into memory and verify those very bytes.

Reads files of the downloads folder. Exists so that a reader never sees a byte that was not part of the checksum:
a path that is verified and then opened again could have changed in between.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from robustness.errors import UserError


@dataclass(frozen=True)
class VerifiedFile:
    """The whole content of the file at `path`, whose checksum was right."""

    path: Path
    content: bytes


def read_verified(path: Path, sha256: str) -> VerifiedFile:
    """The content of `path`.

    Raises `UserError` when the file is missing or its SHA-256 is not `sha256`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing though it was there before: put it back, or download it anew") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"{path} has changed since it was downloaded: its SHA-256 is {found}, expected {sha256}; "
            "delete it and download it anew"
        )
    return VerifiedFile(path, content)
