"""Computes what several trainings say about their recipe: the one interval over seeds, and tests with the same error.

Pure functions of numbers. Intervals over images are not enough: two trainings of the same recipe differ by more than
any number of images can show. Seeds share their images: each resample draws seeds, and the same images for all seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustness.stats.intervals import Interval, bootstrap_mean, bootstrap_median, wilson, wilson_bounds
from robustness.stats.resampling import (
    RESAMPLES,
    Statistic,
    draws,
    mean_of,
    median_of,
    observed,
    over_images,
    percentiles,
)
from robustness.stats.tests import Sides, Values, binomial

if TYPE_CHECKING:
    import pandas

Scale = Literal["linear", "log", "log odds"]
"""The scale on which seeds are assumed to vary normally."""

ANYWHERE = (-math.inf, math.inf)


# ---- the interval ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """What an interval is about: a statistic of each seed's images, on a scale.

    `of` makes the statistic from values (seeds × images). `over_images` makes the interval of one seed from its values
    that are not nan; by default it is the percentiles of resamples of the statistic, whose bounds may be infinite.
    """

    of: Callable[..., Statistic]
    scale: Scale = "linear"
    over_images: Callable[[Values], Interval] | None = None


MEAN = Summary(mean_of, over_images=bootstrap_mean)
MEDIAN = Summary(median_of)
DIFFERENCE = Summary(mean_of)
"""The mean of a difference for each image, such as two models that are paired on the same images."""
MEDIAN_RATIO = Summary(median_of, "log")
FINITE_RATIO = Summary(median_of, "log", bootstrap_median)
"""The median of ratios, where no ratio is infinite."""
SHARE = Summary(mean_of, "log odds", lambda known: wilson(int(known.sum()), known.size))
"""The share of ones among ones and zeros."""


def interval(summary: Summary, *values: Values, within: tuple[float, float] = ANYWHERE) -> Interval:
    """Return a statistic's mean over seeds and its 95 % interval: over images, or over seeds and images.

    `values` has a row for each seed and a column for each image; nan means no value. Two models that were given the
    same images are compared by one array of their differences or log ratios. Several arrays are sets of different
    images; each set is resampled by itself. Bounds over seeds are clipped to `within`.

    With several seeds: each seed's statistic on the summary's scale, their mean, the mean's standard error by a
    bootstrap of seeds and then images (`error_of_mean`), Student's t with one degree of freedom less than there are
    seeds, and back from the scale. For a share, the estimate is the mean of the shares, and no bound is closer to it
    than Wilson's bound for the images of one seed, because a bootstrap of images that all succeed sees no error. Bounds
    are nan where a seed's statistic is infinite on the scale. A seed without values is left out; seeds that are
    equal in all values count as one.
    """
    kept = distinct(*values)
    if len(kept[0]) == 1:
        return _of_one(summary, *kept)
    sizes = [array.shape[1] for array in kept]
    trials = (~np.isnan(kept[0])).sum(axis=1)
    found = band(summary.of(*kept), sizes, summary.scale, trials)
    estimate, low, high = (float(each) for each in found)
    return _bounded(estimate, low, high, within)


def intervals(summary: Summary, values: Values) -> list[Interval]:
    """Return `interval` for several sets of values of the same seeds and images (sets × seeds × images) at once.

    All sets use the same resamples, which takes a fraction of the time.
    """
    found: dict[int, Interval] = {}
    alike: dict[bytes, list[int]] = {}
    for place, each in enumerate(values):
        (kept,) = distinct(each)
        if len(kept) == 1:
            found[place] = _of_one(summary, kept)
        else:
            alike.setdefault(_knows(each).tobytes(), []).append(place)
    for places in alike.values():
        chosen = values[places][:, _knows(values[places[0]])]
        trials = (~np.isnan(chosen)).sum(axis=2).T
        bounds = band(_of_sets(summary.of, chosen), [values.shape[2]], summary.scale, trials)
        found |= {place: Interval(*map(float, each)) for place, *each in zip(places, *bounds, strict=True)}
    return [found[place] for place in range(len(values))]


def by_seed(values: pandas.Series) -> Values:
    """Return numbers by `seed` and `image`, the levels of the index, as an array: seeds × images, nan where none is."""
    return values.astype(float).unstack("image").to_numpy() if len(values) else np.zeros((1, 0))


def distinct(*values: Values) -> list[Values]:
    """Return the seeds (rows) with a value in each array; only the first if all are equal or none has a value.

    A pretrained model is the same for each seed, so equal seeds count as one. Seeds whose values are all infinite are
    not such a model: all that is known about them is that they were not fooled.
    """
    known = np.all([_knows(array) for array in values], axis=0)
    kept = [array[known] for array in values]
    if not known.any():
        return [array[:1] for array in values]
    same = all(np.array_equal(array, np.broadcast_to(array[:1], array.shape), equal_nan=True) for array in kept)
    return [array[:1] for array in kept] if same and any(np.isfinite(array).any() for array in kept) else kept


def _knows(values: Values) -> NDArray[np.bool_]:
    """Return which seeds (rows) have a value."""
    return np.asarray((~np.isnan(values)).any(axis=1))


def _of_sets(of: Callable[[Values], Statistic], values: Values) -> Statistic:
    """Return a statistic of several sets (sets × seeds × images): resamples × seeds × sets."""
    sets, seeds, images = values.shape
    flat = of(values.reshape(-1, images))
    return lambda counts: flat(counts).reshape(len(counts), sets, seeds).swapaxes(1, 2)


def _of_one(summary: Summary, *values: Values) -> Interval:
    if summary.over_images is None:
        found = over_images(summary.of(*values), [array.shape[1] for array in values])
        is_bounded = min((~np.isnan(array)).sum() for array in values) > 1
        return found if is_bounded else Interval(found.estimate, math.nan, math.nan)
    (only,) = values
    return summary.over_images(only[~np.isnan(only)])


class Band(NamedTuple):
    """Estimates with the bounds of their intervals, arrays of one shape."""

    estimate: Values
    low: Values
    high: Values


def band(statistic: Statistic, images: Sequence[int], scale: Scale, trials: ArrayLike) -> Band:
    """Return `interval` for several seeds, or for a share with one seed; the statistic may have further axes.

    The statistic returns resamples × seeds × …; `images` gives the sizes of its sets of images; `trials` (seeds, or
    seeds × …) gives the number of trials of each share; the other scales do not need it.
    """
    natural = observed(statistic, images)
    of = np.asarray(trials, float)
    of = of.reshape(of.shape + (1,) * (natural.ndim - of.ndim))
    each = _onto(scale, natural, of)
    centre, half = typical(each), np.zeros(())
    if len(each) > 1:
        half = _students_t(len(each)) * error_of_mean(lambda *counts: _onto(scale, statistic(*counts), of), images)
    if scale == "linear":
        return Band(centre, centre - half, centre + half)
    if scale == "log":
        return Band(*(np.exp(part) for part in (centre, centre - half, centre + half)))
    share = natural.mean(axis=0)
    low, high = (1 / (1 + np.exp(-bound)) for bound in (centre - half, centre + half))
    least, most = wilson_bounds(share, of.mean(axis=0))
    return Band(share, np.minimum.reduce([low, least, share]), np.maximum.reduce([high, most, share]))


def _onto(scale: Scale, values: Values, trials: Values) -> Values:
    """Return values on the scale; a share gets half an image on either side, so that shares of 0 and 1 are finite."""
    if scale == "linear":
        return values
    with np.errstate(divide="ignore"):
        if scale == "log":
            return np.log(values)
        return np.log(values * trials + 0.5) - np.log((1 - values) * trials + 0.5)


def typical(each: Values) -> Values:
    """Return the mean over seeds (the first axis), or the median where some are infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(each).any(axis=0), np.median(each, axis=0), each.mean(axis=0))


def _students_t(seeds: int) -> float:
    """Return the 97.5 % quantile of Student's t for this number of seeds."""
    from scipy.special import stdtrit  # imports in half the time of scipy.stats, which calls it too

    return float(stdtrit(seeds - 1, 0.975))


def _bounded(estimate: float, low: float, high: float, within: tuple[float, float]) -> Interval:
    least, most = within
    return Interval(
        estimate, low if math.isnan(low) else max(low, least), high if math.isnan(high) else min(high, most)
    )


# ---- resamples ------------------------------------------------------------------------------------------------------


def means_over_seeds(
    statistic: Statistic, images: Sequence[int], *, apart: bool = False, resamples: int = RESAMPLES, seed: int = 0
) -> Values:
    """Return a statistic's means over drawn seeds, each computed on drawn images: resamples × ….

    From S seeds, S are drawn with replacement. The statistic may have further axes (resamples × seeds × …); the same
    seeds are drawn for all of them. With `apart`, each entry of the first further axis draws its own seeds: for models
    that share only the numbers of their seeds. Where a draw has no image that a seed's statistic needs, the observed
    statistic is used instead.
    """
    itself = observed(statistic, images)
    seeds = len(itself)
    rng = np.random.default_rng([seed, seeds])
    means = []
    with np.errstate(invalid="ignore"):  # of infinities, whose mean may be nan
        for counts in draws(images, resamples, seed):
            drawn = statistic(*counts)
            drawn = np.where(np.isnan(drawn), itself, drawn)
            drawn_apart = drawn.shape[: 3 if apart else 2]
            chosen = rng.integers(0, seeds, drawn_apart)
            chosen = chosen.reshape(drawn_apart + (1,) * (drawn.ndim - chosen.ndim))
            means.append(np.take_along_axis(drawn, chosen, axis=1).mean(axis=1))
    return np.concatenate(means)


def error_of_mean(statistic: Statistic, images: Sequence[int], *, resamples: int = RESAMPLES, seed: int = 0) -> Values:
    """Return the standard error of a statistic's mean over seeds; nan where a resample of it is infinite.

    The variance of `means_over_seeds` is too small by the factor (S - 1) / S for S seeds (Davison and Hinkley, 1997,
    section 3.8), one half for two seeds, so it is divided by that factor. Together with Student's t, identical recipes
    are then told apart as rarely as the level says; percentiles of the resamples would tell them apart in a third of
    all cases with three seeds.
    """
    seeds = len(observed(statistic, images))
    means = means_over_seeds(statistic, images, resamples=resamples, seed=seed)
    with np.errstate(invalid="ignore"):
        error: Values = means.std(axis=0, ddof=1) * _correction(seeds)
    return error


def _correction(seeds: int) -> float:
    return math.sqrt(seeds / (seeds - 1))


def of_resamples(estimate: float, drawn: Values, seeds: int, *, within: tuple[float, float] = ANYWHERE) -> Interval:
    """Return the interval of a number made from several means over seeds, from its resamples; nan is left out.

    As in `interval`: with one seed, the percentiles of the resamples; else Student's t with the corrected standard
    error of the resamples.
    """
    if seeds < 2:
        return percentiles(estimate, drawn)
    known = drawn[~np.isnan(drawn)]
    half = _students_t(seeds) * float(known.std(ddof=1)) * _correction(seeds) if known.size > 1 else math.nan
    return _bounded(estimate, estimate - half, estimate + half, within)


# ---- tests ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OverSeeds:
    """A statistic of each seed, and the standard error of its mean over seeds; nan where there is none."""

    values: tuple[float, ...]
    error: float

    @property
    def has_error(self) -> bool:
        """Whether the mean has a standard error: there are several seeds, all finite and not all the same."""
        return self.error > 0

    def sides(self, threshold: float) -> Sides:
        """Test whether the mean over all possible seeds is more (or less) than `threshold`.

        The test is Student's t, with one degree of freedom less than there are seeds. Without a standard error, because
        half of some seed's images were not fooled, it is the sign test over seeds: how many seeds are on which side.
        With one seed the p-values are nan.
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


def over_seeds(
    of: Callable[..., Statistic],
    *values: Values,
    least: Callable[..., float] = lambda *_: 0.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> OverSeeds:
    """Return a statistic of each seed, with the error of `error_of_mean`; `least` gives a lower bound of the error.

    `values` are as for `interval`, of seeds that each have one and that are different trainings (`distinct`); `of` and
    `least` are functions of them.
    """
    statistic, images = of(*values), [array.shape[1] for array in values]
    each = tuple(float(value) for value in observed(statistic, images))
    if len(each) < 2 or not np.isfinite(each).all():
        return OverSeeds(each, math.nan)
    error = float(error_of_mean(statistic, images, resamples=resamples, seed=seed))
    return OverSeeds(each, max(least(*values), error) if math.isfinite(error) else math.nan)
