"""A spec has what shapes a job's result and nothing else, and is one string in which no order is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from made_study import COMPARATORS, GIVEN, ROOT, job, made_study, of_models

from robustness.errors import UserError
from robustness.workflow import attack_jobs, figure_specs, given_files, page_specs, specs, table_specs
from robustness.workflow.params import Untracked, as_param
from robustness.workflow.study import Study

OTHER_WORDS: dict[str, Any] = {
    "scale": {"title": "other words"},
    "results": "elsewhere",
    "shard_images": 7,
    "datasets": {"mnist": {"title": "Other"}, "cifar": {"alpha": 0.5}},
    "architectures": {"basic": {"title": "Other"}},
}
"""Changes that no result of a job on MNIST's basic classifier depends on."""


def test_a_param_is_one_string_that_does_not_depend_on_the_order_of_keys_but_on_that_of_values() -> None:
    assert as_param({"b": 1, "a": [1, 2]}) == as_param({"a": [1, 2], "b": 1}) == '{"a": [1, 2], "b": 1}'
    assert as_param({"a": [1, 2]}) != as_param({"a": [2, 1]})


@pytest.mark.parametrize(
    "spec",
    [
        attack_jobs.spec,
        specs.augmentation,
        specs.data,
        specs.judge,
        specs.measure,
        specs.speed,
        specs.targeted,
        specs.training,
        specs.transfer,
        specs.trust,
    ],
)
def test_words_places_and_other_datasets_shape_no_computed_result(spec: Any) -> None:
    wildcards = job(label="7", measure="mean_change")
    assert as_param(spec(made_study(), wildcards)) == as_param(spec(made_study(**OTHER_WORDS), wildcards))


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        (attack_jobs.spec, {"attacks": {"original": {"confidence": 0.8}}}),
        (attack_jobs.spec, {"datasets": {"mnist": {"alpha": 0.1}}}),
        (specs.training, {"training": {"epochs": 99, "batch_size": 1}}),
        (specs.training, {"datasets": {"mnist": {"models": {"basic-clean": {"training": {"epochs": 1}}}}}}),
        (specs.training, {"architectures": {"basic": {"hidden": 1}}}),
        (specs.data, {"datasets": {"mnist": {"split": {"train": 1}}}}),
        (specs.measure, {"datasets": {"mnist": {"changed_pixel_threshold": 0.5}}}),
        (specs.trust, {"trust": {"images": 1}}),
        (specs.targeted, {"targeted": {"max_iterations": 1}}),
        (specs.judge, {"seeds": [0, 1]}),
        (figure_specs.bars, {"scale": {"title": "other words"}}),
        (figure_specs.bars, {"datasets": {"mnist": {"title": "Other"}}}),
        (table_specs.robustness, {"attacks": {"third": {}}}),
        (page_specs.claims, {"seeds": [0, 1]}),
        (page_specs.claims, {"claims": []}),
        (specs.claims, {"claims": []}),
        (specs.claims, {"datasets": {"mnist": {"alpha": 0.1}}}),
    ],
)
def test_what_shapes_a_result_is_in_its_spec(spec: Any, changed: dict[str, Any]) -> None:
    wildcards = job(label="7", measure="mean_change")
    assert as_param(spec(made_study(), wildcards)) != as_param(spec(made_study(**changed), wildcards))


def test_only_adversarial_training_has_a_budget_and_only_it_is_repeated_when_the_budget_changes() -> None:
    models = {"cifar": {"models": {"resnet-clean": {"data": "adversarial"}}}}
    wildcards = job("cifar", model="resnet-clean")
    found = specs.training(made_study(datasets=models), wildcards)
    assert found["adversarial"] == {"ball": "linf", "epsilon": 8 / 255, "step_size": 2 / 255, "pgd_steps": 7}
    assert found["augmentation"] is None
    other = {"cifar": {"adversarial": {"pgd_steps": 1}}}
    for model in ("resnet-clean", "resnet-noisy"):
        wildcards = job("cifar", model=model)
        assert specs.training(made_study(datasets=other), wildcards) == specs.training(made_study(), wildcards)


def test_a_model_takes_its_own_training_settings_over_the_common_ones() -> None:
    study = made_study()
    found = specs.training(study, job(model="basic-clean", seed="3"))
    assert found["training"] == study.config["training"] | {"epochs": 10}
    assert found["seed"] == 3
    assert found["augmentation"] is None
    assert specs.training(study, job(model="basic-noisy"))["augmentation"]["sigma"] == 0.91


def test_addresses_and_mirrors_do_not_change_what_is_prepared() -> None:
    moved = made_study(sources={"mnist-idx": {"addresses": ["https://elsewhere.org/"]}}, mirror="/data")
    assert specs.data(moved, job()) == specs.data(made_study(), job())
    assert specs.download(moved, job())["addresses"] == ["https://elsewhere.org/"]


def of_folder(folder: Path) -> Study:
    """The study in which MNIST is a folder of images."""
    return made_study(
        sources={"own": {"kind": "imagefolder", "path": str(folder)}}, datasets={"mnist": {"source": "own"}}
    )


def test_images_of_a_folder_are_prepared_again_when_one_changes(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "7"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"one")
    given_files.digest_of.cache_clear()
    before = specs.data(of_folder(tmp_path), job())
    assert before["images"]
    (folder / "a.png").write_bytes(b"another")
    assert specs.data(of_folder(tmp_path), job()) == before  # looked at once for each start
    given_files.digest_of.cache_clear()
    assert specs.data(of_folder(tmp_path), job()) != before


def test_an_archive_of_images_and_a_file_of_weights_are_known_by_what_is_in_them_and_not_by_their_times(
    tmp_path: Path,
) -> None:
    archive = tmp_path / "images.tar"
    study = made_study(
        sources={"own": {"kind": "imagefolder", "path": str(archive)}}, datasets={"mnist": {"source": "own"}}
    )
    weights = of_models({"mine": GIVEN | {"weights": str(archive)}})

    def seen(content: bytes, time: int) -> tuple[str, str]:
        archive.write_bytes(content)
        os.utime(archive, (time, time))
        given_files.digest_of.cache_clear()
        return specs.data(study, job())["images"], specs.given_model(weights, job(model="mine"))["weights"]

    first = seen(b"one", 2_000)
    assert all(first)
    assert seen(b"one", 3_000) == first
    assert not set(seen(b"two", 1_000)).intersection(first)  # an older file in its place
    assert not set(seen(b"2", 2_000)).intersection(first)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> str:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(given_files, "digest", refuse)
    given_files.digest_of.cache_clear()
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\): make it readable"):
        specs.data(of_folder(tmp_path), job())


def test_a_given_model_is_imported_whatever_it_is_called() -> None:
    found = specs.given_model(of_models({"mine": GIVEN}), job(model="mine"))
    assert found["title"] == "mnist/mine"
    assert "title" not in found["architecture"]
    assert found["classes"] == 10
    assert found["weights"] == ""  # of a file that does not exist


@pytest.mark.parametrize("spec", [attack_jobs.spec, specs.bound, specs.targeted, specs.trust, specs.comparator])
def test_one_network_is_attacked_with_the_same_random_numbers_for_each_seed(spec: Any) -> None:
    models = {"basic": {"architecture": "basic", "data": "clean"}, "mine": GIVEN}
    config = of_models(models, **COMPARATORS).config
    study = Study({**config, "seeds": [3, 4]}, ROOT)
    attack = next(name for name in COMPARATORS["attacks"]) if spec is specs.comparator else "original"

    def seeds_of(model: str) -> list[int]:
        return [spec(study, job(model=model, seed=seed, attack=attack))["seed"] for seed in ("3", "4")]

    assert seeds_of("basic") == [3, 4]
    assert seeds_of("mine") == [3, 3]


def test_attacks_that_differ_in_the_reward_alone_know_each_other() -> None:
    study = made_study(results="out")
    (partner,) = json.loads(str(attack_jobs.partners(study, job())))
    assert partner["spec"] == attack_jobs.spec(study, job(attack="strong"))
    assert partner["records"] == "out/mnist/attacks/strong/basic-clean/seed0/0-200.parquet"
    assert partner["checkpoint"] == "out/mnist/checkpoints/strong-basic-clean-seed0-0-200.safetensors"
    alone = made_study(attacks={"strong": {"max_iterations": 5}})
    assert json.loads(str(attack_jobs.partners(alone, job()))) == []


def test_the_first_of_attacks_that_share_steps_comes_first_and_a_swept_one_shares_none() -> None:
    study = made_study()
    found = [attack_jobs.priority(study, job(attack=name)) for name in ("original", "strong", "original-alpha=0.01")]
    assert found == [0, -1, 0]
    assert str(attack_jobs.partners(study, job(attack="original-alpha=0.01"))) == "[]"


def test_what_a_job_knows_of_others_is_no_plain_value_which_snakemake_would_compare() -> None:
    found = attack_jobs.partners(made_study(), job())
    assert isinstance(found, Untracked)
    assert not isinstance(found, str)


def test_judges_are_all_networks_but_the_attacked_one() -> None:
    trained = {"architecture": "basic", "data": "clean"}
    config = of_models({"basic": trained, "mine": GIVEN}).config
    study = Study({**config, "seeds": [0, 1]}, Path())
    assert specs.judge(study, job(model="basic", seed="1"))["judges"] == [("basic", 0), ("mine", 0)]
    assert specs.judge(study, job(model="mine", seed="1"))["judges"] == [("basic", 0), ("basic", 1)]


def test_claims_name_the_datasets_that_can_be_judged() -> None:
    study = of_models({"mine": GIVEN})
    found = specs.claims(study, job())
    assert [entry["name"] for entry in found["datasets"]] == ["mnist", "cifar"]
    assert found["judged"] == ["cifar"]
    assert found["attacks"] == [["original", 0.9], ["strong", 0.9]]


def test_a_title_of_an_architecture_changes_no_computation() -> None:
    assert specs.without_title({"title": "Basic", "hidden": 5}) == {"hidden": 5}


def test_a_timed_attack_has_no_other_levels_and_no_more_images_than_there_are() -> None:
    found = specs.speed(made_study(datasets={"mnist": {"split": {"test": 500}}}), job())
    assert (found["images"], found["attack"]["other_confidences"], found["attack"]["tighten"]) == (500, [], False)
    assert specs.speed(made_study(), job())["images"] == 1000


def test_comparators_are_told_with_their_methods() -> None:
    study = made_study(**COMPARATORS)
    found = table_specs.comparison(study, job())
    assert found["attacks"] == ["original", "strong"]
    assert [name for name, _ in found["comparators"]] == study.comparators
    assert specs.comparator(study, job(attack=study.comparators[0]))["attack"]["library"]


def test_curves_are_of_one_measure_or_of_all_confidences() -> None:
    study = made_study()
    one = figure_specs.robustness_curves(study, job(curves="linf"))["panels"]
    assert one == [{"measure": "linf", "required_confidence": 0.9}]
    several = figure_specs.robustness_curves(study, job(curves="confidence"))["panels"]
    assert [panel["required_confidence"] for panel in several] == [0.0, 0.5, 0.9]


def test_training_curves_show_the_models_that_are_trained_here_and_name_the_others() -> None:
    study = of_models({"mine": GIVEN, "basic": {"architecture": "basic", "data": "clean"}})
    found = figure_specs.training_curves(study, job())
    assert [model["name"] for model in found["models"]] == ["basic"]
    assert "Not trained here: mine." in found["footnote"]


def test_every_figure_names_the_scale_first() -> None:
    found = figure_specs.networks(made_study(), job())
    assert found["footnote"] == ["Scale default: narrowed networks, fewer images."]
    assert found["dataset"]["name"] == "mnist"


def test_times_tell_the_small_copy_from_its_dataset() -> None:
    entries = figure_specs.run_time(made_study(study=["mnist"]), job())["datasets"]
    assert [(entry["name"], entry["title"]) for entry in entries] == [
        ("mnist", "MNIST"),
        ("mnist-noise-levels", "MNIST, noise levels"),
    ]


def test_the_table_of_times_knows_where_the_rules_of_a_dataset_write_theirs() -> None:
    study = made_study(results="out", study=["mnist"])
    written = {
        "train_model": "out/{dataset}/benchmarks/train_model/{model}-seed{seed}.tsv",
        "assess_claims": "out/benchmarks/assess_claims.tsv",
    }
    found = table_specs.run_time(study, written)
    assert found["benchmarks"] == {"train_model": "benchmarks/train_model/{model}-seed{seed}.tsv"}
    assert "original-alpha=0.0025" in found["attacks"]


def test_the_table_of_times_is_outdated_by_a_new_time(tmp_path: Path) -> None:
    study = made_study(results=str(tmp_path), study=["mnist"])
    before = table_specs.times_so_far(study, job())
    folder = tmp_path / "mnist" / "benchmarks" / "train_model"
    folder.mkdir(parents=True)
    (folder / "basic.tsv").write_text("s\n1.5\n", encoding="utf-8")
    assert table_specs.times_so_far(study, job()) != before


def test_the_page_of_the_study_has_the_studied_datasets_alone() -> None:
    found = page_specs.whole_study(made_study(study=["cifar"]), "snakemake --cores 8")
    assert list(found["config"]["datasets"]) == ["cifar"]
    assert list(found["config"]["sources"]) == ["cifar-python"]
    assert found["command"] == "snakemake --cores 8"
    assert [dataset["name"] for dataset in found["datasets"]] == ["cifar"]


def test_a_page_is_written_anew_when_its_template_changes(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    names, found = ("trust", "parts"), set()
    for name in names:
        (folder / f"{name}.html.j2").write_text("one", encoding="utf-8")
    for name in ("", *names):
        if name:
            (folder / f"{name}.html.j2").write_text("two", encoding="utf-8")
        found.add(as_param(page_specs.trust(made_study(tmp_path), job())))
    assert len(found) == 3
