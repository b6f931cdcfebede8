"""Where a run's time went: the table from Snakemake's files, and the figure."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.patches import Rectangle

import plot
import write_table
from robustness.benchmarking.job_times import devices_of, run_times
from robustness.errors import UserError
from robustness.figures.run_time import run_time_bars, written
from robustness.products.figures import run_time as run_time_figure
from robustness.products.tables import run_time as run_time_table
from robustness.storage.format_version import FORMAT

MODELS = ["resnet-clean", "resnet-noisy", "resnet"]
ATTACKS = ["original", "strong"]
BENCHMARKS = {
    "prepare_data": "benchmarks/prepare_data.tsv",
    "train_model": "benchmarks/train_model/{model}-seed{seed}.tsv",
    "attack_shard": "benchmarks/attack_shard/{attack}-{model}-seed{seed}-{start}-{stop}.tsv",
    "benchmark_attack": "benchmarks/benchmark_attack/{model}.tsv",
    "plot_examples": "benchmarks/plot_examples/{label}.tsv",
}
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def job(results: Path, name: str, seconds: float, cpu: str = "1.5", waited: float | None = None) -> None:
    path = results / "mnist" / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t1\t1\t1\t1\t0\t0\t50\t{cpu}\n", encoding="utf-8")
    if waited is not None:
        account = results / "mnist" / "logs" / f"{name}.usage.json"
        account.parent.mkdir(parents=True, exist_ok=True)
        used = {"cpu_seconds": 4.5, "max_rss_mb": 100.0, "waited_seconds": waited}
        account.write_text(json.dumps(used), encoding="utf-8")


def rows(results: Path) -> dict[tuple[str, str | None, str | None], dict[str, Any]]:
    found = run_times(results, "mnist", MODELS, ATTACKS, BENCHMARKS, "cpu")
    return {(row["rule"], row["attack"], row["model"]): row for row in found}


def test_jobs_of_a_rule_an_attack_and_a_model_are_added_up(tmp_path: Path) -> None:
    for shard, seconds in (("0-10", 3.0), ("10-20", 5.0)):
        job(tmp_path, f"attack_shard/original-resnet-clean-seed0-{shard}", seconds)
    job(tmp_path, "attack_shard/strong-resnet-clean-seed0-0-10", 7.0)
    row = rows(tmp_path)["attack_shard", "original", "resnet-clean"]
    assert (row["jobs"], row["seconds"], row["longest"], row["cpu_seconds"]) == (2, 8.0, 5.0, 3.0)
    assert rows(tmp_path)["attack_shard", "strong", "resnet-clean"]["seconds"] == 7.0


def test_a_model_whose_name_begins_anothers_is_told_apart(tmp_path: Path) -> None:
    for model in MODELS:
        job(tmp_path, f"train_model/{model}-seed0", 1.0)
    assert [key[2] for key in rows(tmp_path)] == MODELS
    assert all(row["jobs"] == 1 for row in rows(tmp_path).values())


def test_times_of_what_the_configuration_no_longer_names_are_left_out(tmp_path: Path) -> None:
    for model in ("resnet", "resnet-old", "old"):
        job(tmp_path, f"train_model/{model}-seed0", 1.0)
    assert set(rows(tmp_path)) == {("train_model", None, "resnet")}


def test_a_rule_without_models_has_none_and_one_that_measures_times_is_left_out(tmp_path: Path) -> None:
    job(tmp_path, "prepare_data", 2.0)
    job(tmp_path, "plot_examples/7", 2.0)
    job(tmp_path, "benchmark_attack/resnet", 500.0)
    assert set(rows(tmp_path)) == {("prepare_data", None, None), ("plot_examples", None, None)}


def test_waiting_for_a_gpu_is_no_work(tmp_path: Path) -> None:
    job(tmp_path, "train_model/resnet-seed0", 30.0, waited=12.5)
    job(tmp_path, "train_model/resnet-seed1", 10.0, waited=0.5)
    row = rows(tmp_path)["train_model", None, "resnet"]
    assert (row["seconds"], row["longest"], row["waited"]) == (27.0, 17.5, 13.0)


def test_the_job_knows_its_computing_better_than_who_started_it(tmp_path: Path) -> None:
    job(tmp_path, "train_model/resnet-seed0", 30.0, cpu="0.01", waited=0.0)
    assert rows(tmp_path)["train_model", None, "resnet"]["cpu_seconds"] == 4.5


def test_a_damaged_account_is_named(tmp_path: Path) -> None:
    job(tmp_path, "prepare_data", 1.0, waited=0.0)
    (tmp_path / "mnist" / "logs" / "prepare_data.usage.json").write_text('{"cpu_seconds": 1}', encoding="utf-8")
    with pytest.raises(UserError, match=r"prepare_data\.usage\.json is damaged"):
        rows(tmp_path)


def test_a_job_too_short_for_its_cpu_time_counts_with_its_wall_time(tmp_path: Path) -> None:
    job(tmp_path, "prepare_data", 0.2, cpu="NA")
    assert rows(tmp_path)["prepare_data", None, None]["cpu_seconds"] == 0


@pytest.mark.parametrize("content", ["", HEAD, "s\tcpu_time\nsoon\t1\n", "\x00"])
def test_a_damaged_file_of_times_is_named(tmp_path: Path, content: str) -> None:
    job(tmp_path, "prepare_data", 1.0)
    path = tmp_path / "mnist" / "benchmarks" / "prepare_data.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"prepare_data\.tsv holds no times of a job"):
        rows(tmp_path)


def test_devices_are_those_of_the_models_each_once(tmp_path: Path) -> None:
    cards = []
    for number, device in enumerate(["NVIDIA H100", "cpu", "NVIDIA H100"]):
        cards.append(tmp_path / f"{number}.json")
        cards[-1].write_text(json.dumps({"provenance": {"device": device}}), encoding="utf-8")
    assert devices_of(cards) == "NVIDIA H100 and cpu"
    assert devices_of([]) == ""
    cards[0].write_text(json.dumps({"provenance": {"device": "cpu", "format": FORMAT + 1}}), encoding="utf-8")
    with pytest.raises(UserError, match=rf"0\.json has format {FORMAT + 1}, which a newer version"):
        devices_of(cards)
    cards[0].write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"0\.json is damaged"):
        devices_of(cards)


# --- the figure ------------------------------------------------------------------------------------------------------


def model(name: str, title: str, data: str = "clean") -> dict[str, str]:
    return {"name": name, "title": title, "architecture": "resnet", "data": data}


SPEC = {
    "datasets": [
        {"name": "mnist", "title": "MNIST", "models": [model("a", "ResNet"), model("b", "ResNet, noisy", "noisy")]},
        {"name": "cifar", "title": "CIFAR-10", "models": [model("a", "ResNet")]},
    ],
    "architectures": ["resnet"],
    "footnote": ["Scale tiny: for the tests.", "1 seed."],
}


def table() -> list[dict[str, Any]]:
    columns = ["dataset", "rule", "attack", "model", "jobs", "seconds", "device"]
    lines = [
        ("mnist", "train_model", "", "a", 1, 100.0, "cpu"),
        ("mnist", "train_model", "", "b", 1, 60.0, "cpu"),
        ("mnist", "attack_shard", "original", "a", 4, 30.0, "cpu"),
        ("mnist", "plot_bars", "", "", 2, 2.0, "cpu"),
        ("mnist", "prepare_data", "", "", 1, 1.0, "cpu"),
        ("cifar", "train_model", "", "a", 1, 260.0, "cpu"),
    ]
    return [dict(zip(columns, line, strict=True)) for line in lines]


def test_bars_are_as_long_as_the_times_of_their_models_and_the_longest_stands_first() -> None:
    figure = run_time_bars(table(), SPEC)
    mnist, cifar = figure.axes
    widths = [bar.get_width() for bar in mnist.patches if isinstance(bar, Rectangle)]
    assert widths == [100, 60, 30, 3]
    assert [label.get_text() for label in mnist.get_yticklabels()] == ["train model", "attack shard", "2 other rules"]
    assert [text.get_text() for text in mnist.texts] == ["2 min 40 s, 2 jobs", "30 s, 4 jobs", "3.0 s, 3 jobs"]
    assert mnist.get_xlim() == cifar.get_xlim()
    assert cifar.get_xlabel() == "seconds of all jobs together"
    assert cifar.get_title(loc="left") == "CIFAR-10: 4 min 20 s"


def test_long_times_are_drawn_in_minutes() -> None:
    long = [row | {"seconds": 60 * row["seconds"]} for row in table()]
    assert run_time_bars(long, SPEC).axes[-1].get_xlabel() == "minutes of all jobs together"


def test_the_footnote_names_device_and_scale() -> None:
    words = " ".join(text.get_text() for text in run_time_bars(table(), SPEC).texts).replace("\n", " ")
    assert "Trained on CPU." in words
    assert "Scale tiny" in words


def test_a_dataset_without_times_has_no_panel_and_without_any_there_is_no_figure() -> None:
    figure = run_time_bars([row for row in table() if row["dataset"] == "mnist"], SPEC)
    assert [axes.get_title(loc="left").split(":")[0] for axes in figure.axes] == ["MNIST"]
    with pytest.raises(UserError, match="no row for any of mnist, cifar: run the workflow first"):
        run_time_bars([], SPEC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_times_are_written_as_people_say_them(seconds: float, words: str) -> None:
    assert written(seconds) == words


def test_the_scripts_write_table_and_figure(tmp_path: Path) -> None:
    job(tmp_path, "train_model/resnet-seed0", 30.0, waited=12.5)
    spec = {"datasets": [["mnist", MODELS]], "attacks": ATTACKS, "benchmarks": BENCHMARKS}
    made = tmp_path / "run_time"
    flags = ["--spec", json.dumps(spec), "--results", str(tmp_path), "--table", f"{made}.csv"]
    write_table.main(write_table.arguments(run_time_table).parse_args(flags))
    with made.with_suffix(".csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["model"], row["seconds"], row["waited"]) == ("resnet", "17.5", "12.5")
    drawn = {**SPEC, "datasets": [{"name": "mnist", "title": "MNIST", "models": [model("resnet", "ResNet")]}]}
    flags = ["--spec", json.dumps(drawn), "--table", f"{made}.csv", "--svg", f"{made}.svg", "--png", f"{made}.png"]
    plot.main(plot.arguments(run_time_figure).parse_args(flags))
    assert "train model" in made.with_suffix(".svg").read_text(encoding="utf-8")
    assert made.with_suffix(".png").stat().st_size > 1000


def test_before_a_run_there_is_nothing_to_tabulate(tmp_path: Path) -> None:
    spec = json.dumps({"datasets": [["mnist", MODELS]], "attacks": ATTACKS, "benchmarks": BENCHMARKS})
    flags = ["--spec", spec, "--results", str(tmp_path), "--table", str(tmp_path / "t.csv")]
    with pytest.raises(UserError, match="holds no times of jobs: run the workflow first"):
        write_table.main(write_table.arguments(run_time_table).parse_args(flags))
