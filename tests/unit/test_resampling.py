"""Images drawn with replacement: what is computed of them, and one seed's intervals."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robustness.stats.resampling import median_of, over_images

INF, NAN = math.inf, math.nan


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, INF, NAN]), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_the_median_of_drawn_images_is_the_median_of_their_copies(values: list[float], seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 3, (4, len(values)))
    found = median_of(np.array([values]))(counts)[:, 0]
    for row, median in zip(counts, found, strict=True):
        copies = np.repeat(values, row)
        copies = np.sort(copies[~np.isnan(copies)])
        if not copies.size:
            assert math.isnan(median)
        else:
            low, high = copies[(copies.size - 1) // 2], copies[copies.size // 2]
            assert median == (low if low == high else (low + high) / 2)


def test_a_median_is_infinite_where_half_of_the_images_were_not_fooled() -> None:
    fooled = median_of(np.array([[1.0, 2.0, 3.0, INF, INF]]))
    assert over_images(fooled, (5,)).estimate == 3.0
    assert over_images(fooled, (5,)).high == INF
    assert over_images(median_of(np.array([[1.0, INF, INF]])), (3,)).estimate == INF


def test_the_interval_of_a_median_covers_it_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    statistics = [median_of(rng.exponential(1.0, (1, 41))) for _ in range(300)]
    intervals = [over_images(each, (41,), seed=n, resamples=400) for n, each in enumerate(statistics)]
    assert 0.9 <= np.mean([low <= math.log(2) <= high for _, low, high in intervals]) <= 0.99


def test_nothing_to_draw_from_gives_no_interval() -> None:
    found = over_images(median_of(np.full((1, 3), NAN)), (3,))
    assert all(math.isnan(each) for each in found)
