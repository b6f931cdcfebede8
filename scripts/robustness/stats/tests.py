"""Tests over images (paired, of two sets, of shares), and corrects for the number of tests.

Pure functions of numbers. An image that was not fooled counts as needing more change than any fooled image: its
value is infinite here. An image that was not attacked is nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
"""A row for each seed, a column for each image; nan is an image that was not attacked, inf one that was not fooled."""


class Sides(NamedTuple):
    """One-sided p-values, for "more than the threshold" and for "less"; nan where there is no test."""

    more: float
    less: float


def log_ratios(first: ArrayLike, second: ArrayLike, *, both_censored: float = 0.0) -> Values:
    """Return for each image the log of how much the first needed divided by the second; nan unless both were attacked.

    Where neither was fooled, the ratio is not known: it is `both_censored`. Where neither changed at all, it is 0.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(one) - np.log(other)
    ratios[(one == 0) & (other == 0)] = 0.0
    ratios[np.isposinf(one) & np.isposinf(other)] = both_censored
    return ratios


def signed_rank(first: ArrayLike, second: ArrayLike, ratio: float = 1.0) -> tuple[Sides, float]:
    """Test by signed ranks that the first needs more (or less) than `ratio` times the second; also return the effect.

    Wilcoxon's test uses one log ratio per image; the null hypothesis is that they are symmetric about log `ratio`. An
    image that fooled only one of the two is decided and has the highest rank; an image that fooled neither is a tie.
    Ties have a rank and count for neither side (Pratt, 1959). The effect is the matched-pairs rank-biserial correlation
    (Kerby, 2014), from -1 to 1: the sum of the ranks that favour the first minus the sum of the ranks that favour the
    second, divided by the sum of all these ranks.
    """
    return signed_rank_of(log_ratios(first, np.asarray(second, np.float64) * ratio))


def signed_rank_of(differences: ArrayLike) -> tuple[Sides, float]:
    """Test as `signed_rank` does that differences are above (or below) zero; they may be infinite; nan is left out."""
    from scipy.stats import rankdata, wilcoxon

    differences = np.asarray(differences, np.float64)
    differences = differences[~np.isnan(differences)]
    # Replaced by their ranks, which are finite: the test uses only ranks anyway.
    signed = np.sign(differences) * rankdata(np.abs(differences))
    if not signed.any():
        return Sides(1.0, 1.0), 0.0
    more, less = (
        wilcoxon(signed, zero_method="pratt", alternative=side, method="asymptotic").pvalue
        for side in ("greater", "less")
    )
    return Sides(float(more), float(less)), float(signed.sum() / np.abs(signed).sum())


def rank_sum(first: ArrayLike, second: ArrayLike, ratio: float = 1.0) -> Sides:
    """Test with Mann-Whitney's U that one set of images needs more (or less) change than `ratio` times another set."""
    from scipy.stats import mannwhitneyu, rankdata

    one, other = (array[~np.isnan(array)] for array in (np.asarray(first), np.asarray(second, np.float64) * ratio))
    if not one.size or not other.size:
        return Sides(1.0, 1.0)
    ranks = rankdata(np.concatenate([one, other]))
    more, less = (
        mannwhitneyu(ranks[: one.size], ranks[one.size :], alternative=side).pvalue for side in ("greater", "less")
    )
    return Sides(float(more), float(less))


def mcnemar(first: ArrayLike, second: ArrayLike) -> Sides:
    """Test with McNemar's exact test that the first is right on more (or fewer) images; arrays are true where right."""
    one, other = np.asarray(first, bool), np.asarray(second, bool)
    return binomial(int((one & ~other).sum()), int((one != other).sum()), 0.5)


def binomial(successes: int, trials: int, share: float) -> Sides:
    """Test with the exact binomial test that more (or less) than a share of the trials succeeds."""
    from scipy.stats import binomtest

    if trials == 0:
        return Sides(1.0, 1.0)
    more, less = (binomtest(successes, trials, share, alternative=side).pvalue for side in ("greater", "less"))
    return Sides(float(more), float(less))


def holm(values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's method; nan means no test and is not counted."""
    from statsmodels.stats.multitest import multipletests

    tested = [value for value in values if not math.isnan(value)]
    corrected = iter(multipletests(tested, method="holm")[1] if tested else [])
    return [math.nan if math.isnan(value) else float(next(corrected)) for value in values]
