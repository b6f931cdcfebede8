"""Computes the change that each image needed, where some were not fooled, and the share that a given change fools.

Pure functions on tables of measures and on arrays. An image that was attacked and not fooled ("censored") needs more
change than the attack made: its value is infinite here, so that it never counts as easy and is never left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robustness.outcome import Outcome
from robustness.stats import seeds
from robustness.stats.resampling import share_within
from robustness.stats.tests import Values


class Measures(Protocol):
    """Measures by the names of their columns: a mapping of arrays, or a pandas table."""

    def __getitem__(self, name: str, /) -> Any:
        """Return the column of that name."""


def changes(tables: Sequence[Measures], measure: str) -> Values:
    """Return the change that each seed's images needed (seeds × images): inf where not fooled, nan where not attacked.

    `tables` has one table of measures for each seed, all at one required confidence and of the same images.
    """
    return np.stack([_of_seed(table, measure) for table in tables])


def _of_seed(table: Measures, measure: str) -> Values:
    needed = np.where(table["ended"] == Outcome.SUCCESS, table[measure], math.inf)
    of_each: Values = np.where(table["ended"] == Outcome.SKIPPED, math.nan, needed)
    return of_each[np.argsort(table["image"])]


def _in_vain(table: Measures) -> NDArray[np.bool_]:
    """Return which images were attacked and not fooled."""
    return np.asarray((table["ended"] != Outcome.SUCCESS) & (table["ended"] != Outcome.SKIPPED))


def censored(tables: Sequence[Measures]) -> int:
    """Count the attacks, over seeds, that did not fool their image."""
    return sum(int(_in_vain(table).sum()) for table in tables)


def attacked(tables: Sequence[Measures]) -> int:
    """Count the images that were attacked, over seeds."""
    return sum(int((table["ended"] != Outcome.SKIPPED).sum()) for table in tables)


def first_censored(tables: Sequence[Measures], measure: str) -> float:
    """Return the smallest change with which an attack ended without success; inf where all succeeded.

    Up to this change the share of images fooled is exact; beyond it, the share could be larger.
    """
    return min(float(np.asarray(table[measure])[_in_vain(table)].min(initial=math.inf)) for table in tables)


def fooled_within(needed: Values, allowed: NDArray[np.float64]) -> seeds.Band:
    """Return the share of attacked images that a change of at most `allowed` fools, with the interval of `stats.seeds`.

    `needed` is as `changes` returns it; the share is the mean over seeds.
    """
    (known,) = seeds.distinct(needed)
    images = (~np.isnan(known)).sum(axis=1)
    if not images.all():
        return seeds.Band(*(np.full(allowed.shape, math.nan),) * 3)
    return seeds.band(share_within(known, allowed), known.shape[1:], "log odds", images)
