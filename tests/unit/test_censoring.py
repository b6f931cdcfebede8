"""Images that were not fooled: they are never the easy ones, never left out, and every share counts them."""

from __future__ import annotations

import math

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustness.stats.censoring import attacked, censored, changes, first_censored, fooled_within
from robustness.stats.intervals import wilson

INF, NAN = math.inf, math.nan


def measures(values: list[float], ended: list[str]) -> pandas.DataFrame:
    return pandas.DataFrame({"image": range(len(values)), "ended": ended, "l2": values})


ONE = measures([1.0, 2.0, 0.3, 0.1, 0.0], ["success", "success", "cap", "default_state", "skipped"])


def test_what_was_not_fooled_is_infinite_and_what_was_not_attacked_is_absent() -> None:
    assert changes([ONE], "l2")[0].tolist() == pytest.approx([1.0, 2.0, INF, INF, NAN], nan_ok=True)
    assert (censored([ONE, ONE]), attacked([ONE, ONE])) == (4, 8)


def test_images_are_those_of_their_number_whatever_the_order_of_rows() -> None:
    shuffled = ONE.iloc[[3, 1, 4, 0, 2]]
    assert np.array_equal(changes([shuffled], "l2"), changes([ONE], "l2"), equal_nan=True)


def test_the_first_censored_change_is_the_smallest_reached_in_vain() -> None:
    assert first_censored([ONE], "l2") == 0.1
    assert first_censored([ONE[ONE["ended"] == "success"]], "l2") == INF


def test_the_share_fooled_is_of_all_attacked_images_with_wilsons_interval() -> None:
    band = fooled_within(changes([ONE], "l2"), np.array([0.0, 1.0, 5.0, 1e9]))
    assert band.estimate.tolist() == [0, 0.25, 0.5, 0.5]
    assert [band.low[1], band.high[1]] == pytest.approx(wilson(1, 4)[1:])


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, INF, NAN]), min_size=6, max_size=6), min_size=1, max_size=3)
)
def test_a_curve_rises_within_its_band_and_ends_at_the_share_fooled(rows: list[list[float]]) -> None:
    needed = np.array(rows)
    band = fooled_within(needed, np.linspace(0, 3, 7))
    attacked_rows = needed[~np.isnan(needed).all(axis=1)]
    if not len(attacked_rows):
        assert np.isnan(band.estimate).all()
        return
    assert (np.diff(band.estimate) >= 0).all()
    assert ((band.low <= band.estimate) & (band.estimate <= band.high)).all()
    assert band.low.min() >= 0
    assert band.high.max() <= 1
    fooled = [np.isfinite(row[~np.isnan(row)]).mean() for row in attacked_rows]
    assert band.estimate[-1] == pytest.approx(np.mean(fooled))


def test_seeds_that_differ_widen_the_band() -> None:
    rng = np.random.default_rng(1)
    alike = rng.random((3, 200)) + np.zeros((3, 1))
    apart = alike + np.array([[-0.3], [0.0], [0.3]])
    narrow, wide = (fooled_within(np.maximum(values, 0), np.array([0.5])) for values in (alike, apart))
    one = fooled_within(alike[:1], np.array([0.5]))
    assert wide.high[0] - wide.low[0] > 2 * (narrow.high[0] - narrow.low[0])
    assert narrow.high[0] - narrow.low[0] >= 0.99 * (one.high[0] - one.low[0])


def test_bands_over_seeds_cover_the_share_of_the_recipe_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(150):
        needed = np.exp(rng.normal(0, 0.5, (1, 40)) + rng.normal(0, 0.4, (4, 1)))
        band = fooled_within(needed, np.array([1.0]))
        covered += band.low[0] <= 0.5 <= band.high[0]
    assert covered / 150 >= 0.9
