"""The attack toward each class: what the table counts."""

from __future__ import annotations

import math

import numpy as np
import pandas
import pytest

from robustness.analysis.targeted import targeted


def records(*rows: tuple[int, int, str, float], level: float = 0.9) -> pandas.DataFrame:
    """Rows of (label, target, ended, size of the change)."""
    table = pandas.DataFrame(rows, columns=["label", "target", "ended", "mean_change"])
    table["required_confidence"] = level
    return table.assign(l2=2 * table["mean_change"], linf=3 * table["mean_change"])


def test_the_table_counts_successes_and_takes_medians_with_failures_as_infinite() -> None:
    table = targeted(
        {
            "basic": [
                records((0, 1, "success", 1), (0, 1, "success", 3), (0, 1, "cap", 9)),
                records((1, 0, "success", 4), (1, 0, "cap", 1), (1, 2, "default_state", 1), (2, 0, "skipped", 0)),
            ]
        },
        ["cat", "dog", "7"],
    )
    assert table["class"].tolist() == ["cat", "dog", "dog"]
    assert table["target"].tolist() == ["dog", "cat", "7"]
    assert table["images"].tolist() == [3, 2, 1]
    assert table["success"].tolist() == [2, 1, 0]
    assert table["median_mean_change"].tolist() == [3, math.inf, math.inf]
    assert table["median_l2"].tolist() == [6, math.inf, math.inf]
    assert (table["seeds"] == 2).all()


def test_each_required_confidence_has_rows_of_its_own() -> None:
    both = pandas.concat([records((0, 1, "success", 1), level=0.0), records((0, 1, "cap", 5))])
    table = targeted({"basic": [both]}, ["cat", "dog"])
    assert table["required_confidence"].tolist() == [0.0, 0.9]
    assert table["median_mean_change"].tolist() == [1, math.inf]


def test_a_model_without_a_right_prediction_leaves_a_table_with_its_columns() -> None:
    table = targeted({"basic": [records()]}, ["cat", "dog"])
    assert len(table) == 0
    assert table.columns.tolist()[:4] == ["model", "class", "target", "required_confidence"]


@pytest.mark.parametrize("count", [1, 2])
def test_the_median_of_one_or_two_images_is_what_it_should_be(count: int) -> None:
    table = targeted({"basic": [records(*[(0, 1, "success", size) for size in range(1, 1 + count)])]}, ["a", "b"])
    assert table["median_mean_change"].tolist() == [np.median(range(1, 1 + count))]
