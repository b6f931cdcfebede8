"""Draws images with replacement, and computes statistics of the draws and the interval over one seed's images.

Pure functions of numbers. Values are arrays with a row for each seed and a column for each image; nan is an image that
was not attacked, because the model already gets it wrong; inf is an image that was attacked and not fooled
("censored").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.stats.intervals import Interval
from robustness.stats.tests import Values, log_ratios

Statistic = Callable[..., Values]
"""Returns a number per resample and seed, from arrays (resamples × images) that say how often each image was drawn."""

RESAMPLES = 1000
_BATCH = 2_000_000
"""How many numbers a batch of resamples may hold."""


def over_images(
    statistic: Statistic, images: Sequence[int], *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return a statistic of one seed with its percentile bootstrap interval, whose bounds may be infinite.

    `images` gives the size of each set of images that the statistic uses; each set is resampled by itself.
    """
    if not min(images):
        return Interval(math.nan, math.nan, math.nan)
    drawn = np.concatenate([statistic(*counts)[:, 0] for counts in draws(images, resamples, seed)])
    return percentiles(float(observed(statistic, images)[0]), drawn, level=level)


def percentiles(estimate: float, drawn: Values, *, level: float = 0.95) -> Interval:
    """Return an estimate with the percentiles of its resamples, which may be infinite; nan is left out."""
    known = drawn[~np.isnan(drawn)]
    if not known.size:
        return Interval(estimate, math.nan, math.nan)
    tail = (1 - level) / 2
    # Not interpolated: there is no number between a finite and an infinite one.
    low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
    return Interval(estimate, float(low), float(high))


# ---- statistics -----------------------------------------------------------------------------------------------------


def median_of(values: Values) -> Statistic:
    """Return the median of each seed's images (seeds × images), which may be infinite; nan if there are no images."""
    rows = [_Sorted.of(row) for row in np.atleast_2d(values)]
    return lambda counts: np.stack([row.median(counts) for row in rows], axis=1)


def log_ratio_of_medians(first: Values, second: Values) -> Statistic:
    """Return the log of the median of one set of images (seeds × images) divided by the median of another set.

    It is nan where both medians are infinite: their ratio is not known.
    """
    one, other = median_of(first), median_of(second)
    return lambda ours, theirs: log_ratios(one(ours), other(theirs), both_censored=math.nan)


def mean_of(values: Values) -> Statistic:
    """Return the mean of each seed's images (seeds × images); nan is left out."""
    known = ~np.isnan(values)
    filled, weights = np.where(known, values, 0.0).T, known.T.astype(float)

    def mean(counts: NDArray[np.int64]) -> Values:
        drawn = counts.astype(float)  # numpy multiplies whole numbers one by one, others many at once
        with np.errstate(invalid="ignore"):
            return (drawn @ filled) / (drawn @ weights)

    return mean


def share_within(values: Values, limits: NDArray[np.float64]) -> Statistic:
    """Return the share of each seed's images (seeds × images) with at most each limit: resamples × seeds × limits.

    Images without a value (nan) are left out; infinite values are within no limit.
    """
    rows = [_Sorted.of(row) for row in values]
    places = [np.searchsorted(row.values[np.isfinite(row.values)], limits, side="right") for row in rows]

    def shares(counts: NDArray[np.int64]) -> Values:
        each = []
        for row, place in zip(rows, places, strict=True):
            upto = np.cumsum(counts[:, row.places], axis=1)
            upto = np.concatenate([np.zeros((len(counts), 1), upto.dtype), upto], axis=1)
            with np.errstate(invalid="ignore"):
                each.append(upto[:, place] / upto[:, -1:])
        return np.stack(each, axis=1)

    return shares


def log_odds_of(successes: Values) -> Statistic:
    """Return the log odds of success of each seed's images (1, 0, or nan), with half an image added to either side.

    The half image keeps the odds finite for a seed in which everything succeeds (Anscombe, 1956).
    """
    yes, no = (successes == 1).astype(float), (successes == 0).astype(float)
    return lambda counts: np.log(counts @ yes.T + 0.5) - np.log(counts @ no.T + 0.5)


def log_odds_error(successes: Values) -> float:
    """Return the standard error of `log_odds_of`'s mean over seeds from counting alone (Gart and Zweifel, 1967).

    A bootstrap of images that all succeed sees no error.
    """
    yes, no = (successes == 1).sum(axis=1), (successes == 0).sum(axis=1)
    return float(math.sqrt(np.mean(1 / (yes + 0.5) + 1 / (no + 0.5)) / len(successes)))


@dataclass(frozen=True)
class _Sorted:
    """Numbers in rising order, with the places that they had before; nan is left out."""

    values: Values
    places: NDArray[np.intp]

    @classmethod
    def of(cls, values: Values) -> _Sorted:
        order = np.argsort(values, kind="stable")
        order = order[~np.isnan(values[order])]
        return cls(values[order], order)

    def median(self, counts: NDArray[np.int64]) -> Values:
        """Return the median for each row of `counts`, which says how often each place was drawn."""
        if not self.values.size:
            return np.full(len(counts), math.nan)
        upto = np.cumsum(counts[:, self.places], axis=1)
        total = upto[:, -1:]
        low, high = (self.values[(upto > middle).argmax(axis=1)] for middle in ((total - 1) // 2, total // 2))
        with np.errstate(invalid="ignore"):
            middle = np.where(low == high, low, (low + high) / 2)
        return np.where(total[:, 0] > 0, middle, math.nan)


def observed(statistic: Statistic, images: Sequence[int]) -> Values:
    """Return the statistic of the images themselves, for each seed."""
    return statistic(*(np.ones((1, number), np.int64) for number in images))[0]


def draws(images: Sequence[int], resamples: int, seed: int) -> Iterator[list[NDArray[np.int64]]]:
    """Yield batches of resamples: for each set, how often each image was drawn (resamples × images)."""
    rng = np.random.default_rng(seed)
    batch = max(1, min(resamples, _BATCH // max(1, *images)))
    for start in range(0, resamples, batch):
        rows = min(batch, resamples - start)
        yield [_counts(rng, rows, number) for number in images]


def _counts(rng: np.random.Generator, rows: int, images: int) -> NDArray[np.int64]:
    drawn: NDArray[Any] = rng.integers(0, images, (rows, images)) + images * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)
