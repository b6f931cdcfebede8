"""Computes the digests by which a result file knows on reading whether it is as it was written.

Bits flip on disks and in transfers, and most formats let that pass: a damaged image is still an image. Digests are
SHA-256, cut to 16 digits, which finds damage and does not protect against forgery.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_BYTES = 1 << 20


def digest(*parts: bytes | memoryview) -> str:
    """Return a digest of bytes, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]


def digest_of_json(value: Any) -> str:
    """Return a digest of what JSON can hold, whatever the order of its keys."""
    return digest(json.dumps(value, sort_keys=True).encode())


def rows_of_block(array: NDArray[Any]) -> int:
    """Return how many rows share a digest: about a megabyte, since who needs a row has to read its whole block."""
    return max(1, _BLOCK_BYTES * len(array) // array.nbytes) if array.nbytes else 1


def of_blocks(array: NDArray[Any], rows: int) -> list[str]:
    """Return a digest for each `rows` rows of an array (N, …); none for an array without values."""
    import numpy as np

    if not array.nbytes:
        return []
    # As bytes first: a memoryview cannot be had of every type.
    flat = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    return [digest(flat[start : start + rows].data) for start in range(0, len(array), rows)]


def is_damaged(path: Path, why: Any) -> UserError:
    """Return the error for a result file that is not as it was written."""
    return UserError(f"{path} is damaged ({why}): delete it and run the workflow again, which makes it again")


def check(path: Path, found: str | Sequence[str], written: str | Sequence[str], what: str) -> None:
    """Raise `UserError` naming the file, and what of it has changed, unless the digests are those that were written."""
    if found != written:
        raise is_damaged(path, f"its {what} changed after it was written")
