"""What declarations of columns share: the types that columns have, and the check that they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.outcome import Outcome

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Text = NDArray[np.str_]
Outcomes = Sequence[Outcome]
"""Text that names outcomes."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns of records, all with one row for each record; a field of a subclass is a column of that name and type."""

    def by_name(self) -> dict[str, NDArray[Any]]:
        """The columns in the order of their declaration.

        Raises `TypeError` naming a column that has another type, `ValueError` where one is longer than another.
        """
        found = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        for field in fields(self):
            if not len(found[field.name]) and str(field.type) in ("Text", "Outcomes"):
                found[field.name] = np.array([], np.str_)  # NumPy takes a list without a row for numbers
        for field in fields(self):
            if not any(_is_of(found[field.name], kind.strip()) for kind in str(field.type).split("|")):
                raise TypeError(f"column '{field.name}' is to be {field.type}, not {found[field.name].dtype}")
        lengths = {name: len(column) for name, column in found.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns have different lengths: {lengths}")
        return found


def _is_of(column: NDArray[Any], kind: str) -> bool:
    """Whether a column has the type of that name in this module; text may be in an array of objects."""
    if kind == "Outcomes":
        return _is_of(column, "Text") and set(column.tolist()) <= set(Outcome)
    return column.dtype.kind in "UO" if kind == "Text" else column.dtype == kind.lower()
