"""A study says what a configuration consists of, and changes nothing in it."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from made_study import COMPARATORS, DEFAULT, GIVEN, ROOT, job, made_study, merged, of_models

from robustness.errors import UserError
from robustness.storage.code_digest import LIBRARY, imported
from robustness.workflow import (
    attack_jobs,
    code_inputs,
    figure_specs,
    inputs,
    page_specs,
    specs,
    start,
    table_specs,
    targets,
)
from robustness.workflow.dataset import Attack
from robustness.workflow.study import Study, in_order, one_of

WORKFLOW = sorted((LIBRARY / "workflow").glob("*.py"))


def test_an_overlay_takes_the_order_of_the_configuration_that_it_is_laid_over() -> None:
    overlay = {"new": 1, "datasets": {"cifar": {"alpha": 1, "title": "C"}, "mnist": {}}, "seeds": [0]}
    base = {"seeds": [], "datasets": {"mnist": {}, "cifar": {"title": "", "alpha": 0}}, "absent": {}}
    ordered = in_order(overlay, base)
    assert list(ordered) == ["seeds", "datasets", "new"]
    assert list(ordered["datasets"]) == ["mnist", "cifar"]
    assert list(ordered["datasets"]["cifar"]) == ["title", "alpha"]
    assert ordered == overlay


def test_bringing_a_configuration_into_order_leaves_it_as_it_is() -> None:
    overlay = {"b": {"y": 1, "x": 2}, "a": 3}
    in_order(overlay, {"a": 0, "b": {"x": 0, "y": 0}})
    assert list(overlay) == ["b", "a"]
    assert list(overlay["b"]) == ["y", "x"]


def test_a_mapping_may_stand_where_the_base_has_nothing() -> None:
    assert in_order({"sensitivity": {"mnist": {"alpha": [1]}}}, {"sensitivity": None}) == {
        "sensitivity": {"mnist": {"alpha": [1]}}
    }


def asked_by_rules() -> list[Callable[[Study, Any], object]]:
    """The functions of a study and of a job's wildcards."""
    modules = (attack_jobs, code_inputs, figure_specs, inputs, specs, table_specs)
    found = [each for module in modules for _, each in inspect.getmembers(module, inspect.isfunction)]
    return [each for each in found if list(inspect.signature(each).parameters) == ["study", "wildcards"]]


def test_whatever_is_asked_of_a_study_leaves_its_configuration_as_it_was() -> None:
    config = merged(DEFAULT, COMPARATORS)
    study, before = Study(config, ROOT), copy.deepcopy(config)
    functions = [each for each in asked_by_rules() if each not in (inputs.given_weights, specs.given_model)]
    assert len(functions) > 50
    for dataset in study.datasets.values():
        targets.everything(study, dataset)
        wildcards = job(dataset.name, measure="l2", curves="l2", label="7", parameter="alpha", value="1")
        for function in functions:
            function(study, SimpleNamespace(**vars(wildcards) | {"model": dataset.models[-1]}))
    page_specs.whole_study(study, "snakemake")
    assert config == before
    assert list(config["datasets"]) == list(before["datasets"])


def test_the_small_copies_of_a_sweep_come_after_all_datasets_and_only_where_models_are_trained_anew() -> None:
    study = made_study()
    assert list(study.datasets) == ["mnist", "cifar", "mnist-noise-levels"]
    small = study.datasets["mnist-noise-levels"]
    assert (small.whole, small.is_small, small.path) == ("mnist", True, "results/mnist-noise-levels")
    assert small.sweep.values == {}
    assert small.small is None
    assert list(made_study(sensitivity=None).datasets) == ["mnist", "cifar"]
    assert list(made_study(study=["cifar"]).datasets) == ["mnist", "cifar"]


def test_a_small_copy_is_downloaded_with_its_dataset() -> None:
    study = made_study(results="out/")
    assert study.datasets["mnist-noise-levels"].download == "out/mnist/data/download.json"
    assert targets.manifests(study) == ["out/mnist/data/download.json", "out/cifar/data/download.json"]


def test_only_datasets_that_are_studied_count() -> None:
    study = made_study(study=["cifar"])
    assert [dataset.name for dataset in study.studied] == ["cifar"]
    assert [dataset.name for dataset in study.claimed] == ["cifar"]
    assert [dataset.name for dataset in study.timed] == ["cifar"]
    assert [dataset.name for dataset in made_study(study=["mnist"]).timed] == ["mnist", "mnist-noise-levels"]


PETS = {"pets": DEFAULT["datasets"]["mnist"]}
OWN = [
    {"sentence": "a is better", "more_accurate": {"dataset": "pets", "first": "basic-clean", "second": "basic-noisy"}}
]


def test_the_papers_claims_are_judged_where_one_of_its_models_is_studied() -> None:
    study = made_study(study=["pets", "mnist"], datasets=PETS)
    assert [dataset.name for dataset in study.claimed] == ["mnist"]
    assert len(study.claims) == 11
    assert study.judges_paper
    for without in (made_study(study=["pets"], datasets=PETS), of_models({"mine": GIVEN}, study=["mnist"])):
        assert without.claims == without.claimed == []
        assert not without.judges_paper


def test_claims_of_ones_own_take_the_place_of_the_papers() -> None:
    study = made_study(study=["pets", "mnist"], datasets=PETS, claims=OWN)
    assert study.claims == OWN
    assert [dataset.name for dataset in study.claimed] == ["pets"]
    assert not study.judges_paper
    assert made_study(claims=[]).claimed == []


def test_a_sweep_that_no_claim_is_about_is_refused() -> None:
    sweep = {"mnist": None, "pets": {"attacked_images": 9, "alpha": [0.1], "sigma": None}}
    swept = {"study": ["pets"], "datasets": PETS, "sensitivity": sweep}
    for claims in ("paper", OWN):
        with pytest.raises(
            UserError, match=r"^sensitivity\.pets has nothing to judge, .*: state such a claim .* to null$"
        ):
            start.check_sweeps(made_study(**swept, claims=claims))
    compared = {"dataset": "pets", "measure": "l2", "first": "basic-clean", "second": ["basic-noisy"]}
    start.check_sweeps(made_study(**swept, claims=[*OWN, {"sentence": "b, too", "more": compared}]))
    start.check_sweeps(made_study())


def test_one_of_matches_each_name_as_it_is_written_and_nothing_without_names() -> None:
    pattern = re.compile(one_of(["a.b", "c"]))
    assert pattern.fullmatch("a.b")
    assert pattern.fullmatch("c")
    assert not pattern.fullmatch("axb")
    assert not re.compile(one_of([])).search("anything")


def test_attacks_are_told_apart_by_where_they_come_from_and_what_they_take_for_success() -> None:
    study = made_study(**COMPARATORS, sensitivity=None)
    library = [name for name, attack in study.config["attacks"].items() if "library" in attack]
    assert library
    assert study.comparators == library
    assert study.own_attacks == study.untargeted_attacks == study.compared_attacks == ["original", "strong"]
    assert made_study().compared_attacks == []
    aimed = made_study(attacks={"strong": {"target": "next"}})
    assert (aimed.own_attacks, aimed.untargeted_attacks) == (["original", "strong"], ["original"])


def test_claims_are_answered_by_the_papers_attack_first() -> None:
    config = copy.deepcopy(DEFAULT)
    config["attacks"] = {"strong": config["attacks"]["strong"], "original": config["attacks"]["original"]}
    assert Study(config, ROOT).claim_attacks == ["original", "strong"]


@pytest.mark.parametrize(
    ("strong", "checked"),
    [
        ({}, ["original", "strong"]),
        ({"target": "next"}, ["original"]),
        ({"confidence": 0.8, "other_confidences": []}, ["original"]),
        ({"confidence": 0.8, "other_confidences": [0.5]}, ["original", "strong"]),
    ],
)
def test_the_strong_attack_is_checked_where_it_can_be_compared(strong: dict[str, object], checked: list[str]) -> None:
    assert made_study(attacks={"strong": strong}).checked_attacks == checked


def test_an_attack_with_a_swept_step_is_found_by_its_name_and_has_that_step() -> None:
    study = made_study()
    assert study.swept_attacks == [
        "original-alpha=0.0025",
        "original-alpha=0.01",
        "original-alpha=0.0005",
        "original-alpha=0.002",
    ]
    mnist = study.datasets["mnist"]
    for name in study.swept_attacks:
        attack = study.attacks[name]
        assert attack.name == name
        assert mnist.attack_settings(attack) == mnist.attack_settings(Attack("original")) | {"alpha": attack.alpha}


def test_an_attack_has_the_step_of_its_dataset_and_the_number_of_the_class_that_it_aims_at() -> None:
    study = made_study(attacks={"strong": {"target": "ship"}})
    cifar, mnist = study.datasets["cifar"], study.datasets["mnist"]
    assert cifar.attack_settings(Attack("strong"))["target"] == 8
    assert mnist.attack_settings(Attack("strong"))["target"] == "ship"
    assert cifar.attack_settings(Attack("original"))["target"] is None
    assert [each.attack_settings(Attack("original"))["alpha"] for each in (mnist, cifar)] == [0.005, 0.001]
    assert study.config["attacks"]["strong"]["target"] == "ship"


def test_more_images_only_add_shards() -> None:
    few, more = (made_study(shard_images=200, datasets={"mnist": {"attacked_images": n}}) for n in (500, 700))
    assert few.datasets["mnist"].shards == ["0-200", "200-400", "400-500"]
    assert more.datasets["mnist"].shards[:2] == few.datasets["mnist"].shards[:2]
    assert more.datasets["mnist"].shards[2:] == ["400-600", "600-700"]
    assert more.datasets["mnist"].swept_shards == ["0-100"]


def test_a_model_with_given_weights_is_one_network_for_all_seeds_and_not_trained() -> None:
    trained = {"architecture": "basic", "data": "clean"}
    config = {**of_models({"mine": GIVEN, "basic": trained}).config, "seeds": [3, 4]}
    mnist = Study(config, ROOT).datasets["mnist"]
    assert mnist.trained == mnist.clean == ["basic"]
    assert mnist.networks == [("mine", 3), ("basic", 3), ("basic", 4)]
    assert mnist.has_judges
    assert not of_models({"mine": GIVEN}).datasets["mnist"].has_judges


def test_which_rule_makes_weights_is_a_matter_of_dataset_and_model() -> None:
    study = of_models({"mine": GIVEN, "basic": {"architecture": "basic", "data": "clean"}})
    assert "mnist/models/mine" in study.places_of_models(trained=False)
    trained = study.places_of_models(trained=True)
    assert {"mnist/models/basic", "cifar/models/resnet-noisy", "mnist-noise-levels/models/basic"} <= set(trained)
    assert not set(trained) & set(study.places_of_models(trained=False))


def test_files_of_every_network_go_model_by_model_and_attack_by_attack() -> None:
    study = made_study(seeds=[0, 1], results="out")
    found = study.datasets["mnist"].measures(["original", "strong"], ["basic-clean", "resnet-clean"])
    assert found == [
        f"out/mnist/attacks/{attack}/{model}/seed{seed}/measures.parquet"
        for attack in ("original", "strong")
        for model in ("basic-clean", "resnet-clean")
        for seed in (0, 1)
    ]


def test_architectures_keep_the_order_of_the_configuration_and_own_ones_come_last() -> None:
    mine = GIVEN | {"title": "Mine"}
    models = {
        "mine": mine,
        "b": {"architecture": "resnet", "data": "noisy"},
        "a": {"architecture": "basic", "data": "clean"},
    }
    mnist = of_models(models).datasets["mnist"]
    assert list(mnist.architectures) == ["basic", "resnet", "Mine (my_networks:small)"]


def test_no_program_imports_the_package() -> None:
    programs = sorted(LIBRARY.parent.glob("*.py"))
    assert programs
    for program in programs:
        assert not imported(program) & set(WORKFLOW), program


@pytest.mark.parametrize("folder", ["./out", "out/", "out//"])
def test_a_folder_of_results_is_one_however_it_is_written(folder: str) -> None:
    study = made_study(results=folder)
    assert (study.results, study.datasets["mnist"].path) == ("out", "out/mnist")
