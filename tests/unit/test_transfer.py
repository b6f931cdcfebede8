"""Transfer: the common size, and which answers of a target count as which mistake."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pytest

from robustness.analysis.transfer import common_size, transfer
from robustness.stats.intervals import wilson

INF = math.inf


def shown(target: str, rows: list[tuple[int, int, int, int, int]], norm: str = "l2") -> pandas.DataFrame:
    """Rows of (label, target before, source after, target after, target on noise)."""
    names = ["label", "target_before", "source_after", "target_after", "noise_after"]
    table = pandas.DataFrame(rows, columns=names)
    return table.assign(image=range(len(rows)), target=target, norm=norm, size=1.5)


def row_of(table: pandas.DataFrame, source: str, target: str, norm: str = "l2") -> dict[str, Any]:
    chosen = table[(table["source"] == source) & (table["target"] == target) & (table["norm"] == norm)]
    (row,) = chosen.to_dict("records")
    return row


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([[1, 2, 3], [4, 5, 9]], 5),
        ([[1, 2, 3], [4, INF, INF]], 2),  # more than half of the second are censored: its median is not known
        ([[1, 2, 3], [4, 5, INF]], 5),
        ([[1, INF, INF], [4, INF, INF]], 4),
        ([[1, 2, 3], []], 2),
    ],
)
def test_the_common_size_is_the_largest_median_that_is_finite(sizes: list[list[float]], expected: float) -> None:
    assert common_size(np.array(each, float) for each in sizes) == expected


def test_without_any_image_that_was_fooled_there_is_no_common_size() -> None:
    assert math.isnan(common_size([np.array([INF, INF]), np.array([])]))


def test_a_mistake_is_the_sources_own_or_another() -> None:
    seen = shown(
        "other",
        [
            (7, 7, 3, 7, 7),
            (7, 7, 3, 3, 7),
            (7, 7, 3, 1, 2),
            (7, 7, 7, 1, 7),
            (7, 2, 3, 3, 3),
        ],  # the last is wrong before
    )
    own = shown("source", [(7, 7, 3, 3, 7)] * 3 + [(7, 7, 7, 7, 7)] * 2)
    both = pandas.concat([seen, own])
    table = transfer({"source": [both], "other": [both]}, {"source": 4, "other": 0})
    row = row_of(table, "source", "other")
    assert (row["not_fooled"], row["same_mistake"], row["other_mistake"]) == (0.25, 0.25, 0.5)
    assert (row["images"], row["fooled"], row["fooled_by_noise"]) == (4, 0.75, 0.25)
    assert (row["fooled_low"], row["fooled_high"]) == pytest.approx(wilson(3, 4)[1:])
    assert (row["size"], row["censored"], row["seeds"]) == (1.5, 4, 1)
    diagonal = row_of(table, "source", "source")
    assert (diagonal["not_fooled"], diagonal["same_mistake"], diagonal["other_mistake"]) == (0.4, 0.6, 0)


def test_every_pair_and_norm_has_a_row_also_where_there_are_no_images() -> None:
    empty = pandas.concat([shown(name, []) for name in ("a", "b")])
    some = pandas.concat([shown(name, [(7, 7, 3, 3, 7)], norm) for name in ("a", "b") for norm in ("linf", "l2")])
    table = transfer({"a": [some], "b": [empty]}, {"a": 0, "b": 5})
    pairs = [(source, target) for source in "ab" for _ in range(2) for target in "ab"]
    assert list(table[["source", "target"]].itertuples(index=False, name=None)) == pairs
    row = row_of(table, "b", "a")
    assert (row["images"], row["censored"]) == (0, 5)
    assert math.isnan(row["fooled"])


def test_seeds_in_which_the_same_is_fooled_count_as_one() -> None:
    one = shown("a", [(7, 7, 3, 3, 7)] * 6 + [(7, 7, 3, 7, 7)] * 4)
    row = row_of(transfer({"a": [one, one]}, {"a": 0}), "a", "a")
    assert (row["images"], row["seeds"], row["fooled"]) == (20, 2, 0.6)
    assert (row["fooled_low"], row["fooled_high"]) == pytest.approx(wilson(6, 10)[1:])


def test_seeds_that_differ_widen_the_interval_beyond_that_of_their_images() -> None:
    seeds = [shown("a", [(7, 7, 3, 3, 7)] * hit + [(7, 7, 3, 7, 7)] * (40 - hit)) for hit in (20, 26, 32)]
    row = row_of(transfer({"a": seeds}, {"a": 0}), "a", "a")
    _, low, high = wilson(26, 40)
    assert row["fooled"] == 78 / 120
    assert 0 < row["fooled_low"] < low < high < row["fooled_high"] < 1
