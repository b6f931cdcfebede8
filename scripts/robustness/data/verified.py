"""Reads a downloaded file into memory and verifies those very bytes.

Exists because a file that is verified and then opened again could have changed in between: a reader sees only bytes
that were part of the checksum.
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
    """Return the content of `path`.

    Raises `UserError` when the file is missing or its SHA-256 is not `sha256`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing, but was there before: put it back, or download it again") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"{path} has changed since it was downloaded: its SHA-256 is {found}, expected {sha256}; "
            "delete it and download it anew"
        )
    return VerifiedFile(path, content)
