"""What a run says before it begins, when it is done and when a job failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustness.runtime.job_ends import End
from robustness.runtime.run_summary import (
    Job,
    done,
    duration,
    earlier_seconds,
    failures,
    jobs_in_words,
    to_open,
)


def jobs_of(**counts: int) -> list[Job]:
    return [Job(rule, f"n={n}") for rule, count in counts.items() for n in range(count)]


def test_jobs_are_counted_by_kind_in_the_order_of_the_work() -> None:
    jobs = jobs_of(plot_bars=2, plot_examples=1, attack_shard=16, train_model=4, tabulate_accuracy=1)
    assert jobs_in_words(jobs) == "4 trainings, 16 attack shards, 1 table and 3 figures"
    assert jobs_in_words(jobs_of(train_model=1)) == "1 training"


def test_jobs_of_no_known_kind_are_counted_and_named() -> None:
    assert jobs_in_words(jobs_of(train_model=2, prepare_data=1)) == "2 trainings and 1 other (prepare_data)"
    many = jobs_in_words(jobs_of(a=1, b=2, c=1, d=1, e=1))
    assert many == "6 others (a, b, c, d, …)"


@given(
    st.dictionaries(st.sampled_from(["train_model", "plot_bars", "plot_x", "new_rule"]), st.integers(1, 20), min_size=1)
)
def test_no_job_is_left_uncounted(counts: dict[str, int]) -> None:
    words = jobs_in_words(jobs_of(**counts)).replace(",", " ").split()
    assert sum(int(word) for word in words if word.isdecimal()) == sum(counts.values())


# ---- how long -------------------------------------------------------------------------------------------------------


def timed(results: Path, name: str, *seconds: float) -> str:
    """A benchmark file as Snakemake writes it, with a line for each repeat."""
    path = results / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("s\th:m:s\tmax_rss\n" + "".join(f"{each}\t0:00:10\t-\n" for each in seconds))
    return str(path)


def training(results: Path, dataset: str, model: str) -> Job:
    return Job("train_model", f"{dataset}/{model}", benchmark=f"{results}/{dataset}/benchmarks/train_model/{model}.tsv")


def test_a_job_takes_as_long_as_it_did_before(tmp_path: Path) -> None:
    timed(tmp_path, "mnist/benchmarks/train_model/basic.tsv", 10.0)
    timed(tmp_path, "mnist/benchmarks/train_model/resnet.tsv", 50.0)
    job = training(tmp_path, "mnist", "resnet")
    assert earlier_seconds([job]) == {job: 50.0}


def test_a_new_job_takes_as_long_as_its_rules_jobs_in_the_middle(tmp_path: Path) -> None:
    for model, seconds in (("a", 10.0), ("b", 20.0), ("c", 600.0)):
        timed(tmp_path, f"mnist/benchmarks/train_model/{model}.tsv", seconds)
    timed(tmp_path, "cifar/benchmarks/train_model/a.tsv", 7000.0)
    timed(tmp_path, "mnist/benchmarks/attack_shard/d.tsv", 1.0)
    here, elsewhere = training(tmp_path, "mnist", "new"), training(tmp_path, "third", "new")
    assert earlier_seconds([here, elsewhere]) == {here: 20.0, elsewhere: 310.0}


def test_a_rule_with_one_job_for_each_dataset_is_timed_by_the_other_datasets(tmp_path: Path) -> None:
    timed(tmp_path, "mnist/benchmarks/prepare_data.tsv", 8.0)
    timed(tmp_path, "mnist/benchmarks/other.tsv", 9.0)
    job = Job("prepare_data", benchmark=f"{tmp_path}/cifar/benchmarks/prepare_data.tsv")
    assert earlier_seconds([job]) == {job: 8.0}


def test_files_that_are_cut_off_or_empty_tell_nothing(tmp_path: Path) -> None:
    for name, text in (("a", ""), ("b", "s\th:m:s\n"), ("c", "s\th:m:s\n-\t0:00:10\n"), ("d", "t\n1\n")):
        path = tmp_path / f"mnist/benchmarks/train_model/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert earlier_seconds([training(tmp_path, "mnist", name) for name in "abcde"]) == {}


def test_work_is_shared_among_cores_but_no_job_is_split() -> None:
    jobs = jobs_of(train_model=4)
    even = dict.fromkeys(jobs, 300.0)
    assert duration(jobs, even, 2) == "An estimate from earlier runs: about 10 min on 2 cores."
    assert "about 20 min on 1 core." in duration(jobs, even, 1)
    one_long = even | {jobs[0]: 3600.0}
    assert "about 60 min on 64 cores" in duration(jobs, one_long, 64)


def test_a_job_that_takes_all_cores_shares_with_none() -> None:
    (job,) = [Job("benchmark_attack", threads=8)]
    assert "about 10 min on 4 cores" in duration([job], {job: 600.0}, 4)


def test_what_no_earlier_run_tells_is_said() -> None:
    jobs = jobs_of(train_model=1, attack_shard=2)
    assert duration(jobs, {}, 2) == "No estimate yet: nothing has run here before."
    partly = duration(jobs, {jobs[0]: 60.0}, 2)
    assert partly.endswith("about 60 s on 2 cores, plus 2 attack shards, whose times are not known yet.")


def test_on_a_cluster_only_the_work_is_known() -> None:
    jobs = jobs_of(train_model=4)
    assert "about 2 h of computing, shared among the jobs" in duration(jobs, dict.fromkeys(jobs, 1800.0), None)


# ---- afterwards -----------------------------------------------------------------------------------------------------


def test_what_to_open_is_the_most_telling_of_what_was_made() -> None:
    made = [
        Job("tabulate_accuracy", output=("results/mnist/tables/accuracy.csv",)),
        Job("plot_bars", output=("results/mnist/figures/mean_change.svg", "results/mnist/figures/mean_change.png")),
        Job("plot_examples", output=("results/mnist/figures/examples_7.png", "results/mnist/figures/examples_7.svg")),
        Job("plot_examples", output=("results/mnist/figures/examples_1.svg",)),
        Job("train_model", output=("results/mnist/models/a/weights.safetensors",)),
        Job("write_trust_page", output=("results/mnist/trust.html",)),
        Job("write_claims_page", output=("results/claims.html",)),
    ]
    assert to_open(made, "results") == [
        "results/claims.html                    which claims hold, and why",
        "results/mnist/trust.html               which models' numbers can be trusted",
        "results/mnist/figures/examples_7.svg   an image, and what fools each model",
        "results/mnist/figures/mean_change.svg  how much change each model needed",
        "results/mnist/tables/accuracy.csv      how often each model is right",
    ]


def test_the_study_comes_first_and_one_of_an_earlier_run_is_said_to_be_old(tmp_path: Path) -> None:
    path = tmp_path / "study.html"
    page = Job("write_claims_page", output=(f"{tmp_path}/claims.html",))
    assert not any("study.html" in line for line in to_open([page], str(tmp_path)))
    path.touch()
    assert to_open([page], str(tmp_path))[0] == f"{path}   the study as one page (from an earlier run)"
    new = to_open([page, Job("write_study_page", output=(str(path),))], str(tmp_path))
    assert new[0] == f"{path}   the study as one page"
    assert len(new) == 2


def test_where_nothing_of_that_was_made_other_tables_and_figures_are_named() -> None:
    training = ("results/mnist/models/a/history.csv", "results/mnist/models/a/weights.safetensors")
    assert to_open([Job("train_model", output=training)], "results") == []
    tables = ("results/mnist/tables/models.csv", "results/mnist/figures/a.svg", "results/mnist/figures/a.png")
    assert to_open([Job("x", output=("results/mnist/speed/a.csv", *tables))], "results") == [
        "results/mnist/speed/a.csv",
        "results/mnist/tables/models.csv",
        "results/mnist/figures/a.svg",
    ]


def test_a_run_that_succeeded_says_what_to_open_or_that_no_network_is_needed() -> None:
    table = Job("tabulate_accuracy", output=("results/mnist/tables/accuracy.csv",))
    download = Job("download_data", output=("results/mnist/data/download.json",))
    training = Job("train_model", output=("results/mnist/models/a/weights.safetensors",))
    fetched = ["Done. All downloads are in downloads/; the other steps need no network."]
    assert done([download, table], "results", "downloads")[0] == "Done. Open first:"
    assert done([download], "results", "downloads") == fetched
    assert done([training], "results", "downloads") == ["Done."]
    assert done([], "results", "downloads") == ["Done. There was nothing to make."]


@pytest.fixture
def failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.chdir(tmp_path)
    Path("a.log").write_text(
        "".join(f"INFO line {n}\n" for n in range(20)) + "2026 ERROR alpha is too large: lower it\n"
    )
    return Job("train_model", "dataset=mnist, model=a", log="a.log")


def test_a_failed_job_is_named_with_the_end_of_its_log_and_the_next_step(failed: Job) -> None:
    said = failures([failed], started=0.0)
    assert said[0] == "Failed: train_model (dataset=mnist, model=a)"
    assert said[1] == "    The end of a.log:"
    assert said[2:8] == [
        *(f"      INFO line {n}" for n in range(15, 20)),
        "      2026 ERROR alpha is too large: lower it",
    ]
    assert said[8] == "    Next: do what the line with ERROR says, then run the same command again."
    assert said[-1] == "Finished files are kept: the same command does only the rest."


def test_a_log_of_an_earlier_run_is_not_shown(failed: Job) -> None:
    os.utime("a.log", (1000.0, 1000.0))
    said = "\n".join(failures([failed], started=5000.0))
    assert "alpha" not in said
    assert "It wrote nothing into its log, a.log." in said


def test_of_many_failed_jobs_the_first_are_shown_and_the_rest_are_counted(failed: Job) -> None:
    said = failures([failed, *(Job("attack_shard", f"n={n}", log=f"{n}.log") for n in range(50))], 0.0)
    assert len([line for line in said if line.startswith("Failed: ")]) == 3
    assert any(line.startswith("And 48 more; their logs: 2.log, 3.log") for line in said)
    assert len(said) < 25


def test_a_run_that_was_stopped_is_not_said_to_have_failed() -> None:
    assert failures([], 0.0) == ["No job failed: the run was ended. Run the same command again to continue it."]


def test_on_a_cluster_its_own_log_is_named(failed: Job) -> None:
    Path("results/slurm_logs/rule_train_model").mkdir(parents=True)
    named = "    Slurm's messages about it: results/slurm_logs/rule_train_model/"
    assert named in failures([failed], 0.0, on_cluster=True)
    assert named not in failures([failed], 0.0)


def test_what_slurm_said_stands_in_place_of_a_log_that_was_never_written(failed: Job) -> None:
    job = Job("attack_shard", "n=1", output=("a.parquet",), log="none.log")
    said = failures([job], 0.0, {"a.parquet": End("refused", "invalid partition specified: x")}, on_cluster=True)
    assert said[:2] == ["Failed: attack_shard (n=1)", "    Slurm says: invalid partition specified: x"]
    assert "partitions into slurm/config.yaml" in said[2]
