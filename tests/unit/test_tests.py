"""Tests over images, against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, wilcoxon

from robustness.stats.tests import binomial, holm, log_ratios, mcnemar, rank_sum, signed_rank

INF, NAN = math.inf, math.nan


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


def test_ties_have_the_lowest_ranks_and_count_for_neither_side_as_pratt_has_it() -> None:
    # Of eight ranks the ties have 1 and 2. The sum of those of the five gains, 3 + 4 + 5 + 6 + 7, has a mean of
    # (8 · 9 - 2 · 3) / 4 and a variance of (8 · 9 · 17 - 2 · 3 · 5) / 24 where nothing differs.
    sides, effect = signed_rank(np.exp([0.0, 0, 1, 2, 3, 4, 5, -6]), np.ones(8))
    assert sides.more == pytest.approx(norm.sf((25 - 66 / 4) / math.sqrt(1194 / 24)))
    assert effect == pytest.approx((25 - 8) / 33)


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
    sides = rank_sum(first, second)
    assert sides.more == pytest.approx(1 / 70)  # the most extreme of C(8, 4) orders
    assert rank_sum(first, second, 100.0).less < 0.2
    assert rank_sum([NAN], [1.0]) == (1.0, 1.0)


def test_mcnemar_and_binomial_are_exact() -> None:
    first, second = [1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 1]
    assert mcnemar(first, second).more == pytest.approx(1 / 32)
    assert binomial(10, 10, 0.5).more == pytest.approx(2**-10)
    assert binomial(0, 0, 0.5) == (1.0, 1.0)


def test_holm_is_the_textbooks_and_leaves_out_what_was_not_tested() -> None:
    assert holm([0.01, NAN, 0.04, 0.03]) == pytest.approx([0.03, NAN, 0.06, 0.06], nan_ok=True)
    assert all(math.isnan(p) for p in holm([NAN]))
