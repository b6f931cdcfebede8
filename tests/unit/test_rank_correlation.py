"""Rank agreement against scipy, and on rankings whose agreement is known."""

from __future__ import annotations

import math

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from robustness.analysis.rank_correlation import MEASURES, kendall, rank_agreement

Number = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf])


@given(st.lists(st.tuples(Number, Number), min_size=2, max_size=6))
def test_kendalls_tau_is_scipys(pairs: list[tuple[float, float]]) -> None:
    first, second = np.array(pairs).T
    expected = kendalltau(np.where(np.isinf(first), 9, first), np.where(np.isinf(second), 9, second)).statistic
    assert kendall(first, second) == pytest.approx(expected, nan_ok=True)


def test_one_model_has_no_ranking() -> None:
    assert math.isnan(kendall(np.ones(1), np.ones(1)))


def measures(scale: float, hard: float, ended: str = "success", images: int = 12) -> pandas.DataFrame:
    """One seed of one model at two confidences, whose changes are `scale` and `hard` times those of the images."""
    change = np.random.default_rng(1).uniform(1, 1.05, images)
    levels = []
    for level, factor in ((0.0, scale), (0.9, hard)):
        columns = dict.fromkeys(MEASURES, change * factor)
        levels.append(
            pandas.DataFrame({"image": range(images), "required_confidence": level, "ended": ended, **columns})
        )
    return pandas.concat(levels)


def row(table: pandas.DataFrame, between: str, at: object) -> pandas.Series:
    (found,) = (row for _, row in table[table["between"] == between].iterrows() if row["at"] == at)
    return found


def test_models_that_swap_places_between_confidences_disagree_there_and_agree_between_measures() -> None:
    table = rank_agreement({"a": [measures(1, 30)], "b": [measures(2, 20)], "c": [measures(3, 10)]})
    found = row(table, "confidences", "l2")
    assert (found["first"], found["second"]) == (0.0, 0.9)
    assert [found[name] for name in ("tau", "tau_low", "tau_high", "tau_images")] == [-1, -1, -1, -1]
    assert (table.loc[table["between"] == "measures", "tau"] == 1).all()
    assert found["images"] == 12


def test_every_pair_of_confidences_and_of_measures_has_a_row_with_seeds_and_images() -> None:
    table = rank_agreement({"a": [measures(1, 2)] * 3, "b": [measures(2, 3)] * 3})
    assert (table["between"] == "confidences").sum() == len(MEASURES)
    assert (table["between"] == "measures").sum() == 2 * math.comb(len(MEASURES), 2)
    assert set(table["seeds"]) == {3}
    assert set(table["images"]) == {36}
    assert set(table["models"]) == {2}


def test_a_model_that_was_never_fooled_ranks_highest_and_is_counted() -> None:
    table = rank_agreement({"a": [measures(1, 30, "cap")], "b": [measures(2, 20)], "c": [measures(3, 10)]})
    found = row(table, "confidences", "l2")
    assert found["tau"] == pytest.approx(1 / 3)  # first at both: only b and c swap
    assert found["censored"] == 12


def test_images_that_a_model_had_wrong_are_compared_by_no_image() -> None:
    skipped = measures(1, 30)
    skipped.loc[skipped["image"] < 5, "ended"] = "skipped"
    assert set(rank_agreement({"a": [skipped], "b": [measures(2, 20)]})["images"]) == {7}


def test_the_interval_shows_that_models_that_are_alike_have_no_ranking() -> None:
    rng = np.random.default_rng(3)
    models = {}
    for name in "abc":
        table = measures(1, 1, images=40)
        for measure in MEASURES:
            table[measure] = rng.lognormal(0, 0.5, len(table))
        models[name] = [table]
    found = row(rank_agreement(models), "confidences", "l2")
    assert found["tau_low"] < 0 < found["tau_high"]


def test_a_seed_in_which_a_model_has_no_value_changes_no_other_seeds_ranking() -> None:
    rng = np.random.default_rng(4)
    models = {
        name: [measures(low * rng.uniform(0.9, 1.1), high * rng.uniform(0.9, 1.1)) for _ in range(2)]
        for name, low, high in (("a", 1, 30), ("b", 2, 20), ("c", 3, 10))
    }
    lacking = {
        name: [*tables, tables[0].assign(ended="skipped" if name == "a" else "success")]
        for name, tables in models.items()
    }
    whole, found = (row(rank_agreement(each), "confidences", "l2") for each in (models, lacking))
    names = ["tau", "tau_low", "tau_high", "tau_images", "images"]
    assert [found[name] for name in names] == [whole[name] for name in names]


def test_a_model_without_any_value_leaves_the_ranking_of_the_others() -> None:
    others = {"b": [measures(2, 20)] * 2, "c": [measures(3, 10)] * 2}
    nothing = [measures(1, 30, "skipped")] * 2
    whole, found = (row(rank_agreement(each), "confidences", "l2") for each in (others, {"a": nothing} | others))
    assert (found["tau"], whole["tau"]) == (-1, -1)


def test_an_image_that_puts_all_models_level_is_not_counted() -> None:
    tables = {name: measures(scale, hard) for name, scale, hard in (("a", 1, 30), ("b", 2, 20))}
    for table in tables.values():
        table.loc[table["image"] < 10, list(MEASURES)] = 1.0
    found = row(rank_agreement({name: [table] for name, table in tables.items()}), "confidences", "l2")
    assert (found["images"], found["tau_images"]) == (2, -1)


def test_steps_that_differ_in_their_last_digit_are_ties() -> None:
    other = measures(1, 1)
    for measure in MEASURES:
        other[measure] += 1e-9
    found = row(rank_agreement({"a": [measures(1, 1)], "b": [other]}), "confidences", "l2")
    assert math.isnan(found["tau"])
