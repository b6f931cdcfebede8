"""Footnotes and the terminal say in sentences what was done, how often, and where."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_study import GIVEN, made_study, of_models

from robustness.errors import UserError
from robustness.runtime.run_summary import Job
from robustness.workflow import hooks, sentences, start
from robustness.workflow.study import Study


def test_images_and_seeds_are_counted_and_networks_that_are_the_same_for_each_seed_are_told() -> None:
    one = made_study()
    assert sentences.attacked(one.datasets["mnist"]) == "400 test images, 1 seed."
    trained = {"basic": {"architecture": "basic", "data": "clean"}}
    for models, same in ((trained, False), (trained | {"mine": GIVEN}, True)):
        study = Study({**of_models(models).config, "seeds": [0, 1]}, Path())
        for said in (sentences.attacked(study.datasets["mnist"]), sentences.bounded(study.datasets["mnist"])):
            assert "2 seeds." in said
            assert (
                "came with their weights are the same for each seed: their intervals are over images" in said
            ) == same


def test_noise_is_described_where_a_model_sees_it() -> None:
    study = made_study()
    assert "Gaussian noise, σ = 0.91" in sentences.changed_data(study.datasets["mnist"])
    assert "rotated by up to 10°, shifted by 10%" in sentences.changed_data(study.datasets["cifar"])
    assert "half of them mirrored" in sentences.changed_data(study.datasets["cifar"])
    assert sentences.changed_data(of_models({"mine": GIVEN}).datasets["mnist"]) == ""


def test_adversarial_training_is_described_with_its_budget() -> None:
    study = made_study(datasets={"cifar": {"models": {"resnet-clean": {"data": "adversarial"}}}})
    assert sentences.changed_data(study.datasets["cifar"]).endswith(
        "Adversarial models: in each epoch, every training image is changed by PGD (Madry et al., 2018) within L∞ ≤ "
        "8/255, in 7 steps of 2/255."
    )


def test_an_attack_is_described_by_its_own_goal_unless_another_is_given() -> None:
    mnist = made_study().datasets["mnist"]
    assert sentences.attack(mnist) == (
        "Attack original: probability reward, sign steps, α = 0.005, until any wrong class has probability 0.9, at "
        "most 1000 iterations."
    )
    assert "until the target class has probability 0.9, at most 300 iterations" in sentences.attack(
        mnist, "strong", "the target class", 300
    )
    aimed = made_study(attacks={"original": {"target": "next"}}).datasets["mnist"]
    assert "until target next has" in sentences.attack(aimed)


def test_the_sweep_says_what_was_trained_anew() -> None:
    study = made_study()
    assert sentences.swept(study.datasets["mnist"])[2] == ("Other σ: models trained anew on 3,000 images, α = 0.005.")
    assert len(sentences.swept(study.datasets["cifar"])) == 2


def test_the_command_names_overlays_and_values_but_no_places_of_files(tmp_path: Path) -> None:
    base = tmp_path / "config.yaml"
    files = [base, "scales/paper.yaml", "own file.yaml"]
    given = {"seeds": [1, 2], "downloads": "/data", "mirror": "/mirror", "results": "out"}
    assert sentences.command(files, given, base) == (
        "snakemake --cores 8 --configfile scales/paper.yaml 'own file.yaml' --config results=out 'seeds=[1, 2]'"
    )
    assert sentences.command([base], {"mirror": "/mirror"}, base) == "snakemake --cores 8"


def test_a_run_says_what_it_does_and_where_results_go() -> None:
    study = made_study(results="out")
    said = hooks.announcement(study, [Job("train_model"), Job("train_model"), Job("plot_bars")], 2)
    assert said.startswith("\n  Scale default: narrowed networks, fewer images.\n")
    assert "  To do: 2 trainings and 1 figure.\n" in said
    assert "  Results go to out/, logs to out/<dataset>/logs/, Snakemake's own to .snakemake/log/.\n" in said
    assert "To do" not in hooks.announcement(study, [], 2)


def test_a_run_says_what_a_dataset_lacks_for_want_of_another_network() -> None:
    alone = of_models({"mine": GIVEN})
    assert "mnist has only one network, so believability and transfer" in hooks.announcement(alone, [], 1)
    one = of_models({"basic": {"architecture": "basic", "data": "clean"}})
    seeds = Study({**one.config, "seeds": [0, 1]}, one.root)
    assert "mnist has only one model, so transfer" in hooks.announcement(seeds, [], 1)
    assert "mnist has" not in hooks.announcement(made_study(), [], 1)


def test_success_names_models_that_cannot_be_trusted_and_a_damaged_table_does_not_hide_it(tmp_path: Path) -> None:
    study = made_study(results=str(tmp_path), study=["mnist"])
    done = [Job("plot_bars", output=(f"{tmp_path}/mnist/figures/mean_change.svg",))]
    assert "mnist/figures/mean_change.svg" in hooks.outcome(study, done)
    table = tmp_path / "mnist" / "tables" / "trust.csv"
    table.parent.mkdir(parents=True)
    table.write_text("nonsense\n", encoding="utf-8")
    said = hooks.outcome(study, done)
    assert "mean_change.svg" in said
    assert "trust.csv" in said


def test_failure_names_the_job_that_failed() -> None:
    assert "Failed: train_model (model=basic)" in hooks.failure(
        [Job("train_model", "model=basic")], 0.0, {}, on_cluster=False
    )


def snakemakes_job(rule: str, *params: object, is_norun: bool = False) -> Any:
    """A job as Snakemake has it."""
    made = {"output": [f"{rule}.csv"], "log": [f"{rule}.log"], "benchmark": None, "threads": 2}
    rules = SimpleNamespace(name=rule, params=list(params))
    return SimpleNamespace(rule=rules, is_norun=is_norun, wildcards_dict={"dataset": "mnist", "seed": 0}, **made)


def test_jobs_are_told_in_order_less_those_that_only_name_files() -> None:
    jobs = [snakemakes_job("b"), snakemakes_job("all", is_norun=True), snakemakes_job("a")]
    assert hooks.as_jobs(jobs) == [
        Job(name, "dataset=mnist, seed=0", (f"{name}.csv",), f"{name}.log", None, 2) for name in ("a", "b")
    ]


def test_what_a_job_runs_are_the_paths_after_the_first_and_before_any_digest() -> None:
    start_job, program, module, results = map(Path, ("start_job.py", "plot.py", "bars.py", "results"))
    jobs = [
        snakemakes_job("one", start_job, program, "plot.py 00", "{}", results),
        snakemakes_job("two", start_job, program, module, "plot.py 00"),
        snakemakes_job("all", is_norun=True),
    ]
    assert hooks.sources_of(jobs) == [(program,), (program, module)]


def test_missing_weights_are_named_with_their_key(tmp_path: Path) -> None:
    start.check_given_weights(made_study())
    with pytest.raises(UserError, match=r"datasets\.mnist\.models\.mine\.weights is mine\.pt, which does not exist"):
        start.check_given_weights(of_models({"mine": GIVEN}))
    weights = tmp_path / "mine.pt"
    weights.write_bytes(b"")
    start.check_given_weights(of_models({"mine": GIVEN | {"weights": str(weights)}}))


def test_jobs_are_told_where_things_are_and_which_factories_they_may_run() -> None:
    found = start.environment(of_models({"mine": GIVEN}))
    assert found["ROBUSTNESS_DOWNLOADS"] == "results/downloads"
    assert found["ROBUSTNESS_MIRROR"] == ""
    assert Path(found["ROBUSTNESS_PYTHON_PATH"]).is_absolute()
    assert "my_networks:small" in found["ROBUSTNESS_NETWORKS"]
    assert start.environment(made_study())["ROBUSTNESS_NETWORKS"] == "[]"


def test_jobs_know_of_which_classes_examples_are_shown_and_of_how_many_images() -> None:
    study = made_study()
    entry = study.studied[0].entry
    found = json.loads(start.environment(study)["ROBUSTNESS_EXAMPLES"])
    assert found[study.studied[0].name] == [entry["example_classes"], entry["attacked_images"]]


def test_a_folder_that_can_be_made_can_be_written_to(tmp_path: Path) -> None:
    start.check_writable(str(tmp_path / "not" / "there" / "yet"))


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=f"cannot write to {tmp_path}: make it writable, or set 'results'"):
        start.check_writable(str(tmp_path / "results"))
