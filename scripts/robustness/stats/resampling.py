"""Tests and intervals for claims: about these weights (over images) and about a recipe (over seeds, then images).

Pure functions of numbers; reads and writes nothing. Exists because of two things that plain tests and intervals pass
over: an image that was not fooled has needed more change than any that was (here: infinite), and another training of
the same recipe differs from this one by more than any number of images can tell.

Values are arrays with a row for each seed and a column for each image; nan is an image that the model got wrong
unchanged, so that it was not attacked; inf one that was attacked and not fooled ("censored").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustness.stats.intervals import Interval

Values = NDArray[np.float64]
Statistic = Callable[..., Values]
"""A number per resample and seed, of arrays (resamples × images) that say how often each image was drawn."""

RESAMPLES = 1000
_BATCH = 2_000_000
"""Numbers that a batch of resamples may hold."""


class Sides(NamedTuple):
    """One-sided p-values, of "more than the threshold" and of "less"; nan where they cannot be had."""

    more: float
    less: float

    @property
    def different(self) -> float:
        """The two-sided p-value."""
        return min(1.0, 2 * min(self))


# ---- over images: these weights -------------------------------------------------------------------------------------


def log_ratios(first: ArrayLike, second: ArrayLike, *, both_censored: float = 0.0) -> Values:
    """Per image the log of how many times as much the first needed; nan unless both were attacked.

    Of two images that were both not fooled nothing is known; they get `both_censored`. Neither changed at all: 0.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(one) - np.log(other)
    ratios[(one == 0) & (other == 0)] = 0.0
    ratios[np.isposinf(one) & np.isposinf(other)] = both_censored
    return ratios


def signed_rank(first: ArrayLike, second: ArrayLike, ratio: float = 1.0) -> tuple[Sides, float]:
    """Wilcoxon's signed-rank test that the first needs more (or less) than `ratio` times the second, and its effect.

    Of log ratios, image by image; the null hypothesis is that they lie symmetrically about log `ratio`. An image that
    one of the two was not fooled by is decided and has the highest rank; one that neither was fooled by is a tie. Ties
    have a rank and count for neither side (Pratt, 1959). The effect is the matched-pairs rank-biserial correlation
    (Kerby, 2014): the ranks that favour the first less those that favour the second, as a share of both; -1 to 1.
    """
    return signed_rank_of(log_ratios(first, np.asarray(second, np.float64) * ratio))


def signed_rank_of(differences: ArrayLike) -> tuple[Sides, float]:
    """`signed_rank` of differences: that they lie above (or below) zero; they may be infinite, and nan is none."""
    from scipy.stats import rankdata, wilcoxon

    differences = np.asarray(differences, np.float64)
    differences = differences[~np.isnan(differences)]
    # As ranks, which are finite: the test is of ranks anyway.
    signed = np.sign(differences) * rankdata(np.abs(differences))
    if not signed.any():
        return Sides(1.0, 1.0), 0.0
    more, less = (
        wilcoxon(signed, zero_method="pratt", alternative=side, method="asymptotic").pvalue
        for side in ("greater", "less")
    )
    return Sides(float(more), float(less)), float(signed.sum() / np.abs(signed).sum())


def rank_sum(first: ArrayLike, second: ArrayLike, ratio: float = 1.0) -> Sides:
    """The Mann-Whitney U test that one set of images needs more (or less) than `ratio` times what another needs."""
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
    """McNemar's exact test that the first is right on more (or fewer) images; both are true where right."""
    one, other = np.asarray(first, bool), np.asarray(second, bool)
    return binomial(int((one & ~other).sum()), int((one != other).sum()), 0.5)


def binomial(successes: int, trials: int, share: float) -> Sides:
    """The exact binomial test that more (or less) than a share of trials succeeds."""
    from scipy.stats import binomtest

    if trials == 0:
        return Sides(1.0, 1.0)
    more, less = (binomtest(successes, trials, share, alternative=side).pvalue for side in ("greater", "less"))
    return Sides(float(more), float(less))


def over_images(
    statistic: Statistic, images: Sequence[int], *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Interval:
    """A statistic of one seed with its percentile bootstrap interval, whose bounds may be infinite.

    `images` are the numbers of images of the sets that the statistic is of, each of which is drawn from by itself.
    """
    if not min(images):
        return Interval(math.nan, math.nan, math.nan)
    drawn = np.concatenate([statistic(*counts)[:, 0] for counts in draws(images, resamples, seed)])
    estimate = float(_observed(statistic, images)[0])
    known = drawn[~np.isnan(drawn)]
    if not known.size:
        return Interval(estimate, math.nan, math.nan)
    tail = (1 - level) / 2
    # Not interpolated: between a finite and an infinite number there is none.
    low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
    return Interval(estimate, float(low), float(high))


# ---- over seeds, then images: a recipe ------------------------------------------------------------------------------


@dataclass(frozen=True)
class OverSeeds:
    """A statistic of each seed, and the standard error of their mean; `error` is nan where there is none."""

    values: tuple[float, ...]
    error: float

    @property
    def has_error(self) -> bool:
        """Whether the mean has a standard error: several seeds, all of them finite and not all the same."""
        return self.error > 0

    def sides(self, threshold: float) -> Sides:
        """Whether the mean over all seeds that there could be is more (or less) than `threshold`.

        Student's t, with one degree of freedom less than there are seeds. Without a standard error, because half of
        some seed's images were not fooled, the sign test over the seeds: how many are on which side. One seed: nan.
        """
        if len(self.values) < 2:
            return Sides(math.nan, math.nan)
        if not self.has_error:
            more, less = (sum(sign * value > sign * threshold for value in self.values) for sign in (1, -1))
            return Sides(binomial(more, len(self.values), 0.5).more, binomial(less, len(self.values), 0.5).more)
        from scipy.stats import t

        distance = (float(np.mean(self.values)) - threshold) / self.error
        freedom = len(self.values) - 1
        return Sides(float(t.sf(distance, freedom)), float(t.cdf(distance, freedom)))

    def interval(self, level: float = 0.95) -> Interval:
        """The mean with its confidence interval; bounds are nan without a standard error."""
        estimate = float(np.median(self.values)) if np.isinf(self.values).any() else float(np.mean(self.values))
        if not self.has_error:
            return Interval(estimate, math.nan, math.nan)
        from scipy.stats import t

        half = float(t.ppf((1 + level) / 2, len(self.values) - 1)) * self.error
        return Interval(estimate, estimate - half, estimate + half)


def over_seeds(
    statistic: Statistic, images: Sequence[int], *, least: float = 0.0, resamples: int = RESAMPLES, seed: int = 0
) -> OverSeeds:
    """A statistic of each seed, and the standard error of its mean by a hierarchical bootstrap: seeds, then images.

    Each resample draws as many seeds as there are, and, for all of them, images: seeds share their images. The
    variance of such a mean is too small by (S - 1) / S for S seeds (Davison and Hinkley, 1997, section 3.8), which is
    half of it where there are two, so that it is divided by that; `least` is a lower bound of the error. Together with
    Student's t (`OverSeeds`) recipes that are identical are told apart as rarely as the level says; percentiles of the
    resamples would tell them apart in a third of all cases with three seeds.
    """
    values = tuple(float(value) for value in _observed(statistic, images))
    if len(values) < 2 or not np.isfinite(values).all():
        return OverSeeds(values, math.nan)
    error = float(seed_error(statistic, images, len(values), resamples=resamples, seed=seed))
    return OverSeeds(values, max(least, error) if math.isfinite(error) else math.nan)


def seed_error(
    statistic: Statistic, images: Sequence[int], seeds: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> Values:
    """The standard error of a statistic's mean over seeds, as `over_seeds` has it; nan where a resample is infinite.

    The statistic may have further axes (resamples × seeds × …), along each of which there is an error.
    """
    rng = np.random.default_rng([seed, seeds])
    means = []
    with np.errstate(invalid="ignore"):  # of infinities, whose error is nan
        for counts in draws(images, resamples, seed):
            drawn = statistic(*counts)
            chosen = rng.integers(0, seeds, drawn.shape[:2]).reshape(drawn.shape[:2] + (1,) * (drawn.ndim - 2))
            means.append(np.take_along_axis(drawn, chosen, axis=1).mean(axis=1))
        error: Values = np.concatenate(means).std(axis=0, ddof=1) * math.sqrt(seeds / (seeds - 1))
    return error


# ---- statistics -----------------------------------------------------------------------------------------------------


def median_of(values: Values) -> Statistic:
    """The median of each seed's images (seeds × images), which may be infinite; nan of none."""
    rows = [_Sorted.of(row) for row in np.atleast_2d(values)]
    return lambda counts: np.stack([row.median(counts) for row in rows], axis=1)


def log_ratio_of_medians(first: Values, second: Values) -> Statistic:
    """The log of how many times the second's median the first's is, of two sets of images (seeds × images each)."""
    one, other = median_of(first), median_of(second)
    return lambda ours, theirs: log_ratios(one(ours), other(theirs))


def mean_of(values: Values) -> Statistic:
    """The mean of each seed's images (seeds × images); nan counts for nothing."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def mean(counts: NDArray[np.int64]) -> Values:
        with np.errstate(invalid="ignore"):
            return (counts @ filled.T) / (counts @ known.T)

    return mean


def log_odds_of(successes: Values) -> Statistic:
    """The log of the odds of success of each seed's images (1, 0, or nan), half an image added to either side.

    So that a seed in which everything succeeds has finite odds (Anscombe, 1956).
    """
    yes, no = (successes == 1).astype(float), (successes == 0).astype(float)
    return lambda counts: np.log(counts @ yes.T + 0.5) - np.log(counts @ no.T + 0.5)


def log_odds_error(successes: Values) -> float:
    """The standard error of the mean over seeds of `log_odds_of` that counting alone brings (Gart and Zweifel, 1967).

    A bootstrap of images that all succeed sees none.
    """
    yes, no = (successes == 1).sum(axis=1), (successes == 0).sum(axis=1)
    return float(math.sqrt(np.mean(1 / (yes + 0.5) + 1 / (no + 0.5)) / len(successes)))


@dataclass(frozen=True)
class _Sorted:
    """Numbers in rising order, with the places that they had."""

    values: Values
    places: NDArray[np.intp]

    @classmethod
    def of(cls, values: Values) -> _Sorted:
        order = np.argsort(values, kind="stable")
        order = order[~np.isnan(values[order])]
        return cls(values[order], order)

    def median(self, counts: NDArray[np.int64]) -> Values:
        """The median for each row of `counts`, which says how often each place was drawn."""
        if not self.values.size:
            return np.full(len(counts), math.nan)
        upto = np.cumsum(counts[:, self.places], axis=1)
        total = upto[:, -1:]
        low, high = (self.values[(upto > middle).argmax(axis=1)] for middle in ((total - 1) // 2, total // 2))
        with np.errstate(invalid="ignore"):
            middle = np.where(low == high, low, (low + high) / 2)
        return np.where(total[:, 0] > 0, middle, math.nan)


def _observed(statistic: Statistic, images: Sequence[int]) -> Values:
    """The statistic of the images themselves, for each seed."""
    return statistic(*(np.ones((1, number), np.int64) for number in images))[0]


def draws(images: Sequence[int], resamples: int, seed: int) -> Iterator[list[NDArray[np.int64]]]:
    """Batches of resamples, each as often as every image of each set was drawn: arrays of resamples × images."""
    rng = np.random.default_rng(seed)
    batch = max(1, min(resamples, _BATCH // max(1, *images)))
    for start in range(0, resamples, batch):
        rows = min(batch, resamples - start)
        yield [_counts(rng, rows, number) for number in images]


def _counts(rng: np.random.Generator, rows: int, images: int) -> NDArray[np.int64]:
    drawn: NDArray[Any] = rng.integers(0, images, (rows, images)) + images * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)


def holm(values: Sequence[float]) -> list[float]:
    """p-values with Holm's correction for their number; nan stands for no test and is not counted."""
    from statsmodels.stats.multitest import multipletests

    tested = [value for value in values if not math.isnan(value)]
    corrected = iter(multipletests(tested, method="holm")[1] if tested else [])
    return [math.nan if math.isnan(value) else float(next(corrected)) for value in values]
