"""Outside references: what stands beside what, how images that were not fooled enter, and what may be compared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pytest

from robustness.analysis.references import REFERENCES, Reference, beside, references_of
from robustness.errors import UserError

PERCEPTRON = {"name": "basic-clean", "architecture": {"family": "perceptron", "hidden": 50}}
RESNET = {"name": "resnet-clean", "architecture": {"family": "resnet", "filters": 8}}


def measures(linf: list[float], ended: list[str] | None = None, level: float = 0.0, **columns: Any) -> pandas.DataFrame:
    """One seed's measures at one level; the L2 norm of an image is ten times its L∞ norm."""
    rows = {"image": range(len(linf)), "required_confidence": level, "ended": ended or ["success"] * len(linf)}
    return pandas.DataFrame({**rows, "linf": linf, "l2": [10 * value for value in linf], **columns})


def row_of(reference: Reference, *tables: pandas.DataFrame) -> dict[str, Any]:
    (row,) = beside([reference], [PERCEPTRON, RESNET], {("strong", "basic-clean"): tables}, {}).to_dict("records")
    return row


def reference(statistic: str, norm: str) -> Reference:
    """The reference of the perceptron (median) or of the ResNet (mean) for MNIST."""
    (found,) = (each for each in references_of("mnist") if (each.statistic, each.norm) == (statistic, norm))
    return found


def fmn() -> Reference:
    return reference("median", "linf")


def test_the_references_are_those_that_are_known_and_no_others() -> None:
    known = [(each.dataset, each.statistic, each.norm, each.value) for each in REFERENCES]
    assert sorted(known) == [
        ("cifar", "mean", "l2", 0.17),
        ("cifar", "mean", "linf", 0.0092),
        ("mnist", "mean", "l2", 1.36),
        ("mnist", "mean", "linf", 0.13),
        ("mnist", "median", "l2", 0.703),
        ("mnist", "median", "linf", 0.0435),
    ]
    assert references_of("pets") == []


def test_every_reference_is_cited_and_says_what_can_be_compared_and_why() -> None:
    for each in REFERENCES:
        assert str(each.year) in each.source
        assert each.comparable in ("yes", "partly", "no")
        assert each.why.endswith(".")


def with_fmn(ours: list[pandas.DataFrame], theirs: list[pandas.DataFrame]) -> dict[str, Any]:
    """The row that has FMN on our own model."""
    tables = {("strong", "basic-clean"): ours, ("my-fmn", "basic-clean"): theirs}
    paper, here = beside([fmn()], [PERCEPTRON], tables, {"my-fmn": "fmn", "my-ddn": "ddn"}).to_dict("records")
    assert paper["their_value"] == 0.0435
    return dict(here)


def test_the_median_of_ours_stands_beside_theirs_with_its_ratio() -> None:
    row = row_of(fmn(), measures([0.04, 0.0478, 0.06]))
    assert row["value"] == pytest.approx(0.0478)
    assert row["ratio"] == pytest.approx(0.0478 / 0.0435)
    assert row["low"] <= row["value"] <= row["high"]
    assert row["ratio_high"] == pytest.approx(row["high"] / 0.0435)
    assert "as_expected" not in row  # another training moves it


@pytest.mark.parametrize(("factor", "as_expected"), [(0.95, "no"), (1.1, "yes"), (1.3, "no")])
def test_what_is_expected_is_expected_of_the_same_attack_on_our_model(factor: float, as_expected: str) -> None:
    theirs = np.random.default_rng(0).uniform(0.03, 0.09, 40)
    row = with_fmn([measures(list(factor * theirs))], [measures(list(theirs))])
    assert row["ratio"] == pytest.approx(factor)
    assert row["their_value"] == pytest.approx(np.median(theirs))
    assert (row["ratio_expected_low"], row["ratio_expected_high"]) == (1.0, 1.18)
    assert (row["as_expected"], row["comparable"]) == (as_expected, "yes")


def test_the_ratio_is_image_by_image_and_leaves_out_only_what_neither_fooled() -> None:
    ours = measures([0.2, 0.3, 0.1, 0.1, 0.1], ["success", "success", "cap", "cap", "skipped"])
    theirs = measures([0.1, 0.1, 0.1, 0.1, 0.1], ["success", "success", "success", "cap", "skipped"])
    row = with_fmn([ours], [theirs])
    assert row["ratio"] == pytest.approx(3.0)  # of 2, 3 and infinity
    assert row["not_fooled"] == 2


def test_images_that_were_not_fooled_enter_a_median_as_infinite() -> None:
    ended = ["success", "success", "cap", "default_state", "success"]
    row = row_of(fmn(), measures([0.04, 0.05, 0.001, 0.001, 0.06], ended))
    assert row["value"] == pytest.approx(0.06)
    assert (row["attacked"], row["not_fooled"], row["high"]) == (5, 2, math.inf)
    mostly_not = row_of(fmn(), measures([0.04, 0.001, 0.001], ["success", "cap", "cap"]))
    assert mostly_not["value"] == mostly_not["ratio"] == math.inf


def test_images_that_were_not_fooled_make_a_mean_a_lower_bound() -> None:
    models = {("strong", "resnet-clean"): [measures([0.1, 0.3], ["success", "cap"])]}
    (row,) = beside([reference("mean", "linf")], [RESNET], models, {}).to_dict("records")
    assert (row["value"], row["bound"], row["not_fooled"]) == (pytest.approx(0.2), "at least", 1)


def test_images_that_were_wrong_from_the_start_are_left_out() -> None:
    row = row_of(fmn(), measures([0.04, 9.0], ["success", "skipped"]))
    assert (row["value"], row["attacked"], row["bound"]) == (pytest.approx(0.04), 1, "")


def test_only_the_first_wrong_prediction_is_compared() -> None:
    both = pandas.concat([measures([0.04] * 3), measures([0.5] * 3, level=0.9)])
    assert row_of(fmn(), both)["value"] == pytest.approx(0.04)
    with pytest.raises(UserError, match=r"add `argmax` to attacks\.strong\.other_confidences"):
        row_of(fmn(), measures([0.5], level=0.9))


def test_with_several_seeds_the_value_is_the_mean_of_theirs_with_an_interval_over_seeds() -> None:
    seeds = [measures([0.02, 0.04, 0.09]), measures([0.04, 0.06, 0.08]), measures([0.05, 0.05, 0.05])]
    row = row_of(fmn(), *seeds)
    assert (row["value"], row["seeds"], row["attacked"]) == (pytest.approx(0.05), 3, 9)
    assert row["low"] < 0.04 < 0.06 < row["high"]


def test_with_several_seeds_the_ratio_on_one_model_is_the_geometric_mean_of_theirs() -> None:
    row = with_fmn([measures([0.1] * 3), measures([0.4] * 3)], [measures([0.1] * 3)] * 2)
    assert row["ratio"] == pytest.approx(2)
    assert row["ratio_low"] > 0


def test_a_reference_stands_beside_each_model_that_is_like_its_own_and_each_attack() -> None:
    wider = PERCEPTRON | {"name": "wide-clean", "architecture": {"family": "perceptron", "hidden": 51}}
    tables = {
        (attack, model["name"]): [measures([0.05] * 3)]
        for attack in ("original", "strong")
        for model in (PERCEPTRON, RESNET, wider)
    }
    table = beside(references_of("mnist"), [PERCEPTRON, RESNET, wider], tables, {})
    assert len(table) == 4 * 2
    assert set(table.loc[table["statistic"] == "median", "model"]) == {"basic-clean"}
    assert set(table.loc[table["statistic"] == "mean", "model"]) == {"resnet-clean"}


def test_a_reference_without_a_model_beside_it_stands_alone_and_says_so() -> None:
    (row,) = beside([fmn()], [RESNET], {("strong", "resnet-clean"): [measures([0.05])]}, {}).to_dict("records")
    assert (row["comparable"], row["their_value"]) == ("no", 0.0435)
    assert row["why"].startswith("No model of this configuration is like theirs")


def test_the_interval_of_a_median_narrows_with_more_images() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = (row_of(fmn(), measures(list(rng.uniform(0.03, 0.06, count)))) for count in (20, 2000))
    assert narrow["high"] - narrow["low"] < (wide["high"] - wide["low"]) / 2
