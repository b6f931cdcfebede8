"""What several trainings of one recipe say of it: seeds are drawn, then images, and Student's t does the rest.

Pure functions of numbers. Exists because another training of the same recipe differs from this one by more than any
number of images can tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robustness.stats.intervals import Interval
from robustness.stats.resampling import RESAMPLES, Statistic, draws, observed
from robustness.stats.tests import Sides, Values, binomial


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
    values = tuple(float(value) for value in observed(statistic, images))
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
