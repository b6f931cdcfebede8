"""Finds required confidences ("levels") in records and tables by their value, and is the only place that does.

A level is a number of the configuration, and is found by that number, exact to the last bit: JSON, Parquet and the
`repr` in tables give back the number that was written, and nothing computes with levels. A level that differs by a
rounding is another level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray

ARGMAX = 0.0
"""The required confidence that any wrong prediction meets; `argmax` in the configuration."""


def is_level(found: Any, level: float) -> Any:
    """Return whether a required confidence is `level`, for each row of a column."""
    return found == float(level)


def at_level(table: pandas.DataFrame, level: float) -> pandas.DataFrame:
    """Return the rows of a table at one required confidence."""
    chosen: pandas.DataFrame = table[is_level(table["required_confidence"], level)]
    return chosen


def highest_shared(*columns: NDArray[np.float64]) -> float:
    """Return the highest required confidence that all columns have; raises `ValueError` where they share none."""
    return max(set.intersection(*(set(column.tolist()) for column in columns)))
