"""Computes intervals over images: bootstrap for means and medians, Wilson for shares. Pure functions of numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and the bounds of its confidence interval; all three are nan where there is no data."""

    estimate: float
    low: float
    high: float


def bootstrap_mean(values: ArrayLike, *, seed: int = 0, resamples: int = 2000, level: float = 0.95) -> Interval:
    """Return the mean of `values` (n finite numbers) with a bias-corrected and accelerated bootstrap interval.

    The same numbers give the same interval, whatever their order. Where the correction is undefined (a few values, most
    of them equal) the interval is the percentile interval. Equal values say nothing about the spread: the interval is
    the mean itself. With one value the bounds are nan, without values all is. Raises `ValueError` for values that are
    not finite.
    """
    return _bootstrap(values, np.mean, ("BCa", "percentile"), seed, resamples, level)


def bootstrap_median(values: ArrayLike, *, seed: int = 0, resamples: int = 2000, level: float = 0.95) -> Interval:
    """Return the median of `values` (n finite numbers) with a percentile bootstrap interval.

    The rest is as in `bootstrap_mean`. The correction there leaves out single values, which says little about a median.
    """
    return _bootstrap(values, np.median, ("percentile",), seed, resamples, level)


def _bootstrap(
    values: ArrayLike,
    statistic: Callable[..., Any],
    methods: tuple[str, ...],
    seed: int,
    resamples: int,
    level: float,
) -> Interval:
    """Return a statistic of `values` with the interval of the first of scipy's `methods` whose bounds are finite."""
    from scipy.stats import bootstrap

    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not np.isfinite(ordered).all():
        raise ValueError(f"a {statistic.__name__} needs finite values")
    if ordered.size < 2:
        return Interval(float(ordered[0]) if ordered.size else math.nan, math.nan, math.nan)
    if ordered[0] == ordered[-1]:
        return Interval(*(float(ordered[0]),) * 3)
    for method in methods:
        with warnings.catch_warnings():
            # scipy warns where BCa is undefined; its nan bounds say so too, and the percentiles take over.
            warnings.simplefilter("ignore")
            # Batches bound the memory: BCa's jackknife of n values is an n × n array otherwise.
            bounds = bootstrap(
                (ordered,),
                statistic,
                n_resamples=resamples,
                batch=256,
                confidence_level=level,
                method=method,
                vectorized=True,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if np.isfinite([bounds.low, bounds.high]).all():
            break
    return Interval(float(statistic(ordered)), float(bounds.low), float(bounds.high))


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Return the share `successes / n` with Wilson's score interval, which is in [0, 1] and has a width at 0 and 1.

    `n` of 0 gives nan. Raises `ValueError` unless 0 ≤ `successes` ≤ `n`.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    low, high = wilson_bounds(np.array(successes / n), n, level=level)
    return Interval(successes / n, float(low), float(high))


def wilson_bounds(shares: Floats, n: float | Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the bounds of Wilson's score interval of each of `shares` of `n` trials, which may be means over seeds.

    The formula is written out here because a figure needs it too: importing statsmodels takes longer than drawing.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (shares + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(shares * (1 - shares) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
