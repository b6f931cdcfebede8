"""Tests and intervals against known answers, and how often they are wrong about data in which there is nothing."""

from __future__ import annotations

import gc
import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, wilcoxon

from robustness.claims.verdicts import LEVEL, UNDECIDED, Support, verdicts
from robustness.stats import resampling
from robustness.stats.resampling import (
    OverSeeds,
    binomial,
    holm,
    log_ratios,
    mcnemar,
    over_images,
    over_seeds,
    signed_rank,
)

INF, NAN = math.inf, math.nan


def simulated(rng: np.random.Generator, seeds: int, images: int, between: float) -> np.ndarray:
    """The change that one recipe's images need: images differ, seeds differ by far more than images explain."""
    image = rng.normal(0, 0.3, images)
    seed = rng.normal(0, between, (seeds, 1))
    return np.exp(image + seed + rng.normal(0, 0.1, (seeds, images)))


# --- over images -----------------------------------------------------------------------------------------------------


def test_signed_rank_agrees_with_scipy_on_plain_values() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.lognormal(0.1, 0.5, 60), rng.lognormal(0, 0.5, 60)
    for side, found in zip(("greater", "less"), signed_rank(first, second)[0], strict=True):
        expected = wilcoxon(np.log(first / second), alternative=side, method="asymptotic").pvalue
        assert found == pytest.approx(expected, rel=1e-9)


def test_the_rank_biserial_correlation_of_an_example_by_hand() -> None:
    # Log ratios 1, 2, 3 and -4 have ranks 1 to 4: (1 + 2 + 3 - 4) / 10.
    assert signed_rank(np.exp([1.0, 2, 3, -4]), np.ones(4))[1] == pytest.approx(0.2)


def test_an_image_that_one_model_withstood_outranks_all_that_were_fooled() -> None:
    finite = np.exp([-1.0, -2, -3, -4])
    # The censored one has rank 5, so the effect is (5 - 10) / 15, whatever the others are.
    assert signed_rank([*finite, INF], np.ones(5))[1] == pytest.approx(-1 / 3)
    assert signed_rank([*finite**9, INF], np.ones(5))[1] == pytest.approx(-1 / 3)


def test_an_image_that_neither_was_fooled_by_is_a_tie_at_every_ratio() -> None:
    sides, effect = signed_rank([INF] * 20, [INF] * 20, 2.0)
    assert (sides, effect) == ((1.0, 1.0), 0.0)
    with_ties = signed_rank([3.0, 4.0, 5.0, INF], [1.0, 1.0, 1.0, INF])[1]
    assert with_ties == 1.0


def test_images_that_one_model_had_wrong_take_no_part() -> None:
    first, second = np.array([1.0, 2.0, NAN, 4.0]), np.array([2.0, NAN, 1.0, 5.0])
    assert signed_rank(first, second) == signed_rank([1.0, 4.0], [2.0, 5.0])


def test_a_ratio_shifts_the_threshold() -> None:
    rng = np.random.default_rng(2)
    second = rng.lognormal(0, 0.4, 200)
    first = second * 1.5 * rng.lognormal(0, 0.1, 200)
    assert signed_rank(first, second)[0].more < 1e-6
    assert signed_rank(first, second, 2.0)[0].less < 1e-6
    assert min(signed_rank(first, second, 1.5)[0]) > 0.01


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 2.0, INF, NAN])] * 2), min_size=1, max_size=30))
def test_swapping_the_models_swaps_the_sides(pairs: list[tuple[float, float]]) -> None:
    first, second = np.array(pairs).T
    sides, effect = signed_rank(first, second)
    swapped, opposite = signed_rank(second, first)
    assert (sides.more, sides.less) == pytest.approx((swapped.less, swapped.more))
    assert effect == pytest.approx(-opposite)
    assert -1 <= effect <= 1


def test_log_ratios_of_what_has_no_ratio() -> None:
    found = log_ratios([0, 0, 1, INF, INF, 1, NAN], [0, 1, 0, INF, 1, INF, 1])
    assert found.tolist() == pytest.approx([0, -INF, INF, 0, INF, -INF, NAN], nan_ok=True)


def test_rank_sum_takes_censored_images_for_the_largest_and_leaves_out_skipped_ones() -> None:
    first, second = [1.0, 2.0, 3.0, INF, NAN], [0.1, 0.2, 0.3, 0.4]
    sides = resampling.rank_sum(first, second)
    assert sides.more == pytest.approx(1 / 70)  # the most extreme of C(8, 4) orders
    assert resampling.rank_sum(first, second, 100.0).less < 0.2
    assert resampling.rank_sum([NAN], [1.0]) == (1.0, 1.0)


def test_mcnemar_and_binomial_are_exact() -> None:
    first, second = [1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 1]
    assert mcnemar(first, second).more == pytest.approx(1 / 32)
    assert binomial(10, 10, 0.5).more == pytest.approx(2**-10)
    assert binomial(0, 0, 0.5) == (1.0, 1.0)


# --- medians ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, INF, NAN]), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_the_median_of_drawn_images_is_the_median_of_their_copies(values: list[float], seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 3, (4, len(values)))
    found = resampling.median_of(np.array([values]))(counts)[:, 0]
    for row, median in zip(counts, found, strict=True):
        copies = np.repeat(values, row)
        copies = np.sort(copies[~np.isnan(copies)])
        if not copies.size:
            assert math.isnan(median)
        else:
            low, high = copies[(copies.size - 1) // 2], copies[copies.size // 2]
            assert median == (low if low == high else (low + high) / 2)


def test_a_median_is_infinite_where_half_of_the_images_were_not_fooled() -> None:
    fooled = resampling.median_of(np.array([[1.0, 2.0, 3.0, INF, INF]]))
    assert over_images(fooled, (5,)).estimate == 3.0
    assert over_images(fooled, (5,)).high == INF
    assert over_images(resampling.median_of(np.array([[1.0, INF, INF]])), (3,)).estimate == INF


def test_the_interval_of_a_median_covers_it_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    statistics = [resampling.median_of(rng.exponential(1.0, (1, 41))) for _ in range(300)]
    intervals = [over_images(each, (41,), seed=n, resamples=400) for n, each in enumerate(statistics)]
    assert 0.9 <= np.mean([low <= math.log(2) <= high for _, low, high in intervals]) <= 0.99


def test_nothing_to_draw_from_gives_no_interval() -> None:
    found = over_images(resampling.median_of(np.full((1, 3), NAN)), (3,))
    assert all(math.isnan(each) for each in found)


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


def test_holm_is_the_textbooks_and_leaves_out_what_was_not_tested() -> None:
    assert holm([0.01, NAN, 0.04, 0.03]) == pytest.approx([0.03, NAN, 0.06, 0.06], nan_ok=True)
    assert all(math.isnan(p) for p in holm([NAN]))


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
