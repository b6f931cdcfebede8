"""What seeds say of a recipe, against known answers, and how often it is wrong where there is nothing to find."""

from __future__ import annotations

import gc
import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from robustness.claims.comparisons import Support
from robustness.claims.verdicts import LEVEL, UNDECIDED, verdicts
from robustness.stats import resampling
from robustness.stats.seeds import OverSeeds, over_seeds
from robustness.stats.tests import log_ratios, signed_rank

INF, NAN = math.inf, math.nan


def simulated(rng: np.random.Generator, seeds: int, images: int, between: float) -> np.ndarray:
    """The change that one recipe's images need: images differ, seeds differ by far more than images explain."""
    image = rng.normal(0, 0.3, images)
    seed = rng.normal(0, between, (seeds, 1))
    return np.exp(image + seed + rng.normal(0, 0.1, (seeds, images)))


# --- over seeds ------------------------------------------------------------------------------------------------------


def test_the_error_over_seeds_is_that_of_a_mean_where_images_tell_nothing() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0])
    found = over_seeds(resampling.median_of(np.repeat(values[:, None], 10, axis=1)), (10,), resamples=20_000)
    assert found.values == (1, 2, 4, 5)
    assert found.error == pytest.approx(values.std(ddof=1) / 2, rel=0.03)
    # Student's t by hand: 3 ± 3.182 · 1.826 / 2.
    assert found.interval() == pytest.approx((3, 0.095, 5.905), abs=0.12)


def test_the_error_over_seeds_takes_in_the_images_where_seeds_agree() -> None:
    values = np.tile(np.random.default_rng(3).normal(0, 1, 100), (3, 1))
    found = over_seeds(resampling.mean_of(values), (100,), resamples=4000)
    # Seeds share their images, so that three seeds tell no more about them than one.
    assert found.error == pytest.approx(values[0].std() / 10 * math.sqrt(3 / 2), rel=0.05)


def test_one_seed_says_nothing_of_a_recipe() -> None:
    found = over_seeds(resampling.median_of(np.ones((1, 10))), (10,))
    assert all(math.isnan(p) for p in found.sides(0.0))


@pytest.mark.parametrize("values", [(INF, INF, INF), (1.0, INF, 2.0), (2.0, 2.0, 2.0)])
def test_without_a_standard_error_the_seeds_signs_are_tested(values: tuple[float, ...]) -> None:
    found = over_seeds(resampling.median_of(np.repeat(np.array(values)[:, None], 9, axis=1)), (9,))
    assert found.sides(0.5) == pytest.approx((1 / 8, 1.0))
    assert math.isnan(found.interval().low)


def test_seeds_on_the_threshold_are_on_neither_side() -> None:
    assert OverSeeds((0.0, 0.0), NAN).sides(0.0) == (1.0, 1.0)


def test_shares_of_all_images_have_an_error_nevertheless() -> None:
    everything = np.ones((5, 100))
    least = resampling.log_odds_error(everything)
    assert least == pytest.approx(math.sqrt((1 / 100.5 + 2) / 5))
    found = over_seeds(resampling.log_odds_of(everything), (100,), least=least)
    assert found.error == least
    assert found.sides(math.log(0.95 / 0.05)).more < 0.05


# --- how often they are wrong ----------------------------------------------------------------------------------------

FAMILIES = 250
ALLOWED = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / FAMILIES)
"""5 %, and three standard errors of a simulation of so many families."""


@cache
def wrong(seeds: int, between: float = 0.5, step: float = 0.0) -> tuple[float, float]:
    """The share of families of four claims about identical recipes in which at least one has a verdict.

    Then the same for the plain standard error of a cluster bootstrap, held against the normal distribution. Each claim
    is that of two recipes the one needs more change; the second recipe of a claim is the first of the next, so that
    claims depend on each other as in the table. `step` rounds the changes up, as an attack's step does.
    """
    gc.freeze()  # statsmodels collects garbage at each correction: hundreds of walks over everything that is imported
    rng = np.random.default_rng(seeds)
    found = np.zeros(2)
    for family in range(FAMILIES):
        recipes = [simulated(rng, seeds, 30, between) for _ in range(5)]
        if step:
            recipes = [np.ceil(recipe / step) * step for recipe in recipes]
        supports, plain = [], []
        for first, second in pairwise(recipes):
            over = over_seeds(resampling.median_of(log_ratios(first, second)), (30,), resamples=100, seed=family)
            supports.append(Support(*over.sides(0.0)))
            distance = np.mean(over.values) / (over.error * math.sqrt((seeds - 1) / seeds)) if over.has_error else 0.0
            plain.append(Support(norm.sf(distance), norm.cdf(distance)))
        found += [any(verdict != UNDECIDED for *_, verdict in verdicts(each)) for each in (supports, plain)]
    gc.unfreeze()
    return tuple(found / FAMILIES)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_identical_recipes_are_told_apart_in_at_most_five_percent_of_families(seeds: int) -> None:
    assert wrong(seeds)[0] <= ALLOWED


@pytest.mark.parametrize("seeds", [2, 5])
def test_so_they_are_where_the_attacks_step_is_coarse(seeds: int) -> None:
    assert wrong(seeds, between=0.1, step=0.25)[0] <= ALLOWED


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_without_the_corrections_for_few_seeds_they_would_be_told_apart_far_more_often(seeds: int) -> None:
    assert wrong(seeds)[1] > 3 * LEVEL


def test_over_images_alone_identical_recipes_differ_nearly_always() -> None:
    rng = np.random.default_rng(8)
    ps = [min(signed_rank(simulated(rng, 1, 100, 0.5)[0], simulated(rng, 1, 100, 0.5)[0])[0]) for _ in range(40)]
    assert np.mean(np.array(ps) < 0.025) > 0.8


def test_recipes_that_differ_by_more_than_their_seeds_are_told_apart() -> None:
    rng = np.random.default_rng(9)
    first, second = 3 * simulated(rng, 5, 50, 0.1), simulated(rng, 5, 50, 0.1)
    over = over_seeds(resampling.median_of(log_ratios(first, second)), (50,))
    assert over.sides(0.0).more < 0.001
    low, high = over.interval()[1:]
    assert low < math.log(3) < high
