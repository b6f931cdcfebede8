"""Our attacks beside a library's: counts, medians and ratios against numbers computed by hand."""

from __future__ import annotations

import logging
import math
from typing import Any

import pandas
import pytest

from robustness.analysis.comparison import comparison
from robustness.errors import UserError

METHODS = {"fmn": "fmn", "bisected": "apgd"}
OURS = [0.2, 0.3, 0.4, 0.5, None, None, "skipped"]
FMN = [0.1, 0.3, None, None, 0.1, None, "skipped"]
BISECTED = [0.4, 0.1, 0.1, None, None, None, "skipped"]
# ratios: 0.2 / 0.1 = 2, 0.3 / 0.1 = 3, 0.4 / 0.1 = 4; image 3 is fooled by ours alone, 4 by FMN alone, 5 by nobody


def measures(distances: list[float | str | None], norm: str = "linf", confidence: float = 0.0) -> pandas.DataFrame:
    """One seed's measures, from a norm for each image that the attack fooled and None for those that it did not."""
    ended = ["skipped" if each == "skipped" else "cap" if each is None else "success" for each in distances]
    values = [each if isinstance(each, float) else math.nan for each in distances]
    return pandas.DataFrame(
        {"image": range(len(distances)), "required_confidence": confidence, "ended": ended, "linf": 9.0, "l2": 9.0}
        | {norm: values}
    )


def table(ours: list[Any], methods: dict[str, str] = METHODS, **theirs: list[Any]) -> pandas.DataFrame:
    """The comparison of one attack on one model; each argument is a list of measures, one for each seed."""
    return comparison(
        {("original", "basic"): ours}, {(name, "basic"): seeds for name, seeds in theirs.items()}, methods
    )


def row(*arguments: Any, **theirs: list[Any]) -> dict[str, Any]:
    (only,) = table(*arguments, **theirs).to_dict("records")
    return only


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return row([measures(OURS)], fmn=[measures(FMN)], bisected=[measures(BISECTED)])


def test_images_are_counted_by_who_fooled_them(example: dict[str, Any]) -> None:
    names = ("seeds", "attacked", "both", "only_ours", "only_comparators", "neither")
    assert [example[name] for name in names] == [1, 6, 3, 1, 1, 1]


def test_the_ratio_is_to_the_best_comparator_of_each_image(example: dict[str, Any]) -> None:
    names = ("ratio", "ratio_quarter", "ratio_three_quarters")
    assert [example[name] for name in names] == pytest.approx([3, 2.5, 3.5])
    assert 2 <= example["ratio_low"] <= 3 <= example["ratio_high"] <= 4


def test_success_is_a_share_of_attacked_images(example: dict[str, Any]) -> None:
    names = ("success", "success_fmn", "success_bisected")
    assert [example[name] for name in names] == pytest.approx([4 / 6, 3 / 6, 3 / 6])


def test_an_image_that_was_not_fooled_has_needed_infinitely_much(example: dict[str, Any]) -> None:
    # ours: 0.2 0.3 0.4 | 0.5 ∞ ∞; fmn: 0.1 0.1 0.3 | ∞ ∞ ∞
    assert example["median"] == pytest.approx(0.45)
    assert example["median_fmn"] == math.inf
    mostly = row([measures([0.2])], {"fmn": "fmn"}, fmn=[measures([0.1])])
    assert mostly["median_fmn"] == pytest.approx(0.1)


def test_a_failure_is_no_success_whatever_change_it_left() -> None:
    failed = measures([None, 0.4]).assign(linf=[0.001, 0.4])
    found = row([measures([0.2, 0.2])], {"fmn": "fmn"}, fmn=[failed])
    assert (found["both"], found["only_ours"], found["ratio"]) == (1, 1, pytest.approx(0.5))


def test_only_the_change_at_any_wrong_class_is_compared() -> None:
    levels = pandas.concat([measures([0.2, 0.4]), measures([0.8, 0.8], confidence=0.9)])
    assert row([levels], {"fmn": "fmn"}, fmn=[measures([0.1, 0.2])])["ratio"] == pytest.approx(2)


def test_each_norm_has_a_row_with_its_own_comparators() -> None:
    both = measures([0.2]).assign(l2=4.0)
    found = table([both], {"ddn": "ddn", "fmn": "fmn"}, fmn=[measures([0.1])], ddn=[measures([1.0], norm="l2")])
    assert found["norm"].tolist() == ["linf", "l2"]
    assert found["ratio"].tolist() == pytest.approx([2, 4])
    assert found["median_fmn"].tolist() == pytest.approx([0.1, math.nan], nan_ok=True)
    assert found["success_ddn"].tolist() == pytest.approx([math.nan, 1], nan_ok=True)


def test_a_norm_without_comparators_has_no_row() -> None:
    assert table([measures([0.2])], {"deepfool": "deepfool"}, deepfool=[measures([0.1], norm="l2")])[
        "norm"
    ].tolist() == ["l2"]


def test_with_several_seeds_counts_are_over_all_and_the_ratio_is_the_geometric_mean_of_their_medians() -> None:
    ours = [measures([0.2, 0.3]), measures([0.4, None])]
    found = row(ours, {"fmn": "fmn"}, fmn=[measures([0.1, 0.1]), measures([0.1, 0.1])])
    assert [found[name] for name in ("seeds", "attacked", "both", "only_comparators")] == [2, 4, 3, 1]
    assert found["ratio"] == pytest.approx(math.sqrt(2.5 * 4))  # of 2 and 3, and of 4 alone
    assert 0 < found["ratio_low"] < 2.5 < 4 < found["ratio_high"] < math.inf
    assert found["ratio_quarter"] == pytest.approx(3)  # of (2 + 4) / 2 and 3


def test_an_image_that_one_attack_skipped_is_not_compared() -> None:
    found = row([measures([0.2, "skipped"])], {"fmn": "fmn"}, fmn=[measures([0.1, 0.1])])
    assert (found["attacked"], found["both"]) == (1, 1)


@pytest.mark.parametrize("nothing", [["skipped"], [None]], ids=["all skipped", "none fooled"])
def test_where_nothing_can_be_compared_there_is_no_ratio_and_no_error(nothing: list[Any]) -> None:
    found = row([measures(nothing)], {"fmn": "fmn"}, fmn=[measures(nothing)])
    assert found["both"] == 0
    assert math.isnan(found["ratio"])
    assert math.isnan(found["ratio_quarter"])


def test_there_is_a_row_for_each_attack_model_and_norm_in_their_order() -> None:
    pairs = [("strong", "b"), ("strong", "a"), ("original", "b"), ("original", "a")]
    theirs = {(name, model): [measures([0.1])] for name in METHODS for model in "ab"}
    found = comparison({pair: [measures([0.2])] for pair in pairs}, theirs, METHODS)
    assert list(zip(found["attack"], found["model"], strict=True)) == pairs


def test_without_records_at_any_wrong_class_a_sentence_says_how_to_get_them() -> None:
    with pytest.raises(UserError, match=r"add `argmax` to attacks\.original\.other_confidences"):
        table([measures([0.2], confidence=0.9)], {"fmn": "fmn"}, fmn=[measures([0.1])])


def test_an_attack_that_alone_lacks_them_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    ours = {("original", "basic"): [measures([0.2], confidence=0.9)], ("strong", "basic"): [measures([0.2])]}
    with caplog.at_level(logging.WARNING):
        found = comparison(ours, {("fmn", "basic"): [measures([0.1])]}, {"fmn": "fmn"})
    assert found["attack"].tolist() == ["strong"]
    assert "add `argmax` to attacks.original.other_confidences; it is left out of the table" in caplog.text
