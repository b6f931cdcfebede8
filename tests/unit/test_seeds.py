"""What seeds say of a recipe, against known answers, and how often it is wrong where there is nothing to find."""

from __future__ import annotations

import ast
import gc
import math
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from robustness.claims.comparisons import Support
from robustness.claims.verdicts import LEVEL, UNDECIDED, verdicts
from robustness.stats import resampling
from robustness.stats.intervals import Interval, bootstrap_mean, wilson
from robustness.stats.resampling import log_ratio_of_medians, mean_of, median_of, over_images
from robustness.stats.seeds import (
    DIFFERENCE,
    MEAN,
    MEDIAN,
    MEDIAN_RATIO,
    SHARE,
    OverSeeds,
    Summary,
    interval,
    intervals,
    means_over_seeds,
    of_resamples,
    over_seeds,
)
from robustness.stats.tests import log_ratios, signed_rank

ROOT = Path(__file__).parents[2]
INF, NAN = math.inf, math.nan


def simulated(rng: np.random.Generator, seeds: int, images: int, between: float) -> np.ndarray:
    """The change that one recipe's images need: images differ, seeds differ by far more than images explain."""
    image = rng.normal(0, 0.3, images)
    seed = rng.normal(0, between, (seeds, 1))
    return np.exp(image + seed + rng.normal(0, 0.1, (seeds, images)))


# --- the interval ----------------------------------------------------------------------------------------------------


def test_with_one_seed_the_interval_is_over_images() -> None:
    changes = simulated(np.random.default_rng(1), 1, 40, 0.0)
    changes[0, 3] = NAN
    right = np.array([[1.0] * 30 + [0.0] * 9 + [NAN]])
    assert interval(MEAN, changes) == bootstrap_mean(changes[~np.isnan(changes)])
    assert interval(SHARE, right) == wilson(30, 39)
    for summary, statistic in ((DIFFERENCE, mean_of), (MEDIAN, median_of), (MEDIAN_RATIO, median_of)):
        assert interval(summary, changes) == over_images(statistic(changes), (40,))


def test_over_seeds_it_is_that_of_students_t_where_images_tell_nothing() -> None:
    values = np.repeat(np.array([1.0, 2.0, 4.0, 5.0])[:, None], 10, axis=1)
    # By hand: 3 ± 3.182 · 1.826 / 2, and the same of logs.
    for summary in (MEAN, MEDIAN, DIFFERENCE):
        assert interval(summary, values) == pytest.approx((3, 0.095, 5.905), abs=0.25)
    logs = np.log([1, 2, 4, 5])
    half = 3.182 * logs.std(ddof=1) / 2
    assert np.log(interval(MEDIAN_RATIO, values)) == pytest.approx(
        (logs.mean(), logs.mean() - half, logs.mean() + half), abs=0.1
    )


def test_the_share_of_several_seeds_is_the_mean_of_theirs_and_its_interval_is_of_log_odds() -> None:
    values = np.array([[1.0] * each + [0.0] * (1000 - each) for each in (900, 950, 980)])
    found = interval(SHARE, values)
    assert found.estimate == pytest.approx(np.mean([0.9, 0.95, 0.98]))
    odds = np.log([9, 19, 49])
    half = 4.303 * odds.std(ddof=1) / math.sqrt(3)
    expected = [1 / (1 + math.exp(-odds.mean() + sign * half)) for sign in (1, -1)]
    assert list(found[1:]) == pytest.approx(expected, abs=0.03)


def test_where_every_image_of_every_seed_succeeds_the_interval_has_wilsons_width_at_least() -> None:
    values = np.ones((3, 50))
    values[0, 0] = NAN  # or they would count as one
    found = interval(SHARE, values)
    assert found.estimate == 1
    assert found.low <= wilson(50, 50).low
    assert found.high == 1


def test_seeds_that_are_equal_count_as_one_and_those_without_values_not_at_all() -> None:
    rng = np.random.default_rng(2)
    one, other = simulated(rng, 1, 30, 0.0), simulated(rng, 3, 30, 0.2)
    nothing = np.full((1, 30), NAN)
    for summary in (MEAN, MEDIAN, DIFFERENCE, MEDIAN_RATIO):
        assert interval(summary, np.repeat(one, 3, axis=0)) == interval(summary, one)
        assert interval(summary, np.concatenate([other, nothing])) == interval(summary, other)
    for summary in (MEAN, MEDIAN, DIFFERENCE, MEDIAN_RATIO, SHARE):
        assert all(math.isnan(each) for each in interval(summary, np.repeat(nothing, 3, axis=0)))
        assert all(math.isnan(each) for each in interval(summary, np.zeros((2, 0))))


def test_a_median_over_seeds_has_no_bounds_where_half_of_a_seeds_images_were_not_fooled() -> None:
    found = interval(MEDIAN, np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [1.0, INF, INF]]))
    assert found.estimate == 3
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(interval(MEDIAN, np.full((3, 5), INF)).low)
    assert interval(MEDIAN, np.full((1, 5), INF)) == (INF, INF, INF)
    assert interval(MEDIAN_RATIO, np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]])).estimate == 0


def test_one_image_has_no_bounds() -> None:
    for summary in (MEAN, MEDIAN, DIFFERENCE, MEDIAN_RATIO):
        estimate, low, high = interval(summary, np.array([[NAN, 2.0]]))
        assert estimate == 2
        assert math.isnan(low)
        assert math.isnan(high)


def test_the_ratio_of_two_infinite_medians_is_unknown() -> None:
    never = np.full((3, 5), INF)
    assert math.isnan(interval(Summary(log_ratio_of_medians), never, never).estimate)
    assert over_seeds(log_ratio_of_medians, never, never).sides(0.0) == (1.0, 1.0)


def test_a_seed_of_whose_few_images_a_draw_has_none_leaves_its_interval_finite() -> None:
    values = simulated(np.random.default_rng(3), 3, 20, 0.2)
    values[1, 1:] = NAN  # one draw in three has none of this seed's
    for summary in (MEAN, MEDIAN, DIFFERENCE, MEDIAN_RATIO):
        assert np.isfinite(interval(summary, values)).all()


def test_sets_of_images_that_have_nothing_to_do_with_each_other_are_drawn_by_themselves() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 1, 101)
    first, second = np.exp(np.stack([noise, noise + 0.001])), np.exp(np.stack([noise[:99], noise[:99] + 0.001]))
    apart = interval(Summary(log_ratio_of_medians), first, second)
    paired = interval(MEDIAN, log_ratios(first[:, :99], second))
    assert apart.high - apart.low > 100 * (paired.high - paired.low)


def test_one_seed_of_several_means_gives_percentiles_and_more_give_students_t() -> None:
    drawn = np.append(np.arange(1000.0), NAN)
    assert of_resamples(500.0, drawn, 1) == pytest.approx((500, 25, 974), abs=1)
    half = 4.303 * np.arange(1000).std(ddof=1) * math.sqrt(3 / 2)
    assert of_resamples(500.0, drawn, 3) == pytest.approx((500, 500 - half, 500 + half), rel=1e-3)
    assert of_resamples(500.0, drawn, 3, within=(0, 1000))[1:] == (0, 1000)


def test_seeds_of_models_that_have_nothing_in_common_are_drawn_apart() -> None:
    levels = np.repeat(np.array([[[0.0], [1.0]]]).transpose(1, 2, 0), 2, axis=1)  # seeds × models × 1
    drawn = [
        means_over_seeds(lambda counts: np.repeat(levels[None], len(counts), axis=0), (5,), apart=apart)
        for apart in (False, True)
    ]
    same = [float((each[:, 0] == each[:, 1]).mean()) for each in drawn]
    assert same[0] == 1
    assert same[1] == pytest.approx(3 / 8, abs=0.05)  # of 0, ½ and 1 with a quarter, a half and a quarter


Seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(Seeds, st.integers(1, 4), st.integers(1, 12), st.floats(0.01, 100))
def test_the_interval_holds_its_estimate_and_follows_its_values(
    seed: int, seeds: int, images: int, factor: float
) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((seeds, images)) < 0.2, NAN, rng.normal(1, 1, (seeds, images)))
    found, scaled = interval(DIFFERENCE, values), interval(DIFFERENCE, factor * values)
    assert scaled == pytest.approx([factor * each for each in found], rel=1e-6, abs=1e-9, nan_ok=True)
    if not math.isnan(found.low):
        assert found.low <= found.estimate + 1e-12
        assert found.estimate <= found.high + 1e-12


def test_bounds_over_seeds_stay_where_they_must_be() -> None:
    values = np.array([[0.9, 0.8], [0.1, 0.2]])
    assert interval(DIFFERENCE, values)[1:] != (-1, 1)
    assert interval(DIFFERENCE, values, within=(-1, 1)) == (0.5, -1, 1)


@settings(max_examples=25, deadline=None)
@given(Seeds, st.integers(1, 4), st.integers(1, 12))
def test_the_interval_of_a_share_is_in_place_and_the_mirror_of_the_other_shares(
    seed: int, seeds: int, images: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(
        rng.random((seeds, images)) < 0.2, NAN, (rng.random((seeds, images)) < rng.random()).astype(float)
    )
    found, mirrored = interval(SHARE, values), interval(SHARE, 1 - values)
    if math.isnan(found.estimate):
        assert np.isnan(values).all()
        return
    assert 0 <= found.low <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.high <= 1
    assert found.low < found.high
    assert mirrored == pytest.approx((1 - found.estimate, 1 - found.high, 1 - found.low))


@settings(max_examples=15, deadline=None)
@given(Seeds, st.integers(1, 4))
def test_many_sets_at_once_have_the_intervals_that_each_has(seed: int, seeds: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((4, seeds, 8)) < 0.3, NAN, rng.integers(0, 2, (4, seeds, 8)))
    values[1, 0] = NAN
    values[2] = values[2, :1]
    for summary in (MEAN, MEDIAN, SHARE, DIFFERENCE):
        for found, alone in zip(intervals(summary, values), [interval(summary, each) for each in values], strict=True):
            assert found == pytest.approx(alone, nan_ok=True)


def test_nothing_outside_of_the_package_makes_an_interval_in_another_way() -> None:
    makers = {"bootstrap", "bootstrap_mean", "bootstrap_median", "draws", "over_images", "percentiles", "wilson"}
    using = {path.parent.name for path in (ROOT / "scripts").rglob("*.py") if makers & _from_statistics(path)}
    # The accuracy of one training over its test images is no interval over seeds.
    assert using == {"stats", "training", "scripts"}


def _from_statistics(path: Path) -> set[str]:
    """The names that a file imports from the package and from scipy's."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = [node for node in nodes if isinstance(node, ast.ImportFrom) and "stats" in (node.module or "").split(".")]
    return {alias.name for node in found for alias in node.names}


# --- how often intervals cover ---------------------------------------------------------------------------------------

STUDIES = 500
COVERED = 0.95 - 3 * math.sqrt(0.95 * 0.05 / STUDIES)
"""95 %, less three standard errors of a simulation of so many studies."""


def many(rng: np.random.Generator, seeds: int, between: float) -> np.ndarray:
    """The changes of many studies of one recipe (studies × seeds × images), as `simulated` makes those of one."""
    image, seed = rng.normal(0, 0.3, (STUDIES, 1, 40)), rng.normal(0, between, (STUDIES, seeds, 1))
    return np.exp(image + seed + rng.normal(0, 0.1, (STUDIES, seeds, 40)))


def covered(found: list[Interval], truth: float) -> float:
    return float(np.mean([low <= truth <= high for _, low, high in found]))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("between", [0.0, 0.1, 0.5])
def test_intervals_of_paired_recipes_cover_at_least_as_often_as_they_say(seeds: int, between: float) -> None:
    rng = np.random.default_rng(seeds)
    ratios = many(rng, seeds, between) / many(rng, seeds, between)
    for found in (covered(intervals(MEDIAN_RATIO, ratios), 1), covered(intervals(DIFFERENCE, np.log(ratios)), 0)):
        assert found >= COVERED
        if between == 0.5:
            assert found <= 0.99  # where seeds decide, it is no wider than it needs to be


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("between", [0.0, 0.1, 0.3])
def test_intervals_of_means_cover_as_often_as_they_say_though_changes_are_skewed(seeds: int, between: float) -> None:
    found = intervals(MEAN, many(np.random.default_rng(seeds), seeds, between))
    assert covered(found, math.exp((0.3**2 + between**2 + 0.1**2) / 2)) >= COVERED


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("odds", "between"), [(0.0, 0.8), (2.0, 0.3), (5.0, 0.8)])
def test_intervals_of_shares_cover_at_least_as_often_as_they_say(seeds: int, odds: float, between: float) -> None:
    rng = np.random.default_rng(seeds)
    image, seed = rng.normal(odds, 1.5, (STUDIES, 1, 40)), rng.normal(0, between, (STUDIES, seeds, 1))
    right = rng.random((STUDIES, seeds, 40)) < 1 / (1 + np.exp(-image - seed))
    truth = np.mean(1 / (1 + np.exp(-rng.normal(odds, math.hypot(1.5, between), 1_000_000))))
    assert covered(intervals(SHARE, right.astype(float)), float(truth)) >= COVERED


@pytest.mark.parametrize("seeds", [3, 5])
def test_percentiles_over_few_seeds_would_cover_less_often(seeds: int) -> None:
    changes = many(np.random.default_rng(seeds), seeds, 0.3)[:200]
    drawn = [means_over_seeds(mean_of(each), (40,), resamples=400) for each in changes]
    found = [Interval(0.0, *np.quantile(each, [0.025, 0.975])) for each in drawn]
    # Three standard errors of a simulation of 200 studies below what they say.
    assert covered(found, math.exp((0.3**2 + 0.3**2 + 0.1**2) / 2)) < 0.95 - 3 * math.sqrt(0.95 * 0.05 / 200)


# --- tests over seeds -------------------------------------------------------------------------------------------------


def test_the_error_over_seeds_is_that_of_a_mean_where_images_tell_nothing() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0])
    found = over_seeds(resampling.median_of, np.repeat(values[:, None], 10, axis=1), resamples=20_000)
    assert found.values == (1, 2, 4, 5)
    assert found.error == pytest.approx(values.std(ddof=1) / 2, rel=0.03)


def test_the_error_over_seeds_takes_in_the_images_where_seeds_agree() -> None:
    values = np.tile(np.random.default_rng(3).normal(0, 1, 100), (3, 1))
    found = over_seeds(resampling.mean_of, values, resamples=4000)
    # Seeds share their images, so that three seeds tell no more about them than one.
    assert found.error == pytest.approx(values[0].std() / 10 * math.sqrt(3 / 2), rel=0.05)


def test_one_seed_says_nothing_of_a_recipe() -> None:
    found = over_seeds(resampling.median_of, np.ones((1, 10)))
    assert all(math.isnan(p) for p in found.sides(0.0))


@pytest.mark.parametrize("values", [(INF, INF, INF), (1.0, INF, 2.0), (2.0, 2.0, 2.0)])
def test_without_a_standard_error_the_seeds_signs_are_tested(values: tuple[float, ...]) -> None:
    found = over_seeds(resampling.median_of, np.repeat(np.array(values)[:, None], 9, axis=1))
    assert found.sides(0.5) == pytest.approx((1 / 8, 1.0))


def test_seeds_on_the_threshold_are_on_neither_side() -> None:
    assert OverSeeds((0.0, 0.0), NAN).sides(0.0) == (1.0, 1.0)


def test_the_test_over_seeds_has_one_degree_of_freedom_less_than_there_are_seeds() -> None:
    found = OverSeeds((1.0, 2.0, 3.0), 1.0).sides(0.0)
    assert found.more == pytest.approx(0.5 - 1 / math.sqrt(6))  # Student's t of 2 with two degrees of freedom


def test_shares_of_all_images_have_an_error_nevertheless() -> None:
    everything = np.ones((5, 100))
    least = resampling.log_odds_error(everything)
    assert least == pytest.approx(math.sqrt((1 / 100.5 + 2) / 5))
    found = over_seeds(resampling.log_odds_of, everything, least=resampling.log_odds_error)
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
            over = over_seeds(resampling.median_of, log_ratios(first, second), resamples=100, seed=family)
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
    over = over_seeds(resampling.median_of, log_ratios(first, second))
    assert over.sides(0.0).more < 0.001
    _, low, high = interval(MEDIAN, log_ratios(first, second))
    assert low < math.log(3) < high
