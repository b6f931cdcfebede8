"""Defines the version of the layout of result files, and refuses files of another version.

Every result carries the number in its provenance; tables that people open (CSV) are known by
the names of their columns instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustness.errors import UserError

FORMAT = 2
"""Increased when a reader of the old layout would misread the new one.

1: one row for each image in records. 2: one row for each image and required confidence, with the target and the scale.
"""


def check_format(path: Path, provenance: Mapping[str, Any] | None, oldest: int = 1) -> None:
    """Check that a file with this provenance (or none) can be read; raise `UserError` when it cannot."""
    found = (provenance or {}).get("format", FORMAT)
    if found > FORMAT:
        raise UserError(
            f"{path} has format {found}, which a newer version of this workflow wrote; this one reads formats up to "
            f"{FORMAT}: update it, or set 'results' to another folder"
        )
    if found < oldest:
        raise UserError(
            f"{path} has format {found}, which an older version of this workflow wrote; this one reads formats from "
            f"{oldest} on: delete it and run the workflow again"
        )
