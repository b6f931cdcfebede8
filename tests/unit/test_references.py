"""Outside references: what stands beside what, how images that were not fooled enter, and what may be compared."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

from robustness.analysis.references import COMPARABLE, REFERENCES, Reference, beside, references_of
from robustness.errors import UserError

PERCEPTRON = {"name": "basic-clean", "architecture": {"family": "perceptron", "hidden": 50}}
RESNET = {"name": "resnet-clean", "architecture": {"family": "resnet", "filters": 8}}


def measures(linf: list[float], ended: list[str] | None = None, level: float = 0.0, **columns: Any) -> pandas.DataFrame:
    """One seed's measures at one level; the L2 norm of an image is ten times its L∞ norm."""
    rows = {"image": range(len(linf)), "required_confidence": level, "ended": ended or ["success"] * len(linf)}
    return pandas.DataFrame({**rows, "linf": linf, "l2": [10 * value for value in linf], **columns})


def row_of(reference: Reference, *tables: pandas.DataFrame) -> dict[str, Any]:
    (row,) = beside([reference], [PERCEPTRON, RESNET], {("strong", "resnet-clean"): tables}).to_dict("records")
    return row


def reference(norm: str = "linf") -> Reference:
    """The reference for MNIST in a norm; its L∞ is 0.13."""
    (found,) = (each for each in references_of("mnist") if each["norm"] == norm)
    return found


def test_the_references_are_numbers_that_others_published_and_no_others() -> None:
    known = [(each["dataset"], each["norm"], each["their_value"]) for each in REFERENCES]
    assert sorted(known) == [
        ("cifar", "l2", 0.17),
        ("cifar", "linf", 0.0092),
        ("mnist", "l2", 1.36),
        ("mnist", "linf", 0.13),
    ]
    assert not any("npublished" in each["source"] for each in REFERENCES)
    assert references_of("pets") == []


def test_every_reference_is_cited_and_says_what_can_be_compared_and_why() -> None:
    for each in REFERENCES:
        assert str(each["year"]) in each["source"]
        said = COMPARABLE[each["norm"]]
        assert said["comparable"] in ("yes", "partly", "no")
        assert said["why"].endswith(".")


def test_the_mean_of_ours_stands_beside_theirs_with_its_ratio() -> None:
    row = row_of(reference(), measures([0.04, 0.0478, 0.06]))
    assert row["value"] == pytest.approx(0.1478 / 3)
    assert row["ratio"] == pytest.approx(0.1478 / 3 / 0.13)
    assert row["low"] <= row["value"] <= row["high"]
    assert row["ratio_high"] == pytest.approx(row["high"] / 0.13)


def test_images_that_were_not_fooled_make_a_mean_a_lower_bound() -> None:
    row = row_of(reference(), measures([0.1, 0.3], ["success", "cap"]))
    assert (row["value"], row["bound"], row["not_fooled"]) == (pytest.approx(0.2), "at least", 1)


def test_images_that_were_wrong_from_the_start_are_left_out() -> None:
    row = row_of(reference(), measures([0.04, 9.0], ["success", "skipped"]))
    assert (row["value"], row["attacked"], row["bound"]) == (pytest.approx(0.04), 1, "")


def test_only_the_first_wrong_prediction_is_compared() -> None:
    both = pandas.concat([measures([0.04] * 3), measures([0.5] * 3, level=0.9)])
    assert row_of(reference(), both)["value"] == pytest.approx(0.04)
    with pytest.raises(UserError, match=r"add `argmax` to attacks\.strong\.other_confidences"):
        row_of(reference(), measures([0.5], level=0.9))


def test_with_several_seeds_the_value_is_the_mean_of_theirs_with_an_interval_over_seeds() -> None:
    seeds = [measures([0.02, 0.04, 0.06]), measures([0.04, 0.06, 0.08]), measures([0.05, 0.05, 0.05])]
    row = row_of(reference(), *seeds)
    assert (row["value"], row["seeds"], row["attacked"]) == (pytest.approx(0.05), 3, 9)
    assert row["low"] < 0.04 < 0.06 < row["high"]


def test_a_reference_stands_beside_each_model_that_is_like_its_own_and_each_attack() -> None:
    wider = RESNET | {"name": "wide-clean", "architecture": {"family": "resnet", "filters": 9}}
    tables = {
        (attack, model["name"]): [measures([0.05] * 3)]
        for attack in ("original", "strong")
        for model in (PERCEPTRON, RESNET, wider)
    }
    table = beside(references_of("mnist"), [PERCEPTRON, RESNET, wider], tables)
    assert len(table) == 2 * 2 * 2
    assert set(table["model"]) == {"resnet-clean", "wide-clean"}


def test_a_reference_without_a_model_beside_it_stands_alone_and_says_so() -> None:
    tables = {("strong", "basic-clean"): [measures([0.05])]}
    (row,) = beside([reference()], [PERCEPTRON], tables).to_dict("records")
    assert (row["comparable"], row["their_value"]) == ("no", 0.13)
