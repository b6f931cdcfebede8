"""Claims, the paper's and others, on made-up studies in which the answer is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest

import assess_claims
from robustness.claims import verdicts as judging
from robustness.claims.comparisons import (
    Alike,
    Believable,
    EndsMostly,
    Models,
    More,
    MoreAccurate,
    MoreThanDataset,
    Support,
)
from robustness.claims.stated import claims_of
from robustness.claims.study import Study
from robustness.claims.verdicts import COLUMNS, FAILS, HOLDS, NOT_STUDIED, UNDECIDED, Answer, answer, verdicts
from robustness.config import claim_entry
from robustness.config.validate import read_yaml
from robustness.errors import UserError
from robustness.pages import claims_page
from robustness.storage.atomic import write_text
from robustness.storage.identity import Identity
from robustness.storage.records import write_records

ROOT = Path(__file__).parents[2]
MNIST, CIFAR = "mnist", "cifar"
MODELS = {name: tuple(read_yaml(ROOT / "config.yaml")["datasets"][name]["models"]) for name in (MNIST, CIFAR)}
PAPER = read_yaml(ROOT / "claims" / "paper.yaml")["claims"]
CLAIMS = claims_of(PAPER)
IMAGES = 60
AS_IN_THE_REPORT = {
    (MNIST, "basic-clean"): {"mean_change": 0.2, "pixels_changed": 300, "iterations": 40, "accuracy": 0.8},
    (MNIST, "basic-noisy"): {"mean_change": 0.3, "pixels_changed": 200, "iterations": 60, "accuracy": 0.75},
    (MNIST, "resnet-clean"): {"mean_change": 0.05, "pixels_changed": 100, "iterations": 30, "accuracy": 0.97},
    (MNIST, "resnet-noisy"): {"mean_change": 0.05, "pixels_changed": 100, "iterations": 30, "accuracy": 0.97},
    (CIFAR, "resnet-clean"): {"mean_change": 0.005, "pixels_changed": 300, "iterations": 5, "accuracy": 0.6},
    (CIFAR, "resnet-noisy"): {"mean_change": 0.005, "pixels_changed": 300, "iterations": 5, "accuracy": 0.8},
    (CIFAR, "deep_resnet-clean"): {"mean_change": 0.005, "pixels_changed": 500, "iterations": 5, "accuracy": 0.8},
    (CIFAR, "deep_resnet-noisy"): {"mean_change": 0.005, "pixels_changed": 300, "iterations": 5, "accuracy": 0.6},
}
"""Each model's typical change and accuracy, so that the paper would be right about all but claim 5."""

SEEN = {"basic-clean": 0.1, "basic-noisy": 0.1, "resnet-clean": 0.1, "resnet-noisy": 0.7}
"""How often a judge sees the new class in each of MNIST's models' images, so that claim 11 holds."""


def believed(seeds: int = 1, seen: dict[str, float] = SEEN) -> dict[tuple[str, str], list[pandas.DataFrame]]:
    """Answers about every image, of all networks but the attacked one; in noise they see what was there."""
    rng = np.random.default_rng(seeds)
    networks = [(model, seed) for model in seen for seed in range(seeds)]

    def asked(model: str, seed: int) -> pandas.DataFrame:
        rows = [
            {"image": image, "judge": judge, "judge_seed": judge_seed, "kind": kind, "answer": answer}
            for judge, judge_seed in networks
            if (judge, judge_seed) != (model, seed)
            for image in range(IMAGES)
            for kind, answer in (
                ("adversarial", "new" if rng.random() < seen[model] else "original"),
                ("noise", "original"),
            )
        ]
        return pandas.DataFrame(rows)

    return {(MNIST, model): [asked(model, seed) for seed in range(seeds)] for model in seen}


def study(
    seeds: int = 1, between: float = 0.02, ended: dict[tuple[str, str], str] | None = None, **given: Any
) -> Study:
    """A study with those typical values, in which images, seeds and the two together vary."""
    rng = np.random.default_rng(seeds)
    typical = given.pop("typical", AS_IN_THE_REPORT)
    image = {dataset: rng.normal(0, 0.3, IMAGES) for dataset in MODELS}
    measures: dict[Any, list[pandas.DataFrame]] = {}
    predictions: dict[Any, list[pandas.DataFrame]] = {}
    for key, values in typical.items():
        measures[key], predictions[key] = [], []
        for _ in range(seeds):
            factor = np.exp(image[key[0]] + rng.normal(0, between) + rng.normal(0, 0.05, IMAGES))
            columns = {name: values[name] * factor for name in ("mean_change", "pixels_changed", "iterations")}
            how = (ended or {}).get(key, "success")
            measures[key].append(pandas.DataFrame({"image": range(IMAGES), "ended": how, **columns}))
            right = np.arange(500) / 500 < values["accuracy"] + rng.normal(0, between / 10)
            predictions[key].append(
                pandas.DataFrame({"image": range(500), "label": 1, "prediction": np.where(right, 1, 0)})
            )
    return Study(measures, predictions, **({"alphas": {MNIST: 0.01, CIFAR: 0.01}} | given))


def claims(study: Study, others: dict[str, Study] | None = None) -> pandas.DataFrame:
    """The verdicts on the paper's claims."""
    return judging.table(CLAIMS, study, others)


@pytest.fixture(scope="module")
def several() -> pandas.DataFrame:
    """A study of five seeds in which the noisy basic classifier is never fooled, as in the paper."""
    defaults = {(MNIST, "basic-noisy"): "default_state"}
    return claims(study(5, ended=defaults, judged=believed(5))).set_index("claim")


@pytest.fixture(scope="module")
def single() -> pandas.DataFrame:
    return claims(study(1, judged=believed())).set_index("claim")


# --- verdicts --------------------------------------------------------------------------------------------------------


def test_there_is_a_row_for_each_claim_with_the_columns_that_others_read(single: pandas.DataFrame) -> None:
    assert single.index.tolist() == list(range(1, 12))
    assert ("claim", *single.columns) == COLUMNS


def test_a_study_like_the_papers_bears_it_out_about_its_weights(single: pandas.DataFrame) -> None:
    expected = dict.fromkeys(range(1, 12), HOLDS) | {5: FAILS}
    assert single["weights_verdict"].to_dict() == expected


def test_with_one_seed_every_recipe_is_undecided_and_the_table_says_why(single: pandas.DataFrame) -> None:
    assert set(single["verdict"]) == {UNDECIDED}
    assert single["p"].isna().all()
    assert single["p_holm"].isna().all()
    assert single["why"].str.contains("One seed says nothing about another training").all()
    assert "about these weights it holds" in single.loc[1, "why"]


def test_with_several_seeds_recipes_have_verdicts(several: pandas.DataFrame) -> None:
    assert several.loc[[4, 6, 7, 8, 9, 10], "verdict"].tolist() == [HOLDS] * 6
    assert several["seeds"].tolist() == [5] * 11
    assert "Over 5 seeds every comparison bears it out" in several.loc[6, "why"]
    assert several.loc[9, "low"] < several.loc[9, "estimate"] < several.loc[9, "high"]


def test_a_model_that_is_never_fooled_is_the_most_robust_of_these_weights_and_has_no_size(
    several: pandas.DataFrame,
) -> None:
    assert several.loc[1, "weights_verdict"] == HOLDS
    assert several.loc[1, "verdict"] == UNDECIDED  # five signs alone are too few
    assert several.loc[1, "censored"] == 5 * IMAGES
    assert "no standard error" in several.loc[1, "why"]
    assert "∞ (no interval)" in several.loc[1, "why"]
    assert several.loc[2, "weights_verdict"] == FAILS


def test_the_default_state_alone_does_not_bear_out_claim_5(several: pandas.DataFrame) -> None:
    # Of 60 images 95 % cannot be told from all; the noisy basic classifier's part holds.
    assert "mnist/basic-noisy 1 (0.94 to 1)" in several.loc[5, "why"]
    assert several.loc[5, "weights_verdict"] != FAILS


def test_what_is_the_other_way_round_does_not_hold() -> None:
    swapped = AS_IN_THE_REPORT | {
        (MNIST, "resnet-noisy"): {**AS_IN_THE_REPORT[MNIST, "resnet-noisy"], "mean_change": 3}
    }
    table = claims(study(5, typical=swapped)).set_index("claim")
    for about in ("verdict", "weights_verdict"):
        assert table.loc[[1, 3, 4], about].tolist() == [FAILS] * 3
    assert "a comparison contradicts it" in table.loc[1, "why"]
    assert table.loc[1, "unit"].startswith("times the mean change, basic-noisy ÷ resnet-noisy")
    assert table.loc[1, "high"] < 1


def test_recipes_that_vary_as_much_as_they_differ_are_undecided_though_the_weights_are_not() -> None:
    table = claims(study(3, between=1.0)).set_index("claim")
    assert table.loc[[1, 2, 3, 4, 8, 9], "verdict"].tolist() == [UNDECIDED] * 6
    assert (table.loc[[1, 2, 3, 4, 8, 9], "weights_verdict"] != UNDECIDED).sum() >= 4


def test_a_difference_within_the_margin_refutes_no_equality() -> None:
    for factor, verdict in ((1.2, HOLDS), (1.35, FAILS)):
        changed = {**AS_IN_THE_REPORT[MNIST, "resnet-noisy"], "mean_change": 0.05 * factor}
        made = study(5, between=0.01, typical=AS_IN_THE_REPORT | {(MNIST, "resnet-noisy"): changed})
        found = Alike(MNIST, "mean_change", "resnet-noisy", "resnet-clean", 1.25).evidence(made)
        assert [verdicts([support])[0][2] for support in (found.weights, found.recipe)] == [verdict] * 2


def test_images_that_neither_model_was_fooled_by_speak_against_no_equality_of_recipes() -> None:
    made = study(
        5,
        between=0.01,
        typical=AS_IN_THE_REPORT
        | {(MNIST, "resnet-noisy"): {**AS_IN_THE_REPORT[MNIST, "resnet-noisy"], "mean_change": 0.1}},
    )
    alike = Alike(MNIST, "mean_change", "resnet-noisy", "resnet-clean", 1.25)
    assert verdicts([alike.evidence(made).recipe])[0][2] == FAILS
    for model in ("resnet-clean", "resnet-noisy"):
        for table in made.measures[MNIST, model]:
            table.loc[table["image"] < 50, "ended"] = "cap"
    assert verdicts([alike.evidence(made).recipe])[0][2] == UNDECIDED


@pytest.mark.parametrize(("times", "verdict"), [(2, HOLDS), (9, FAILS)])
def test_more_than_so_many_times_as_much_is_another_claim_than_more(times: float, verdict: str) -> None:
    found = More(MNIST, "mean_change", "basic-clean", "resnet-clean", times).evidence(study(5, between=0.01))
    assert [verdicts([support])[0][2] for support in (found.weights, found.recipe)] == [verdict] * 2


@pytest.mark.parametrize(("times", "verdict"), [(10, HOLDS), (100, FAILS)])
def test_so_it_is_between_datasets(times: float, verdict: str) -> None:
    one, other = Models(MNIST, ("basic-clean",)), Models(CIFAR, ("resnet-clean",))
    found = MoreThanDataset("mean_change", one, other, times).evidence(study(5, between=0.01))
    assert [verdicts([support])[0][2] for support in (found.weights, found.recipe)] == [verdict] * 2


def test_each_side_beyond_a_margin_is_tested_at_half_the_level() -> None:
    changed = {**AS_IN_THE_REPORT[MNIST, "resnet-noisy"], "mean_change": 0.05 * 1.27}
    made = study(5, typical=AS_IN_THE_REPORT | {(MNIST, "resnet-noisy"): changed})
    pair = (MNIST, "mean_change", "resnet-noisy", "resnet-clean")
    alike, more = Alike(*pair, 1.25).evidence(made), More(*pair, 1.25).evidence(made)
    for here, there in ((alike.weights, more.weights), (alike.recipe, more.recipe)):
        assert here.fails == pytest.approx(min(1, 2 * there.holds))


def test_images_that_fooled_neither_model_are_the_worst_case_for_more() -> None:
    both = {(MNIST, "resnet-clean"): "cap", (MNIST, "resnet-noisy"): "cap"}
    found = More(MNIST, "mean_change", "resnet-noisy", "resnet-clean", 0.5).evidence(study(5, ended=both))
    assert found.recipe == (1.0, 1.0)


def same_weights(made: Study, *models: tuple[str, str]) -> Study:
    """The study with the first seed's tables for all seeds of these models, as for pretrained weights."""
    first = {model: [made.measures[model][0]] * made.seeds for model in models}
    return Study(made.measures | first, made.predictions, judged=made.judged, alphas=made.alphas)


def test_seeds_of_pretrained_weights_say_nothing_about_a_recipe() -> None:
    pair = (MNIST, "resnet-noisy"), (MNIST, "resnet-clean")
    made = same_weights(study(5), *pair)
    for comparison in (
        More(MNIST, "mean_change", "resnet-noisy", "resnet-clean"),
        Alike(MNIST, "mean_change", "resnet-noisy", "resnet-clean", 1.25),
        EndsMostly(MNIST, "resnet-noisy", "success", 0.5),
    ):
        assert all(math.isnan(p) for p in comparison.evidence(made).recipe)
    table = claims(made).set_index("claim")
    assert table.loc[4, "verdict"] == UNDECIDED
    assert "Fewer than two trainings differ and have values" in table.loc[4, "why"]


def test_trainings_whose_images_are_all_fooled_are_several() -> None:
    support = EndsMostly(MNIST, "resnet-noisy", "success", 0.5).evidence(study(5)).recipe
    assert support.holds < 0.05


@pytest.mark.parametrize(("images", "holds"), [(30, False), (60, True)])
def test_many_trainings_attacked_on_the_same_images_say_no_more_of_images_than_one(images: int, holds: bool) -> None:
    made = study(10)
    few = {key: [table.head(images) for table in tables] for key, tables in made.measures.items()}
    support = EndsMostly(MNIST, "resnet-noisy", "success", 0.95).evidence(Study(few, made.predictions)).recipe
    assert (support.holds < 0.05) == holds


def test_a_few_images_that_are_all_fooled_do_not_say_that_nearly_all_would_be() -> None:
    made = study(5)
    few = {key: [table.head(5) for table in tables] for key, tables in made.measures.items()}
    support = EndsMostly(MNIST, "resnet-noisy", "success", 0.9).evidence(Study(few, made.predictions)).recipe
    assert min(support) > 0.05


def test_a_seed_without_attacked_images_is_no_evidence() -> None:
    wrong = EndsMostly(MNIST, "resnet-noisy", "success", 0.95)
    assert all(math.isnan(p) for p in wrong.evidence(study(5, ended={(MNIST, "resnet-noisy"): "skipped"})).recipe)
    four, five = study(4), study(4)
    nothing = five.measures[MNIST, "resnet-noisy"][0].assign(ended="skipped")
    for key, tables in five.measures.items():
        tables.append(nothing if key == (MNIST, "resnet-noisy") else tables[0])
    more = More(MNIST, "mean_change", "basic-noisy", "resnet-noisy")
    assert more.evidence(five).recipe == pytest.approx(more.evidence(four).recipe)
    assert wrong.evidence(five).recipe == pytest.approx(wrong.evidence(four).recipe)


def test_what_is_not_known_is_not_called_infinite() -> None:
    made = study(1, ended={(MNIST, "resnet-noisy"): "skipped"})
    words = EndsMostly(MNIST, "resnet-noisy", "success", 0.95).evidence(made).words
    assert words == "on mnist/resnet-noisy unknown of the attacks end in success"


def test_too_few_images_bear_out_no_equality() -> None:
    made = study(1)
    few = {key: [table.head(5) for table in tables] for key, tables in made.measures.items()}
    table = claims(Study(few, made.predictions)).set_index("claim")
    assert table.loc[4, "weights_verdict"] == UNDECIDED


def test_images_that_neither_model_was_fooled_by_make_no_models_equal() -> None:
    both = {(MNIST, "resnet-clean"): "cap", (MNIST, "resnet-noisy"): "cap"}
    for seeds in (1, 5):
        table = claims(study(seeds, ended=both)).set_index("claim")
        assert (table.loc[4, "verdict"], table.loc[4, "weights_verdict"]) == (UNDECIDED, UNDECIDED)


@pytest.mark.parametrize(
    ("parts", "lacking", "together"),
    [
        ([(0.01, 0.99)], (), (0.01, 0.99)),
        ([(0.01, 0.99), (0.03, 0.97)], (), (0.03, 1.0)),
        ([(0.99, 0.01), (0.03, 0.97), (0.5, 0.5)], (), (0.99, 0.03)),
        ([(0.01, 0.99)], ("a comparison",), (1.0, 0.99)),
        ([(0.98, 0.02), (0.9, 0.1)], ("a comparison",), (1.0, 0.04)),
    ],
)
def test_a_claim_holds_with_all_of_its_comparisons_and_is_refuted_by_one_corrected_for_their_number(
    parts: list[tuple[float, float]], lacking: tuple[str, ...], together: tuple[float, float]
) -> None:
    found: Any = tuple(SimpleNamespace(recipe=Support(*part)) for part in parts)
    assert Answer(CLAIMS[0], found, lacking).support("recipe") == pytest.approx(together)


def test_verdicts_are_corrected_for_the_claims_that_were_tested() -> None:
    nothing = Support(math.nan, math.nan)
    # Twice 0.02 is below 5 % alone, and above when corrected for two.
    assert [verdict for *_, verdict in verdicts([Support(0.02, 0.98), nothing])] == [HOLDS, UNDECIDED]
    assert [verdict for *_, verdict in verdicts([Support(0.02, 0.98), Support(0.5, 0.5)])] == [UNDECIDED] * 2
    assert verdicts([Support(0.98, 0.001)])[0] == (0.002, 0.002, FAILS)


# --- what is missing -------------------------------------------------------------------------------------------------


def test_without_a_dataset_its_claims_are_there_as_not_studied_and_say_so() -> None:
    made = study(1)
    alone = Study({key: value for key, value in made.measures.items() if key[0] == MNIST}, made.predictions)
    table = claims(alone).set_index("claim")
    for claim in (7, 8, 9, 10):
        assert table.loc[claim, ["verdict", "weights_verdict"]].tolist() == [NOT_STUDIED] * 2
        assert table.loc[claim, "why"] == "The dataset cifar is not studied in this configuration."
        assert math.isnan(table.loc[claim, "estimate"])
    assert table.loc[1, "weights_verdict"] == HOLDS
    said = claims_page.tallies(table)
    assert all(each.endswith(" undecided and 4 are not studied") for each in said.values())


def test_what_is_left_of_a_claim_can_refute_it_but_not_bear_it_out() -> None:
    made = study(1)
    without = {key: value for key, value in made.measures.items() if key != (MNIST, "resnet-clean")}
    table = claims(Study(without, made.predictions)).set_index("claim")
    assert table.loc[1, "weights_verdict"] == UNDECIDED
    assert "The model resnet-clean of mnist is not in this configuration." in table.loc[1, "why"]
    assert table.loc[5, "weights_verdict"] == FAILS


def test_a_study_of_nothing_has_eleven_claims_that_it_does_not_study() -> None:
    table = claims(Study({}, {}))
    assert set(table["verdict"]) == set(table["weights_verdict"]) == {NOT_STUDIED}
    assert table["weights_p"].isna().all()


def test_iterations_of_different_steps_are_not_compared() -> None:
    table = claims(study(1, alphas={MNIST: 0.01, CIFAR: 0.001})).set_index("claim")
    assert table.loc[7, "weights_verdict"] == UNDECIDED
    assert "Iterations are not compared: α is 0.01 on mnist and 0.001 on cifar" in table.loc[7, "why"]


def test_claim_11_waits_for_judges(single: pandas.DataFrame) -> None:
    assert single.loc[11, "weights_verdict"] == HOLDS
    assert "the index of resnet-noisy is 0." in single.loc[11, "why"]
    others = {key: tables for key, tables in believed().items() if key[1] != "resnet-noisy"}
    for judged in ({}, others):
        found = answer(CLAIMS[10], study(1, judged=judged))
        assert "No judges were asked about the images of resnet-noisy" in " ".join(found.lacking)
        assert math.isnan(found.support("weights").holds)


def test_several_seeds_of_judged_images_tell_of_the_recipe(several: pandas.DataFrame) -> None:
    assert several.loc[11, ["verdict", "weights_verdict"]].tolist() == [HOLDS, HOLDS]
    assert several.loc[11, "low"] < several.loc[11, "estimate"] < several.loc[11, "high"]


def test_two_models_are_compared_before_the_judges_that_both_have() -> None:
    judged = believed(seen=dict.fromkeys(SEEN, 0.5))
    partial = {}
    for key, (table,) in judged.items():  # resnet-noisy alone sees the new class in the images of all others
        (partial[key],) = [[table.assign(answer=table["answer"].mask(table["judge"] == "resnet-noisy", "new"))]]
    claim = CLAIMS[10]
    found, same = (answer(claim, study(1, judged=each)).found[1:] for each in (partial, judged))
    assert [each.estimate for each in found] == [each.estimate for each in same]


def test_two_models_are_compared_on_the_images_that_fooled_both() -> None:
    judged = believed(seen=dict.fromkeys(SEEN, 0.0))
    (table,) = judged[MNIST, "resnet-noisy"]
    only_here = table["image"] >= 40
    table["answer"] = table["answer"].mask(only_here & (table["kind"] == "adversarial"), "new")
    for name in ("basic-clean", "basic-noisy", "resnet-clean"):
        judged[MNIST, name] = [each[each["image"] < 40] for each in judged[MNIST, name]]
    alone, *compared = answer(CLAIMS[10], study(1, judged=judged)).found
    assert alone.estimate.estimate == pytest.approx(20 / IMAGES)
    assert [each.estimate.estimate for each in compared] == [0.0] * 3
    assert [each.images for each in compared] == [{MNIST: 40}] * 3


def test_two_networks_have_no_judge_in_common() -> None:
    pair = dict.fromkeys(("basic-clean", "resnet-noisy"), 0.5)
    lacking = " ".join(answer(CLAIMS[10], study(1, judged=believed(seen=pair))).lacking)
    assert "No network judges the images of both resnet-noisy and basic-clean." in lacking


def test_images_that_neither_model_was_fooled_by_are_no_part_of_the_estimate_and_speak_for_nothing() -> None:
    made = study(5)
    withstood = np.arange(IMAGES) < 20
    for name in MODELS[MNIST]:
        for table in made.measures[MNIST, name]:
            table["ended"] = np.where(withstood, "cap", table["ended"])
    decided = study(5)
    for name in MODELS[MNIST]:
        tables = decided.measures[MNIST, name]
        tables[:] = [table[~withstood] for table in tables]
    comparison = CLAIMS[2].comparisons[0]
    found, only = comparison.evidence(made), comparison.evidence(decided)
    assert found.estimate.estimate == pytest.approx(only.estimate.estimate)
    assert found.recipe.holds > only.recipe.holds
    assert found.recipe.fails > only.recipe.fails


def test_a_model_whose_checks_failed_leaves_its_claims_undecided() -> None:
    trust = pandas.DataFrame(
        {
            "model": ["basic-noisy", "basic-noisy", "resnet-clean"],
            "passed": [True, False, True],
            "why": ["Fine.", "The gradient vanished.", "Fine."],
        }
    )
    table = claims(study(1, trust={MNIST: trust})).set_index("claim")
    assert table.loc[[1, 2, 3], "weights_verdict"].tolist() == [UNDECIDED] * 3
    assert table.loc[1, "not_trustworthy"] == "basic-noisy"
    assert "Not trustworthy: basic-noisy (The gradient vanished.)" in table.loc[1, "why"]
    # How an attack ends is told all the same: that it fails is what the claim says.
    assert table.loc[5, "not_trustworthy"] == "mnist/basic-noisy"
    assert table.loc[5, "weights_verdict"] == FAILS
    assert "The gradient vanished." in table.loc[5, "why"]
    # Claims about others, or about accuracy, are as they were.
    assert table.loc[[4, 6, 9], "weights_verdict"].tolist() == [HOLDS] * 3


def test_another_attack_is_told_of() -> None:
    typical = AS_IN_THE_REPORT | {
        (MNIST, "resnet-noisy"): {**AS_IN_THE_REPORT[MNIST, "resnet-noisy"], "mean_change": 3}
    }
    table = claims(study(1), {"strong": study(1, typical=typical)}).set_index("claim")
    assert "Under the attack strong, about these weights, it does not hold." in table.loc[1, "why"]
    assert "strong" not in table.loc[6, "why"]


def test_judges_who_were_not_asked_about_another_attack_do_not_speak_of_it() -> None:
    table = claims(study(1, judged=believed()), {"strong": study(1)}).set_index("claim")
    assert "strong" in table.loc[4, "why"]
    assert "strong" not in table.loc[11, "why"]


# --- claims of one's own ---------------------------------------------------------------------------------------------


def judged(*entries: dict[str, Any], **given: Any) -> pandas.DataFrame:
    """The verdicts on these claims about a study like the paper's."""
    return judging.table(claims_of(entries), study(**given)).set_index("claim")


PAIR = {"dataset": MNIST, "measure": "mean_change", "first": "basic-clean", "second": "resnet-clean"}


def test_each_kind_of_comparison_is_read_from_its_keys() -> None:
    group = {"dataset": MNIST, "models": ["basic-clean"]}
    entry = {
        "sentence": "All of it.",
        "more": PAIR | {"times": 2},
        "more_than_dataset": {"measure": "l2", "first": group, "second": group | {"dataset": CIFAR}},
        "alike": PAIR | {"within": 1.5},
        "ends_mostly": {"dataset": MNIST, "model": "basic-clean", "how": "cap", "share": 0.9},
        "more_accurate": {"dataset": MNIST, "first": "basic-clean", "second": "resnet-clean"},
        "believable": {"dataset": MNIST, "first": "basic-clean"},
    }
    (claim,) = claims_of([entry])
    assert claim.comparisons == (
        More(MNIST, "mean_change", "basic-clean", "resnet-clean", 2),
        MoreThanDataset("l2", Models(MNIST, ("basic-clean",)), Models(CIFAR, ("basic-clean",))),
        Alike(MNIST, "mean_change", "basic-clean", "resnet-clean", 1.5),
        EndsMostly(MNIST, "basic-clean", "cap", 0.9),
        MoreAccurate(MNIST, "basic-clean", "resnet-clean"),
        Believable(MNIST, "basic-clean"),
    )
    assert claims_of([dict(reversed(entry.items()))])[0] == claim  # as a param, whose keys are sorted, gives them


def test_lists_of_models_are_compared_each_with_each_but_not_with_themselves() -> None:
    both = ["basic-clean", "resnet-clean"]
    (claim,) = claims_of([{"sentence": "", "more": [PAIR | {"second": both}, PAIR | {"first": both, "second": both}]}])
    found = [(each.first, each.second) for each in claim.comparisons if isinstance(each, More)]
    assert found == [tuple(both), tuple(both), tuple(both[::-1])]


def test_the_kinds_that_a_sweep_leaves_out_are_those_that_need_more_than_measures() -> None:
    found = {}
    for kind in claim_entry.KINDS:
        comparison = next(each for claim in PAPER for name, each in claim_entry.comparisons(claim) if name == kind)
        (claim,) = claims_of([{"sentence": "", kind: comparison}])
        made = study(1)
        if kind != "more_than_dataset":  # is about two datasets
            alone = Study(made.measures, {})
            found[kind] = claim.uses_attack and not any(each.lacking(alone) for each in claim.comparisons)
    assert [kind for kind, swept in found.items() if not swept] == list(claim_entry.UNSWEPT)


def test_a_claim_of_ones_own_has_a_verdict_and_what_a_claim_of_the_paper_has() -> None:
    table = judged(
        {"sentence": "a withstands more than b", "more": PAIR | {"times": 2}},
        {"sentence": "They are alike.", "read_as": "Within 1.25.", "alike": PAIR | {"within": 1.25}},
    )
    assert table["weights_verdict"].tolist() == [HOLDS, FAILS]
    assert table.loc[1, "test"].startswith("a withstands more than b. Wilcoxon signed-rank test")
    assert table.loc[2, "test"].startswith("Within 1.25. Two one-sided tests of equivalence")
    assert table["weights_p_holm"].tolist() == pytest.approx([2 * table.loc[1, "weights_p"]] * 2, rel=0.5)
    assert "basic-clean needs" in table.loc[1, "why"]


def test_a_wider_margin_can_turn_a_verdict() -> None:
    found = [judged({"sentence": "s", "more": PAIR | {"times": times}}).loc[1, "weights_verdict"] for times in (2, 9)]
    assert found == [HOLDS, FAILS]


def test_a_claim_with_several_kinds_of_comparisons_names_the_tests_of_each() -> None:
    accurate = {"dataset": MNIST, "first": "resnet-clean", "second": "basic-clean"}
    table = judged({"sentence": "Better.", "more": PAIR, "more_accurate": accurate})
    assert table.loc[1, "weights_verdict"] == HOLDS
    assert "signed-rank" in table.loc[1, "test"]
    assert "McNemar" in table.loc[1, "test"]


def test_the_claims_that_the_documentation_states_are_judged() -> None:
    import re

    import yaml

    (block,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "claims.md").read_text("utf-8"), re.M | re.S)
    made = study(1)
    for table in (table for tables in made.measures.values() for table in tables):
        table["l2"] = table["mean_change"]
    table = judging.table(claims_of(yaml.safe_load(block)["claims"]), made).set_index("claim")
    assert table["weights_verdict"].tolist() == [FAILS, FAILS, HOLDS]
    assert "times the L2 norm" in table.loc[1, "unit"]


def page_of(table: pandas.DataFrame, papers: bool = False) -> str:
    spec = {
        "scale": {"name": "tiny", "title": "few", "demonstration": False},
        "seeds": 1,
        "papers_claims": papers,
        "datasets": [],
    }
    return claims_page.page(table.reset_index(), spec, ROOT / "report" / "claims.html.j2", "../docs/claims.md")


def test_the_page_of_ones_own_claims_says_nothing_of_the_paper() -> None:
    entry = {"sentence": "<b>, vs. all others, is best", "more": PAIR}
    page = page_of(judged(entry))
    assert "<title>Claims</title>" in page
    assert "paper" not in page.lower()
    assert "<blockquote>&lt;b&gt;, vs. all others, is best</blockquote>" in page
    assert "<td>&lt;b&gt;, vs. all others, is best</td>" in page
    assert "“" in page_of(judged(entry), papers=True)


def test_a_page_without_claims_says_how_to_state_them() -> None:
    page = page_of(judged())
    assert page.count("<p>No claims are judged: state your own under <code>claims:</code>") == 1
    assert '<a href="../docs/claims.md">docs/claims.md</a>' in page
    assert "paper" not in page.lower()
    assert "<table>" not in page


# --- the script and the page -----------------------------------------------------------------------------------------


def call(script: Any, spec: dict[str, Any], *flags: object) -> None:
    script.main(script.arguments().parse_args(["--spec", json.dumps(spec), *map(str, flags)]))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table that the script writes of a study of MNIST with two attacks, and the page of it."""
    import write_page
    from robustness.products.pages import claims as product

    folder = tmp_path_factory.mktemp("claims")
    made = study(1)
    paths: dict[str, list[Path]] = {"measures": [], "predictions": []}
    for what, attacks in (("measures", ["original", "strong"]), ("predictions", [""])):
        for attack in attacks:
            for model in MODELS[MNIST]:
                (table,) = getattr(made, what)[MNIST, model]
                levels = [table.assign(required_confidence=0.9), table.assign(required_confidence=0.0, mean_change=1.0)]
                path = folder / f"{what}-{attack}-{model}"
                columns = pandas.concat(levels if attack else [table]).to_dict("list")
                write_records(path, columns, Identity(MNIST, model, attack or None, 0).header({}))
                paths[what].append(path)
    paths["judged"] = []
    for (_, model), (table,) in believed().items():
        paths["judged"].append(folder / f"judged-{model}")
        write_records(paths["judged"][-1], table.to_dict("list"), Identity(MNIST, model, "original", 0).header({}))
    trust = folder / MNIST / "tables" / "trust.csv"
    write_text(trust, "model,passed,why\n")
    spec = {
        "claims": PAPER,
        "attacks": [["original", 0.9], ["strong", 0.9]],
        "datasets": [{"name": MNIST, "models": list(MODELS[MNIST]), "alpha": 0.01}],
        "judged": [MNIST],
    }
    inputs = [each for what, files in paths.items() for each in (f"--{what}", *files)]
    call(assess_claims, spec, *inputs, "--trust", trust, "--table", folder / "c.csv")
    turned = [each for what, files in paths.items() for each in (f"--{what}", *files[::-1])]
    call(assess_claims, spec, *turned, "--trust", trust, "--table", folder / "turned.csv")
    without = [each for each in inputs if each != paths["measures"][-1]]
    with pytest.raises(UserError, match=r"no file of attack strong, dataset mnist, model resnet-noisy.* is given"):
        call(assess_claims, spec, *without, "--trust", trust, "--table", folder / "fewer.csv")
    other = folder / "cifar" / "tables" / "trust.csv"
    write_text(other, "model,passed,why\n")
    with pytest.raises(UserError, match=r"cifar/tables/trust\.csv: give <dataset>/tables/trust\.csv of each of mnist"):
        call(assess_claims, spec, *inputs, "--trust", other, "--table", folder / "other.csv")
    settings = {
        "scale": {"name": "tiny", "title": "<few> images", "demonstration": False},
        "seeds": 1,
        "papers_claims": True,
        "datasets": [{"name": MNIST, "title": "MNIST", "settings": ["α = 0.01."]}],
    }
    template = ROOT / "report" / "claims.html.j2"
    flags = ["--table", folder / "c.csv", "--template", template, "--page", folder / "c.html"]
    options = write_page.arguments(product).parse_args(["--spec", json.dumps(settings), *map(str, flags)])
    write_page.main(options)
    return folder


def test_the_script_writes_what_the_library_finds(written: Path) -> None:
    table = pandas.read_csv(written / "c.csv").set_index("claim")
    assert table.loc[[1, 2, 3, 4, 6, 11], "weights_verdict"].tolist() == [HOLDS] * 6
    assert "Under the attack strong" in table.loc[1, "why"]


def test_the_order_of_the_files_changes_no_claim(written: Path) -> None:
    assert (written / "turned.csv").read_bytes() == (written / "c.csv").read_bytes()


def test_the_script_has_an_answer_where_nothing_is_studied(tmp_path: Path) -> None:
    spec = {"claims": PAPER, "attacks": [["original", 0.9]], "datasets": [], "judged": []}
    call(assess_claims, spec, "--measures", "--predictions", "--table", tmp_path / "c.csv")
    assert set(pandas.read_csv(tmp_path / "c.csv")["verdict"]) == {NOT_STUDIED}


def test_the_page_is_one_file_that_is_whole_and_needs_nothing_else(written: Path) -> None:
    from html.parser import HTMLParser

    class Balanced(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.outside: list[str] = []
            self.links: list[str] = []
            self.names: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "br"):
                self.open.append(tag)
            for name, value in attrs:
                if name in ("src", "srcset", "data") or (name == "href" and not str(value).startswith("#")):
                    self.outside.append(str(value))
                if name == "href":
                    self.links.append(str(value).removeprefix("#"))
                if name == "id":
                    self.names.append(str(value))

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    page = (written / "c.html").read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == parser.outside == []
    assert parser.links == parser.names == [f"claim-{number}" for number in range(1, 12)]
    assert "url(" not in page
    assert "@import" not in page
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_page_says_all_that_the_table_says(written: Path) -> None:
    from html import unescape

    page = " ".join(unescape((written / "c.html").read_text(encoding="utf-8")).split())
    table = pandas.read_csv(written / "c.csv")
    for name in ("sentence", "why", "test", "unit"):
        assert all(text in page for text in table[name].dropna())
    assert "0 hold, 0 do not hold, 7 are undecided and 4 are not studied" in page
    assert "1 seed" in page
    assert "&lt;few&gt; images" in (written / "c.html").read_text(encoding="utf-8")


def test_the_page_of_infinite_and_missing_numbers(several: pandas.DataFrame) -> None:
    template = ROOT / "report" / "claims.html.j2"
    spec = {
        "scale": {"name": "tiny", "title": "few", "demonstration": False},
        "seeds": 5,
        "papers_claims": True,
        "datasets": [],
    }
    page = claims_page.page(several.reset_index(), spec, template, "claims.md")
    assert "<b>∞</b> (95 % interval – to –)" in page
    assert "nan" not in page
    assert "300 attacks did not fool their image" in page


def test_a_table_without_its_columns_is_named() -> None:
    with pytest.raises(UserError, match="has no column why: delete it"):
        claims_page.rows(pandas.DataFrame(columns=[name for name in COLUMNS if name != "why"]))
