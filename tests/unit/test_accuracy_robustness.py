"""The tables: what is counted, what is averaged, and that several seeds are told from several images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pytest

from robustness.analysis.accuracy_robustness import MEASURES, accuracy, robustness

ENDED = ["success", "success", "default_state", "cap", "skipped", "success"]


def predictions(right: int, of: int = 10) -> pandas.DataFrame:
    return pandas.DataFrame({"label": [3] * of, "prediction": [3] * right + [4] * (of - right)})


def records(ended: list[str] = ENDED, confidence: float = 0.9, **columns: Any) -> pandas.DataFrame:
    """One seed's measures at one level, in which every measure of image i is i, but for given columns."""
    count = len(ended)
    values: dict[str, Any] = {name: np.arange(count, dtype=float) for name in MEASURES}
    values |= {"zero_gradients": np.ones(count, int)}
    return pandas.DataFrame(
        {"image": range(count), "required_confidence": confidence, "ended": ended, **values, **columns}
    )


def image_by_image(*levels: pandas.DataFrame) -> pandas.DataFrame:
    """One seed's measures at several levels, in the order of the records: all levels of an image, then the next."""
    return pandas.concat(levels).sort_values("image", kind="stable", ignore_index=True)


def row_of(*tables: pandas.DataFrame) -> dict[str, Any]:
    (row,) = robustness({("original", "basic-clean"): list(tables)}).to_dict("records")
    return row


# --- accuracy --------------------------------------------------------------------------------------------------------


def test_accuracy_is_the_share_of_right_predictions_beside_the_published_one() -> None:
    table = accuracy({"basic": [predictions(8)], "resnet": [predictions(9)]}, {"basic": 0.95, "resnet": None})
    assert table["model"].tolist() == ["basic", "resnet"]
    assert table["accuracy"].tolist() == [0.8, 0.9]
    assert table["accuracy_published"][0] == 0.95
    assert math.isnan(table["accuracy_published"][1])


BOUNDS = ["accuracy_low", "accuracy_high"]


def test_the_interval_of_one_seeds_accuracy_is_wilsons() -> None:
    table = accuracy({"basic": [predictions(8)]}, {"basic": None})
    # Wilson's score interval of 8 in 10, computed by hand.
    assert table.loc[0, BOUNDS].tolist() == pytest.approx([0.4902, 0.9433], abs=1e-4)


def test_accuracy_over_seeds_is_over_all_predictions_and_its_interval_tells_of_other_seeds() -> None:
    near, far = (
        accuracy({"basic": [predictions(of, 1000) for of in each]}, {"basic": None})
        for each in ([799, 800, 801], [700, 800, 900])
    )
    for table in (near, far):
        assert table.loc[0, ["seeds", "test_images", "accuracy"]].tolist() == pytest.approx([3, 1000, 0.8])
    # The log odds of 0.7, 0.8 and 0.9 are 0.847, 1.386 and 2.197. Their mean is 1.477, its standard error 0.392, and
    # Student's t with two degrees of freedom 4.303; the images come on top.
    low, high = (1 / (1 + math.exp(-1.477 + sign * 4.303 * 0.392)) for sign in (1, -1))
    assert low - 0.05 < far.loc[0, "accuracy_low"] < low
    assert high < far.loc[0, "accuracy_high"] < 1
    assert 0.7 < near.loc[0, "accuracy_low"] < 0.8 < near.loc[0, "accuracy_high"] < 0.9


def test_seeds_that_are_the_same_network_count_as_one() -> None:
    given = accuracy({"basic": [predictions(8), predictions(8)]}, {"basic": None})
    once = accuracy({"basic": [predictions(8)]}, {"basic": None})
    assert given.loc[0, BOUNDS].tolist() == once.loc[0, BOUNDS].tolist()
    table = records(["success"] * 6)
    twice, alone = row_of(table, table), row_of(table)
    assert {name: twice[name] for name in alone if name.endswith(("_low", "_high"))} == {
        name: alone[name] for name in alone if name.endswith(("_low", "_high"))
    }


# --- robustness ------------------------------------------------------------------------------------------------------


def test_skipped_images_are_counted_apart_and_failed_attacks_are_included() -> None:
    row = row_of(records())
    assert [row[name] for name in ("attacked", "skipped", "success", "default_state", "cap")] == [5, 1, 3, 1, 1]
    assert row["mean_change"] == pytest.approx((0 + 1 + 2 + 3 + 5) / 5)
    assert row["iterations"] == pytest.approx(2.2)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_interval_of_each_measure_contains_its_mean(measure: str) -> None:
    values = np.random.default_rng(1).random(60)
    row = row_of(records(["success"] * 60, **{measure: values}))
    assert row[measure] == pytest.approx(values.mean())
    assert row[f"{measure}_low"] < row[measure] < row[f"{measure}_high"]


def test_a_failed_attack_that_left_no_image_is_counted_but_has_no_part_in_means_of_the_change() -> None:
    row = row_of(records(["success", "success", "cap"], l2=[1.0, 2.0, math.nan], iterations=[10, 10, 40]))
    assert (row["attacked"], row["success"], row["cap"]) == (3, 2, 1)
    assert row["l2"] == 1.5
    assert row["iterations"] == 20


def test_an_attack_that_never_left_an_image_has_no_means_and_is_no_error() -> None:
    assert math.isnan(row_of(records(["cap", "cap"], l2=[math.nan] * 2))["l2"])


def test_images_that_were_not_fooled_are_counted_and_larger_than_all_others_in_medians() -> None:
    row = row_of(records(["success", "success", "success", "cap", "skipped"], l2=[1.0, 2.0, 3.0, 0.1, 0.0]))
    assert row["censored"] == 1
    assert row["median_l2"] == 2.5
    assert row["median_l2_low"] >= 1
    assert row["median_l2_high"] == math.inf


def test_a_median_is_infinite_where_half_of_the_images_were_not_fooled() -> None:
    row = row_of(records(["success", "cap", "default_state"], l2=[1.0, 0.5, 0.1]))
    assert (row["censored"], row["median_l2"]) == (2, math.inf)
    assert row["l2"] == pytest.approx(1.6 / 3)  # the mean is the paper's: with the change that was reached


def test_means_and_medians_of_several_seeds_have_the_interval_of_students_t() -> None:
    seeds = [records(["success"] * 6, l2=[value] * 6) for value in (10.0, 11.0, 12.0)]
    row = row_of(*seeds)
    for name in ("l2", "median_l2"):
        assert row[name] == pytest.approx(11)
        # 4.303 with two degrees of freedom, and the standard error of 10, 11 and 12.
        half = 4.303 / math.sqrt(3)
        assert [row[f"{name}_low"], row[f"{name}_high"]] == pytest.approx([11 - half, 11 + half], rel=0.02)


def test_a_change_is_never_below_zero_however_few_the_seeds() -> None:
    assert row_of(records(["success"] * 6, l2=[1.0] * 6), records(["success"] * 6, l2=[3.0] * 6))["l2_low"] == 0


def test_a_median_over_seeds_is_infinite_and_has_no_interval_where_half_of_a_seeds_images_were_not_fooled() -> None:
    row = row_of(records(["success"] * 4), *[records(["cap"] * 3 + ["success"])] * 2)
    assert (row["censored"], row["median_l2"]) == (6, math.inf)
    assert math.isnan(row["median_l2_low"])


def test_the_interval_of_a_median_narrows_with_the_images() -> None:
    values = np.random.default_rng(4).lognormal(0, 1, 400)
    few, many = (row_of(records(["success"] * n, linf=values[:n])) for n in (40, 400))
    assert few["median_linf_low"] < few["median_linf"] < few["median_linf_high"]
    width = [row["median_linf_high"] - row["median_linf_low"] for row in (few, many)]
    assert width[1] < width[0] / 2


def test_each_seed_counts_alike_with_the_images_that_it_attacked() -> None:
    first = records(["skipped", "success"], l2=[100.0, 1.0])
    second = records(["success", "success"], l2=[5.0, 3.0])
    row = row_of(first, second)
    assert (row["seeds"], row["attacked"]) == (2, 3)
    assert row["l2"] == pytest.approx((1 + 4) / 2)


def test_the_share_of_zero_gradients_is_of_all_steps_of_attacked_images() -> None:
    table = records(["success", "cap", "skipped"], zero_gradients=[1, 4, 0], iterations=[10, 10, 0])
    assert row_of(table)["zero_gradient_share"] == pytest.approx(0.25)


def test_a_model_that_gets_everything_wrong_has_no_means_and_is_no_error() -> None:
    row = row_of(records(["skipped"] * 4))
    assert (row["attacked"], row["skipped"], row["success"]) == (0, 4, 0)
    assert math.isnan(row["mean_change"])
    assert math.isnan(row["median_mean_change"])
    assert row["zero_gradient_share"] == 0


def test_there_is_a_row_for_each_attack_and_model_in_their_order() -> None:
    pairs = [("strong", "b"), ("strong", "a"), ("original", "b")]
    table = robustness({pair: [records()] for pair in pairs})
    assert list(zip(table["attack"], table["model"], strict=True)) == pairs


def test_each_required_confidence_has_its_row_in_rising_order() -> None:
    measures = image_by_image(*(records(confidence=level) for level in (0.99, 0.0, 0.9)))
    table = robustness({("original", "a"): [measures], ("original", "b"): [measures]})
    assert table["model"].tolist() == ["a"] * 3 + ["b"] * 3
    assert table["required_confidence"].tolist() == [0.0, 0.9, 0.99] * 2
    assert (table["attacked"] + table["skipped"] == len(ENDED)).all()


def test_a_row_counts_and_averages_the_records_of_its_level_alone() -> None:
    easy = records(["success", "success", "skipped"], 0.5, l2=[1.0, 3.0, 0.0], iterations=[2, 4, 0])
    hard = records(["success", "cap", "skipped"], 0.9, l2=[5.0, 9.0, 0.0], iterations=[6, 10, 0])
    both = robustness({("original", "basic-clean"): [image_by_image(easy, hard)]})
    assert both[["success", "cap", "attacked", "skipped"]].to_numpy().tolist() == [[2, 0, 2, 1], [1, 1, 2, 1]]
    assert both[["l2", "iterations"]].to_numpy().tolist() == [[2, 3], [7, 8]]
    assert both["zero_gradient_share"].tolist() == pytest.approx([2 / 6, 2 / 16])
    assert both.to_dict("records") == [row_of(easy), row_of(hard)]


def test_seeds_are_averaged_level_by_level() -> None:
    seeds = [
        image_by_image(records(["success"] * 2, 0.5, l2=[low] * 2), records(["success"] * 2, 0.9, l2=[high] * 2))
        for low, high in ((1.0, 10.0), (3.0, 30.0))
    ]
    table = robustness({("original", "basic-clean"): seeds})
    assert table[["seeds", "attacked", "l2"]].to_numpy().tolist() == [[2, 4, 2], [2, 4, 20]]
