"""Intervals against known answers, and whether they cover the truth as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.proportion import proportion_confint

from robustness.stats.intervals import Interval, bootstrap_mean, bootstrap_median, wilson, wilson_bounds


def test_bootstrap_agrees_with_the_normal_interval_for_many_normal_values():
    values = np.random.default_rng(1).normal(3.0, 2.0, 2000)
    half = 1.959964 * values.std(ddof=1) / math.sqrt(len(values))
    interval = bootstrap_mean(values)
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_covers_the_mean_of_skewed_values_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    intervals = [bootstrap_mean(rng.exponential(1.0, 40), seed=trial, resamples=400) for trial in range(200)]
    covered = np.mean([interval.low <= 1.0 <= interval.high for interval in intervals])
    assert 0.88 <= covered <= 0.98


def test_bootstrap_is_the_same_for_the_same_values_in_any_order():
    values = np.random.default_rng(3).random(50)
    assert bootstrap_mean(values) == bootstrap_mean(values[::-1])
    assert bootstrap_mean(values) != bootstrap_mean(values, seed=1)


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(4).random(50)
    narrow, wide = bootstrap_mean(values, level=0.5), bootstrap_mean(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_of_a_mean_is_bias_corrected_and_accelerated():
    values = np.random.default_rng(1).exponential(1.0, 30)
    rng = np.random.default_rng(0)
    wanted = scipy.stats.bootstrap((np.sort(values),), np.mean, n_resamples=2000, batch=256, method="BCa", rng=rng)
    assert bootstrap_mean(values)[1:] == pytest.approx(tuple(wanted.confidence_interval))


def test_equal_values_collapse_the_interval_and_one_value_has_no_bounds():
    assert bootstrap_mean([0.25, 0.25, 0.25]) == Interval(0.25, 0.25, 0.25)
    for estimate, low, high in (bootstrap_mean([0.25]), bootstrap_median([0.25])):
        assert estimate == 0.25
        assert math.isnan(low)
        assert math.isnan(high)


@pytest.mark.parametrize("values", [[0.0, 1.0], [0.0] * 30 + [1.0], [1.0] * 30 + [0.0]])
def test_few_distinct_values_still_give_finite_ordered_bounds(values):
    interval = bootstrap_mean(values)
    assert interval.low <= interval.estimate <= interval.high


def test_no_values_give_nan():
    assert all(math.isnan(part) for part in bootstrap_mean([]))


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        bootstrap_mean([1.0, math.nan])


def test_bootstrap_of_a_median_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    intervals = [bootstrap_median(rng.exponential(1.0, 41), seed=trial, resamples=400) for trial in range(200)]
    covered = np.mean([interval.low <= math.log(2) <= interval.high for interval in intervals])
    assert 0.88 <= covered <= 0.99


def test_a_median_is_not_moved_by_one_outlier():
    interval = bootstrap_median([1.0, 2.0, 3.0, 4.0, 1000.0])
    assert interval.estimate == 3.0
    assert interval == bootstrap_median([1000.0, 4.0, 3.0, 2.0, 1.0])


def test_medians_of_nothing_and_of_infinity():
    assert all(math.isnan(part) for part in bootstrap_median([]))
    with pytest.raises(ValueError, match="median needs finite values"):
        bootstrap_median([1.0, math.inf])


def test_wilson_gives_the_textbook_interval():
    assert wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_wilson_has_a_width_at_the_ends_and_stays_within_them():
    assert wilson(0, 20) == pytest.approx((0.0, 0.0, 0.1611), abs=1e-4)
    assert wilson(20, 20) == pytest.approx((1.0, 0.8389, 1.0), abs=1e-4)


@pytest.mark.parametrize("images", [1, 7, 66.5, 10_000])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_wilson_is_that_of_statsmodels_also_for_means_over_seeds(images, level):
    shares = np.linspace(0, 1, 11)
    theirs = proportion_confint(shares * images, images, alpha=1 - level, method="wilson")
    assert np.allclose(wilson_bounds(shares, images, level=level), theirs, rtol=0, atol=1e-12)


def test_wilson_of_nothing_is_nan_and_of_impossible_counts_an_error():
    assert all(math.isnan(part) for part in wilson(0, 0))
    with pytest.raises(ValueError, match="3 successes in 2"):
        wilson(3, 2)
