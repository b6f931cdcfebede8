"""Robust accuracy is the worst case, image by image, of AutoAttack and of all attacks of ours."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

from robustness.analysis.robust_accuracy import robust_accuracy
from robustness.config.threat_models import attacks_of, budgets_of, in_words, is_within, value_of
from robustness.stats.intervals import wilson

# image 0 is wrong unchanged; AutoAttack alone fools 1, both 2, ours alone 3, nobody 4
DECIDED = {0.1: ["unchanged", "nothing", "apgd-t", "nothing", "nothing"]}
DECIDED[0.2] = ["unchanged", "apgd-ce", "apgd-t", "nothing", "nothing"]
OURS = [0.0, 0.5, 0.15, 0.05, 0.5]


def bound(decided: dict[float, list[str]] = DECIDED, norm: str = "linf") -> pandas.DataFrame:
    rows = [
        {"image": image, "norm": norm, "budget": budget, "decided_by": name}
        for budget, names in decided.items()
        for image, name in enumerate(names)
    ]
    return pandas.DataFrame(rows)


def measured(distances: list[float], after: int = 1, level: float = 0.0) -> pandas.DataFrame:
    """Measures of images of class 0, of which more are attacked than AutoAttack was given."""
    rows = [
        {"image": image, "label": 0, "label_after": after, "required_confidence": level, "linf": each, "l2": each}
        for image, each in enumerate([*distances, 0.01])
    ]
    return pandas.DataFrame(rows)


def table(found: list[pandas.DataFrame], *ours: list[pandas.DataFrame]) -> list[dict[str, Any]]:
    budgets = {"linf": [0.1, 0.2]}
    made = robust_accuracy({"m": found}, {"m": list(ours)}, budgets, ["apgd-ce", "apgd-t"])
    return [{str(name): value for name, value in row.items()} for row in made.to_dict("records")]


def test_images_are_counted_by_who_fooled_them() -> None:
    small, large = table([bound()], [measured(OURS)])
    assert [small[name] for name in ("both", "only_autoattack", "only_ours", "neither")] == [0, 1, 1, 2]
    assert [large[name] for name in ("both", "only_autoattack", "only_ours", "neither")] == [1, 1, 1, 1]
    assert [large[f"decided_{name}"] for name in ("apgd_ce", "apgd_t")] == [1, 1]
    assert [small[f"decided_{name}"] for name in ("apgd_ce", "apgd_t")] == [0, 1]


def test_robust_accuracy_is_over_all_images_and_wrong_ones_are_not_robust() -> None:
    small, large = table([bound()], [measured(OURS)])
    assert (small["images"], small["clean_accuracy"]) == (5, 0.8)
    assert [row["robust_accuracy"] for row in (small, large)] == [0.4, 0.2]
    assert [row["ours_accuracy"] for row in (small, large)] == [0.6, 0.4]
    assert (large["robust_low"], large["robust_high"]) == tuple(wilson(1, 5))[1:]


def test_any_of_our_attacks_and_levels_counts_and_a_change_that_leaves_the_image_right_does_not() -> None:
    weak = measured([0.9] * 5)
    (small, _) = table([bound()], [weak, pandas.concat([measured(OURS), measured([0.9] * 5, level=0.9)])])
    assert small["only_ours"] == 1
    (small, _) = table([bound()], [measured([0.01] * 5, after=0)])
    assert small["only_ours"] == 0


def test_a_change_that_misses_the_budget_by_rounding_is_within_it() -> None:
    (small, _) = table([bound()], [measured([0.9, 0.9, 0.9, 0.1 + 1e-7, 0.9])])
    assert small["only_ours"] == 1
    assert not is_within(0.1001, 0.1)


def test_several_seeds_are_averaged_and_counted_together() -> None:
    other = bound({0.1: ["nothing"] * 5, 0.2: ["nothing"] * 5})
    small, _ = table([bound(), other], [measured(OURS)], [measured([0.9] * 5)])
    assert (small["seeds"], small["images"], small["neither"]) == (2, 5, 7)
    assert small["robust_accuracy"] == pytest.approx(0.7)
    assert small["robust_low"] < 0.4


def test_where_no_image_is_right_all_is_nought() -> None:
    wrong = bound({0.1: ["unchanged"] * 5, 0.2: ["unchanged"] * 5})
    for row in table([wrong], [measured([0.0] * 5)]):
        assert (row["clean_accuracy"], row["robust_accuracy"], row["only_ours"], row["neither"]) == (0, 0, 0, 0)
        assert row["robust_high"] > 0


def test_rows_are_of_each_norm_and_an_attack_that_stood_in_for_another_is_counted() -> None:
    decided = {0.1: ["apgd-dlr"] * 5}
    both = pandas.concat([bound(decided), bound(decided, norm="l2")])
    made = robust_accuracy({"m": [both]}, {"m": [[measured(OURS)]]}, {"l2": [0.1], "linf": [0.1]}, ["apgd-ce"])
    assert made["norm"].tolist() == ["linf", "l2"]
    assert made["decided_apgd_dlr"].tolist() == [5, 5]


def test_budgets_are_numbers_or_fractions_and_rise() -> None:
    assert value_of("8/255") == 8 / 255
    assert value_of("0.5/255") == 0.5 / 255
    assert budgets_of({"linf": ["8/255", 0.01, "2/255"]}) == {"linf": [2 / 255, 0.01, 8 / 255]}
    assert budgets_of(None) == {}
    assert [in_words(each) for each in (8 / 255, 0.5 / 255, 0.1, 0.2, 1.0, 1 / 7)] == [
        *("8/255", "0.5/255", "0.1", "0.2", "1", "0.143")
    ]


def test_the_standard_version_has_its_own_attacks_and_targets() -> None:
    attacks, targets = attacks_of({"version": "standard", "images": 5, "targets": 1})
    assert (attacks, targets) == (["apgd-ce", "apgd-t", "fab-t", "square"], 9)
    assert attacks_of({"version": ["square"], "images": 5, "targets": 2}) == (["square"], 2)
