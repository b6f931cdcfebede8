"""After a change, exactly what the change concerns is computed again: dry-runs of a finished experiment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import DIGITS, TINY, Copy, Job, changed, counts, missing

OTHER_NETWORKS = {"judge_attack", "tabulate_believability", "transfer_attack", "tabulate_transfer"}
TARGETS = {"attack_targets", "tabulate_targets"}
MARKED = {
    "plot_bars",
    "plot_examples",
    "plot_differences",
    "plot_robustness_curves",
    "plot_believability",
    "plot_transfer",
    "plot_targets",
}
AFTER_CHECKS = MARKED | {"tabulate_trust", "write_trust_page"}
AFTER_ATTACK = (
    OTHER_NETWORKS
    | AFTER_CHECKS
    | {
        "tabulate_rank_agreement",
        "attack_shard",
        "check_trust",
        "measure_attack",
        "tabulate_robustness",
        "select_examples",
    }
)
AFTER_TRAINING = AFTER_ATTACK | TARGETS | {"train_model", "evaluate_model", "tabulate_accuracy", "plot_training_curves"}


def digits(**settings: Any) -> dict[str, Any]:
    return {"datasets": {"digits": settings}}


def values(jobs: list[Job], wildcard: str, rule: str | None = None) -> set[str]:
    """The values that a wildcard has in the jobs (of one rule)."""
    return {job.wildcards[wildcard] for job in jobs if wildcard in job.wildcards and rule in (None, job.rule)}


def test_a_second_run_has_nothing_to_do(finished: Copy) -> None:
    assert finished.plan() == []


def test_touched_source_files_rerun_nothing(finished: Copy) -> None:
    sources = list(finished.folder.glob("scripts/**/*.py"))
    sources += [*finished.folder.glob("rules/*.smk"), finished.path("Snakefile"), finished.path("config.yaml")]
    before = {path: path.stat() for path in sources}
    try:
        for path in sources:
            os.utime(path)
        assert finished.plan() == []
    finally:
        for path, times in before.items():
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_an_edited_figure_redraws_itself_alone(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/products/figures/architecture.py")):
        assert counts(finished.plan()) == {"plot_architecture": 1}


def test_an_edited_table_is_made_again_without_what_others_are_made_from(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/products/tables/transfer.py")):
        assert set(counts(finished.plan())) == {"tabulate_transfer", "plot_transfer"}


def test_an_edited_attack_repeats_attacks_and_what_follows_but_no_training(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/attacks/iterated_sign.py")):
        jobs = finished.plan()
    assert set(counts(jobs)) == AFTER_ATTACK | TARGETS
    assert counts(jobs)["attack_shard"] == 8


@pytest.mark.parametrize("name", ["runtime/terminal.py", "runtime/progress.py", "runtime/cli.py", "errors.py"])
def test_how_a_job_talks_to_people_repeats_nothing(finished: Copy, name: str) -> None:
    with changed(finished.path(f"scripts/robustness/{name}")):
        assert finished.plan() == []


def test_the_reason_names_the_module_that_changed(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/attacks/iterated_sign.py")):
        reasons = {job.reason for job in finished.plan() if job.rule == "attack_shard"}
    assert len(reasons) == 1
    assert reasons.pop().count("robustness/attacks/iterated_sign.py") == 2  # before and now


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from __future__ import annotations\n", "# a comment\nfrom __future__ import annotations  # and another\n"),
        ('"""', '"""In other words: '),
        ("\n\n\n", "\n\n\n\n\n"),
    ],
    ids=["comments", "docstrings", "empty lines"],
)
def test_words_for_readers_repeat_nothing(finished: Copy, old: str, new: str, tmp_path: Path) -> None:
    edited = finished.duplicate(tmp_path / "workflow")
    for path in edited.folder.glob("scripts/**/*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert edited.plan() == []


def test_a_script_that_cannot_be_read_is_named_with_its_line(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/products/figures/bars.py"), "\nbars = = 1\n"):
        answer = finished.run("--dry-run", DIGITS)
    assert answer.code == 1
    assert "bars.py, line " in answer.said
    assert "is not valid Python" in answer.said
    assert "Traceback" not in answer.said


def test_an_edited_augmentation_repeats_exactly_what_depends_on_it(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/training/augmentation.py")):
        jobs = finished.plan()
    assert set(counts(jobs)) >= {"train_model", "sample_augmentation", "plot_training_noise"}
    assert not set(counts(jobs)) & {"prepare_data", "describe_models", "plot_architecture", "plot_skip_connection"}


def test_one_models_learning_rate_repeats_only_that_models_chain(finished: Copy) -> None:
    jobs = finished.plan(overlay=digits(models={"resnet-noisy": {"training": {"learning_rate": 0.02}}}))
    assert set(counts(jobs)) == AFTER_TRAINING
    for rule in ("train_model", "evaluate_model", "attack_shard", "measure_attack", "attack_targets"):
        assert values(jobs, "model", rule) == {"resnet-noisy"}
    assert values(jobs, "model", "judge_attack") == {"small-clean", "resnet-noisy"}  # each judges the other
    assert counts(jobs)["attack_shard"] == 4


def test_one_attacks_confidence_repeats_that_attack_and_no_training(finished: Copy) -> None:
    jobs = finished.plan(overlay={"attacks": {"original": {"confidence": 0.6}}})
    assert set(counts(jobs)) == AFTER_ATTACK
    assert values(jobs, "attack") == {"original"}
    assert counts(jobs)["attack_shard"] == 4


def test_another_confidence_to_record_repeats_that_attack_and_no_training(finished: Copy) -> None:
    jobs = finished.plan(overlay={"attacks": {"strong": {"other_confidences": ["argmax", 0.8]}}})
    attacked = {"attack_shard", "check_trust", "measure_attack", "tabulate_robustness"}
    assert set(counts(jobs)) == attacked | AFTER_CHECKS | TARGETS
    assert counts(jobs)["attack_shard"] == 4
    assert values(jobs, "attack") == {"strong"}


def test_an_attack_that_shares_its_steps_with_others_or_no_longer_does_repeats_none_of_them(finished: Copy) -> None:
    third = {"reward": "cross_entropy", "direction": "sign", "gradients": "float32", "target": None, "tighten": False}
    third |= {"confidence": 0.5, "other_confidences": ["argmax"], "max_iterations": 60}
    jobs = finished.plan(overlay={"attacks": {"third": third}})
    assert values(jobs, "attack") == {"third"}
    assert counts(jobs)["attack_shard"] == 4
    jobs = finished.plan(overlay={"attacks": {"strong": {"max_iterations": 50}}})
    assert values(jobs, "attack") == {"strong"}


def test_attacks_that_share_their_steps_are_computed_once_with_the_bytes_that_each_has_alone(
    finished: Copy, tmp_path: Path
) -> None:
    copy = finished.duplicate(tmp_path / "workflow")
    shards = [f"{DIGITS}/attacks/{attack}/small-clean/seed0/0-10" for attack in ("original", "strong")]
    log = copy.path(f"{DIGITS}/logs/attack_shard/strong-small-clean-seed0-0-10.log")
    records = [f"{shard}.parquet" for shard in shards]
    before = [copy.path(name).read_bytes() for name in records]
    for names, taken in ((records, True), (records[1:], False)):
        for name in names:
            copy.path(name).unlink()
        assert counts(copy.plan(*names)) == {"attack_shard": len(names)}
        copy.run("--cores", "1", *names).succeeded()
        assert ("continuing after" in log.read_text(encoding="utf-8")) is taken
        assert [copy.path(name).read_bytes() for name in records] == before
        assert list(copy.path(f"{DIGITS}/checkpoints").iterdir()) == []
    assert copy.plan() == []


def test_more_images_for_the_targeted_attack_repeat_that_attack_alone(finished: Copy) -> None:
    jobs = finished.plan(overlay={"targeted": {"images_per_class": 2}})
    assert counts(jobs) == {"attack_targets": 2, "tabulate_targets": 1, "plot_targets": 2}


def test_what_judges_are_asked_by_repeats_what_is_asked_and_no_attack(finished: Copy) -> None:
    with changed(finished.path("scripts/robustness/analysis/cross_model.py")):
        assert set(counts(finished.plan())) == OTHER_NETWORKS | {"plot_believability", "plot_transfer"}


def test_more_attacked_images_run_only_the_new_shards(finished: Copy) -> None:
    jobs = finished.plan(overlay=digits(attacked_images=30))
    assert values(jobs, "start", "attack_shard") == {"20"}
    assert values(jobs, "stop", "attack_shard") == {"30"}
    assert set(counts(jobs)) == AFTER_ATTACK
    assert counts(jobs)["attack_shard"] == 4


def test_two_values_swapped_in_one_setting_are_noticed(finished: Copy) -> None:
    jobs = finished.plan(overlay=digits(augmentation={"rotation": 10, "shear": 15}))
    assert values(jobs, "model", "train_model") == {"resnet-noisy"}
    assert "sample_augmentation" in counts(jobs)


def test_two_models_swapped_values_are_noticed(finished: Copy) -> None:
    jobs = finished.plan(
        overlay=digits(models={"small-clean": {"data": "noisy"}, "resnet-noisy": {"data": "clean"}}),
    )
    assert values(jobs, "model", "train_model") == {"small-clean", "resnet-noisy"}


@pytest.mark.parametrize(
    "options",
    [
        ("--set-threads", "attack_shard=2", "train_model=2"),
        ("--cores", "1"),
        ("--set-resources", "attack_shard:mem_mb=4000", "attack_shard:gpu=1", "train_model:runtime=10"),
        ("--default-resources", "mem_mb=4000"),
    ],
    ids=["threads", "cores", "memory and devices", "memory of all"],
)
def test_how_jobs_are_run_repeats_nothing(finished: Copy, options: tuple[str, ...]) -> None:
    assert finished.plan(*options, DIGITS) == []


def test_a_profile_repeats_nothing(finished: Copy, tmp_path: Path) -> None:
    settings = {"jobs": 7, "keep-going": True, "set-threads": {"attack_shard": 2}, "default-resources": {"runtime": 30}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert finished.plan("--profile", str(tmp_path), DIGITS) == []


def test_another_device_repeats_nothing(finished: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert finished.plan() == []


def test_a_moved_repository_repeats_nothing(finished: Copy, tmp_path: Path) -> None:
    moved = finished.duplicate(tmp_path / "another" / "place")
    assert moved.plan() == []


def test_a_run_from_another_folder_repeats_nothing(finished: Copy, tmp_path: Path) -> None:
    # The results go along; the workflow stays where it is.
    for part in ("results", ".snakemake"):
        shutil.copytree(finished.path(part), tmp_path / part)
    shutil.copytree(finished.path("tests"), tmp_path / "tests")
    snakefile = str(finished.path("Snakefile"))
    assert finished.plan("--snakefile", snakefile, "--directory", str(tmp_path), DIGITS) == []


def test_a_failed_shard_is_repeated_alone(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path / "workflow")
    folder = f"{DIGITS}/attacks/original/resnet-noisy/seed0"
    overlay = digits(attacked_images=40)
    blocked = copy.path(f"{DIGITS}/checkpoints/original-resnet-noisy-seed0-30-40.safetensors")
    blocked.mkdir(parents=True)  # so that it cannot be used as a file
    answer = copy.run("--keep-going", f"{folder}/20-30.parquet", f"{folder}/30-40.parquet", overlay=overlay)
    assert answer.code == 1
    assert copy.path(f"{folder}/20-30.parquet").exists()
    blocked.rmdir()
    jobs = [job for job in copy.plan(f"{folder}/measures.parquet", overlay=overlay) if job.rule == "attack_shard"]
    assert [job.wildcards["start"] for job in jobs] == ["30"]


def test_more_images_in_the_checks_repeat_them_and_what_shows_their_verdict(finished: Copy) -> None:
    jobs = finished.plan(overlay={"trust": {"images": 7}})
    assert set(counts(jobs)) == AFTER_CHECKS | {"check_trust"}


def test_an_edited_template_writes_its_page_again(finished: Copy) -> None:
    with changed(finished.path("report/trust.html.j2")):
        assert counts(finished.plan()) == {"write_trust_page": 1}


def test_the_page_of_claims_follows_its_templates_and_not_the_folder_that_they_lie_in(
    fresh: Copy, tmp_path: Path
) -> None:
    page, copy = "results/tiny/claims.html", fresh.duplicate(tmp_path / "workflow")
    config = copy.path(TINY)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("study: [digits, colours]", "study: [digits]"), encoding="utf-8")
    copy.run(page).succeeded()
    for template in ("claims", "parts"):
        with changed(copy.path(f"report/{template}.html.j2"), "\nmore"):
            assert counts(copy.plan(page)) == {"write_claims_page": 1}
    elsewhere = tmp_path / "elsewhere"
    for part in ("results", ".snakemake", "tests"):
        shutil.copytree(copy.path(part), elsewhere / part)
    assert copy.plan("--snakefile", str(copy.path("Snakefile")), "--directory", str(elsewhere), page) == []


def test_a_title_redraws_figures_and_pages_only(finished: Copy) -> None:
    jobs = finished.plan(overlay=digits(title="Other words"))
    assert jobs
    assert {rule for rule in counts(jobs) if not rule.startswith("plot_")} == {"write_trust_page"}


def test_a_deleted_figure_is_drawn_again_alone(finished: Copy) -> None:
    with missing(finished.path(f"{DIGITS}/figures/mean_change.svg")):
        jobs = finished.plan()
    assert counts(jobs) == {"plot_bars": 1}
    assert values(jobs, "measure") == {"mean_change"}


def test_a_deleted_shard_is_computed_again_when_it_is_needed(finished: Copy) -> None:
    folder = finished.path(f"{DIGITS}/attacks/original/resnet-noisy/seed0")
    with missing(folder / "10-20.parquet"):
        # Its measures are there: Snakemake sees no need. Asked for by name, or once its measures are gone, it does.
        assert finished.plan() == []
        assert counts(finished.plan(f"{DIGITS}/attacks/original/resnet-noisy/seed0/10-20.parquet")) == {
            "attack_shard": 1
        }
        with missing(folder / "measures.parquet"), missing(finished.path(f"{DIGITS}/tables/robustness.csv")):
            jobs = finished.plan()
    assert counts(jobs)["attack_shard"] == 1
    assert counts(jobs)["measure_attack"] == 1
    assert set(counts(jobs)) <= AFTER_ATTACK


def test_the_target_for_figures_draws_what_is_missing_of_them(finished: Copy) -> None:
    figure, table = f"{DIGITS}/figures/architecture.png", f"{DIGITS}/tables/accuracy.csv"
    with missing(finished.path(figure), finished.path(table)):
        assert counts(finished.plan(f"{DIGITS}/figures")) == {"plot_architecture": 1}
        assert counts(finished.plan(f"{DIGITS}/tables")) == {"tabulate_accuracy": 1}
        assert counts(finished.plan(DIGITS)) == {"plot_architecture": 1, "tabulate_accuracy": 1}


def test_one_datasets_target_leaves_the_other_alone(finished: Copy) -> None:
    jobs = finished.plan("results/tiny/colours/tables")
    assert values(jobs, "dataset") == {"colours"}
    assert "plot_bars" not in counts(jobs)
    assert counts(jobs)["train_model"] == 2
