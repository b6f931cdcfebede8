"""Computes with Kendall's τ whether required confidences, and measures of change, rank the models alike.

Pure functions on tables of measures. The stop at 90 % measures how sure of itself a network is as well as how robust
(docs/limits.md): where it ranks the models differently from any wrong class, the two are not the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas
from numpy.typing import NDArray

from robustness.stats.censoring import changes
from robustness.stats.resampling import median_of, observed
from robustness.stats.seeds import MEAN, interval, means_over_seeds, of_resamples, typical
from robustness.stats.tests import Values
from robustness.storage.levels import at_level

MEASURES = ("linf", "l2", "mean_change", "pixels_changed")
"""The measures of change that are compared."""

Setting = tuple[float, str]
"""A required confidence and a measure."""


def kendall(first: Values, second: Values) -> Values:
    """Return Kendall's τ-b along the last axis; infinite values tie with each other; nan where either side is all ties.

    scipy's `kendalltau`, against which this is tested, takes one pair of rankings at a time; there are thousands here.
    """
    pairs = np.array(list(combinations(range(first.shape[-1]), 2)), int).reshape(-1, 2).T
    one, other = (_order(values[..., pairs[0]], values[..., pairs[1]]) for values in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        tau: Values = (one * other).sum(-1) / np.sqrt((one**2).sum(-1) * (other**2).sum(-1))
    return tau


def _order(left: Values, right: Values) -> Values:
    return (left > right).astype(float) - (left < right)


def rank_agreement(models: Mapping[str, Sequence[pandas.DataFrame]]) -> pandas.DataFrame:
    """Tabulate one row for each pair of confidences (of one measure) and each pair of measures (at one confidence).

    `models` has, for each model, a table of one attack's measures for every seed. `tau` is Kendall's τ-b between the
    two rankings of the models by their median change (the mean over seeds of each seed's median), with its 95 %
    interval (`tau_low`, `tau_high`; `stats.seeds.of_resamples`), which few models make coarse; a seed in which some
    model has no value is left out. `tau_images` is τ-b for each image that all models classify correctly and that does
    not put all of them level, averaged over these, with its interval (`stats.seeds.interval`). Images that were not
    fooled rank highest, and equal. `images` is the number of images of this average, over seeds; `censored` of how many
    of them a model was not fooled at either setting.
    """
    levels = sorted(set.union(*(set(table["required_confidence"]) for tables in models.values() for table in tables)))
    needed = {
        (level, measure): np.stack([_rounded(changes(_at(tables, level), measure)) for tables in models.values()])
        for level in levels
        for measure in MEASURES
    }
    compared = [((low, measure), (high, measure)) for measure in MEASURES for low, high in combinations(levels, 2)]
    compared += [((level, one), (level, other)) for level in levels for one, other in combinations(MEASURES, 2)]
    medians, seeds = _medians(needed)
    rows = []
    for first, second in compared:
        (level, measure), (other_level, other_measure) = first, second
        between_levels = measure == other_measure
        tau, *drawn = kendall(medians[first], medians[second])
        found = of_resamples(float(tau), np.array(drawn), seeds, within=(-1, 1))
        rows.append(
            {
                "between": "confidences" if between_levels else "measures",
                "first": level if between_levels else measure,
                "second": other_level if between_levels else other_measure,
                "at": measure if between_levels else level,
                "models": len(models),
                "seeds": needed[first].shape[1],
                "tau": found.estimate,
                "tau_low": found.low,
                "tau_high": found.high,
                **_over_images(needed[first], needed[second]),
            }
        )
    return pandas.DataFrame(rows)


def _at(tables: Sequence[pandas.DataFrame], level: float) -> list[pandas.DataFrame]:
    return [at_level(table, level) for table in tables]


def _rounded(values: Values) -> Values:
    """Round off the last digits, in which equally many steps of an attack may differ."""
    return np.round(values, 6)


def _medians(needed: Mapping[Setting, Values]) -> tuple[Mapping[Setting, Values], int]:
    """For each setting the medians of all models, those observed and then each resample's; and of how many seeds."""
    every = np.stack(list(needed.values()))
    # Without the seeds in which a model of those with any value has none: it would be in some resamples and not in all.
    lacking = np.all(np.isnan(every), axis=(0, 3))  # models × seeds
    whole = ~np.any(lacking[~np.all(lacking, axis=1)], axis=0)
    every = every[:, :, whole] if whole.any() else every
    if np.array_equal(every, np.broadcast_to(every[:, :, :1], every.shape), equal_nan=True):
        every = every[:, :, :1]  # models that come with their weights, so that their seeds are the same
    settings, models, seeds, images = every.shape
    of_each = median_of(every.reshape(-1, images))

    def medians(counts: NDArray[np.int64]) -> Values:
        return of_each(counts).reshape(len(counts), settings, models, seeds).transpose(0, 3, 2, 1)

    # A seed is drawn for each model by itself: seeds of two models have nothing in common but their number.
    drawn = means_over_seeds(medians, (images,), apart=True)
    itself = typical(observed(medians, (images,)))
    return dict(zip(needed, np.concatenate([itself[None], drawn]).transpose(2, 0, 1), strict=True)), seeds


def _over_images(first: Values, second: Values) -> dict[str, float]:
    """The mean agreement over images (of models × seeds × images), and of how many images it is."""
    everywhere = ~np.isnan(first).any(axis=0)
    tau = kendall(np.moveaxis(first, 0, -1), np.moveaxis(second, 0, -1))
    ranked = np.where(everywhere, tau, math.nan)
    known = ~np.isnan(ranked)
    found = interval(MEAN, ranked[:, known.any(axis=0)], within=(-1, 1))
    unknown = (np.isinf(first) | np.isinf(second)).any(axis=0) & known
    return {
        "tau_images": found.estimate,
        "tau_images_low": found.low,
        "tau_images_high": found.high,
        "images": int(known.sum()),
        "censored": int(unknown.sum()),
    }
