"""The times of the attack: what is run in which order, and the arithmetic on it. No test depends on a measured time."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import benchmark_attack
from robustness.attacks import adv_lib
from robustness.attacks.spec import AttackSpec
from robustness.benchmarking import baselines
from robustness.benchmarking.baselines import Attacked
from robustness.benchmarking.timing import (
    Agreement,
    Measurement,
    Run,
    agreement,
    gflop_per_evaluation,
    measure,
    readable,
    small_batches,
    summarise,
)
from robustness.compute import hardware
from robustness.errors import UserError
from robustness.models import weights
from robustness.models.architectures import build
from robustness.models.image_shape import ImageShape
from robustness.storage.tensors import write_tensors

ATTACK = {"reward": "probability", "direction": "sign", "alpha": 0.02, "confidence": 0.6, "max_iterations": 40}
ARCHITECTURE = {"family": "perceptron", "hidden": 8}
METHODS = ["ours", "keep_until_last", "one_at_a_time", "adv_lib", "bare"]

needs_adv_lib = pytest.mark.skipif(not adv_lib.installed(), reason="adv-lib is not installed")


def perceptron() -> nn.Module:
    torch.manual_seed(0)
    return build(ARCHITECTURE, ImageShape(1, 6, 6), classes=3)


def measured(count: int = 20, rounds: int = 2, **changed: Any) -> Measurement:
    return measure(
        perceptron(),
        torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(0)),
        torch.arange(count) % 3,
        torch.arange(count),
        AttackSpec(**ATTACK | changed),
        seed=0,
        batch_size=8,
        rounds=rounds,
    )


# --- measuring -------------------------------------------------------------------------------------------------------


def test_every_timed_run_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        runs = measured(rounds=3).runs
    assert [message for message in caplog.messages if message.startswith(f"times of model: {len(runs)} runs in ")]


@needs_adv_lib
def test_methods_take_turns_round_by_round() -> None:
    assert [run.method for run in measured(rounds=3).runs] == METHODS * 3


def test_without_adv_lib_its_attack_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adv_lib, "installed", lambda: False)
    found = measured(rounds=1)
    assert [run.method for run in found.runs] == ["ours", "keep_until_last", "one_at_a_time", "bare"]
    assert "adv_lib" not in found.notes


def test_every_method_but_the_slowest_is_on_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustness.benchmarking.timing.ALONE_IMAGES", 7)
    found = measured(rounds=1)
    images = {run.method: run.images for run in found.runs}
    assert images.pop("one_at_a_time") == 7
    assert set(images.values()) == {20}
    assert found.notes["one_at_a_time"] == "the first 7 images"
    (alone,) = [run for run in found.runs if run.method == "one_at_a_time"]
    assert alone.evaluations == alone.needed


def test_methods_that_are_the_same_attack_agree_and_say_so() -> None:
    found = measured(rounds=1)
    assert found.agreement == {"keep_until_last": Agreement(1, 1), "one_at_a_time": Agreement(1, 1)}


def test_methods_that_are_another_task_make_as_many_evaluations_as_our_attack() -> None:
    runs = {run.method: run for run in measured(rounds=1).runs}
    for name in {"adv_lib", "bare"} & runs.keys():
        assert runs[name].needed is None
        assert abs(runs[name].evaluations - runs["ours"].evaluations) <= 20


def test_the_batches_are_those_of_our_steps() -> None:
    found = measured(rounds=1)
    assert found.batches.dtype == torch.int64
    assert int(found.batches.sum()) == found.runs[0].needed
    assert int(found.batches.max()) == 8


def test_an_attack_that_the_baselines_do_not_know_is_refused() -> None:
    with pytest.raises(UserError, match="untargeted"):
        measured(target=1)


def outcome(ended: list[int], iterations: list[int]) -> Attacked:
    return Attacked(torch.tensor(ended), torch.tensor(iterations), evaluations=0)


def test_agreement_is_the_share_of_images_that_end_alike_and_after_as_many_steps() -> None:
    ours = outcome([0] * 40, [10] * 40)
    found = agreement("other", outcome([0] * 39 + [2], [10] * 30 + [11] * 5 + [9] * 5), ours)
    assert found == Agreement(ends=39 / 40, iterations=0.75)


def test_agreement_is_on_the_first_images_where_a_method_has_no_more() -> None:
    ours = outcome([0] * 40, [10] * 20 + [500] * 20)
    assert agreement("other", outcome([0] * 20, [10] * 20), ours) == Agreement(1, 1)


@pytest.mark.parametrize(
    "other",
    [outcome([0] * 9 + [1], [10] * 10), outcome([0] * 10, [11] * 10)],
    ids=["other ends", "other numbers of steps"],
)
def test_a_method_that_does_other_work_is_not_compared(other: Attacked) -> None:
    with pytest.raises(RuntimeError, match="other is not the attack that it is compared with"):
        agreement("other", other, outcome([0] * 10, [10] * 10))


# --- arithmetic ------------------------------------------------------------------------------------------------------

MEASUREMENT = Measurement(
    runs=[
        Run("ours", 2.0, images=100, evaluations=1000, needed=800),
        Run("keep", 5.0, images=100, evaluations=4000, needed=800),
        Run("alone", 3.0, images=10, evaluations=80, needed=80),
        Run("bare", 1.0, images=100, evaluations=1000, needed=None),
        Run("ours", 4.0, images=100, evaluations=1000, needed=800),
        Run("keep", 8.0, images=100, evaluations=4000, needed=800),
        Run("alone", 2.0, images=10, evaluations=80, needed=80),
        Run("bare", 1.0, images=100, evaluations=1000, needed=None),
        Run("ours", 1.0, images=100, evaluations=1000, needed=800),
        Run("keep", 6.0, images=100, evaluations=4000, needed=800),
        Run("alone", 4.0, images=10, evaluations=80, needed=80),
        Run("bare", 1.0, images=100, evaluations=1000, needed=None),
    ],
    agreement={"keep": Agreement(1.0, 0.99), "alone": Agreement(1.0, 1.0)},
    notes={"alone": "the first 10 images"},
    batches=torch.tensor([16, 16, 4, 3, 1]),
)


@pytest.fixture
def rows() -> dict[str, dict[str, Any]]:
    table = summarise(MEASUREMENT, batch_size=16, gflop=0.5, peaks={"float32": 1000.0, "bfloat16": None})
    return {row["method"]: row for row in table}


def test_there_is_a_row_for_each_method_in_their_order(rows: dict[str, dict[str, Any]]) -> None:
    assert list(rows) == ["ours", "keep", "alone", "bare"]
    assert {row["rounds"] for row in rows.values()} == {3}


def test_seconds_are_minimum_median_and_maximum_over_the_rounds(rows: dict[str, dict[str, Any]]) -> None:
    assert [rows["ours"][f"seconds_{name}"] for name in ("min", "median", "max")] == [1, 2, 4]
    assert rows["keep"]["seconds_by_round"] == "5 8 6"


def test_rates_are_of_the_median(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["ours"]["images_per_second"] == 50
    assert rows["ours"]["microseconds_per_evaluation"] == pytest.approx(2000)
    assert rows["keep"]["microseconds_per_evaluation"] == pytest.approx(1500)
    assert rows["alone"]["images_per_second"] == pytest.approx(10 / 3)


def test_waste_is_evaluations_for_each_that_our_attack_needed(rows: dict[str, dict[str, Any]]) -> None:
    assert [rows[name]["waste"] for name in rows] == [1.25, 5, 1, None]


def test_ratios_pair_the_runs_of_a_round(rows: dict[str, dict[str, Any]]) -> None:
    # 5/2, 8/4 and 6/1 on the same images; per evaluation a quarter of it.
    assert [rows["keep"][f"to_ours{name}"] for name in ("", "_min", "_max")] == [2.5, 2, 6]
    assert [rows["keep"][f"evaluation_to_ours{name}"] for name in ("", "_min", "_max")] == [0.625, 0.5, 1.5]
    # 0.3/0.02, 0.2/0.04 and 0.4/0.01 seconds per image.
    assert [rows["alone"][f"to_ours{name}"] for name in ("", "_min", "_max")] == pytest.approx([15, 5, 40])
    assert [rows["ours"][f"to_ours{name}"] for name in ("", "_min", "_max")] == [1, 1, 1]


def test_shares_of_the_peak_count_all_evaluations(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["ours"]["gflop_per_second"] == 250
    assert rows["ours"]["float32_peak"] == 0.25
    assert rows["keep"]["float32_peak"] == pytest.approx(0.5 * 4000 / 6 / 1000)
    assert rows["ours"]["bfloat16_peak"] is None


def test_only_our_attack_has_small_batches_and_only_the_same_attack_agreement(rows: dict[str, dict[str, Any]]) -> None:
    assert [rows["ours"][f"small_batch_{name}"] for name in ("steps", "evaluations")] == [0.4, 0.1]
    assert rows["keep"]["small_batch_steps"] is None
    assert [rows[name]["equal_iterations"] for name in rows] == [None, 0.99, 1, None]


def test_a_batch_is_small_below_a_quarter() -> None:
    assert small_batches(torch.tensor([100, 32, 31, 1]), 128) == (0.5, pytest.approx(32 / 164))


def test_the_text_names_every_method_and_what_to_know_of_it() -> None:
    text = readable(summarise(MEASUREMENT, batch_size=16, gflop=0.5, peaks={"float32": 1000.0, "bfloat16": None}))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["ours", "keep", "alone", "bare"]
    assert "2.50 [2.00, 6.00]" in lines[2]
    assert len({len(line) for line in lines[:5]}) == 1
    assert "alone: the first 10 images" in lines
    assert "keep: 100.0% of its images end as ours do, 99.0% after as many steps" in lines
    assert "ours: 40.0% of steps with a batch less than a quarter full, 10.0% of evaluations in them" in lines
    assert "bfloat16" not in text


@pytest.mark.parametrize(
    "architecture", [ARCHITECTURE, {"family": "resnet", "blocks": [1, 2, 1, 1], "filters": 4}], ids=["dense", "resnet"]
)
def test_the_flop_of_an_evaluation_are_those_that_pytorch_counts(architecture: dict[str, Any]) -> None:
    image = ImageShape(3, 28, 28)
    model = baselines.plain(build(architecture, image, classes=5), torch.device("cpu"))
    x = torch.rand(1, 3, 28, 28, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    assert gflop_per_evaluation(model, image) == pytest.approx(counter.get_total_flops() / 1e9)


# --- the machine -----------------------------------------------------------------------------------------------------


def test_the_processor_has_a_name() -> None:
    assert hardware.cpu_name()


def test_timed_returns_what_the_work_does() -> None:
    seconds, result = hardware.timed(torch.device("cpu"), lambda: 7)
    assert seconds >= 0
    assert result == 7


def test_the_peak_is_measured_in_float32_on_a_cpu() -> None:
    peaks = hardware.matmul_peaks(torch.device("cpu"))
    assert peaks["bfloat16"] is None
    assert peaks["float32"] is not None
    assert 0 < peaks["float32"] < math.inf


# --- the script ------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_method_with_what_it_was_measured_on(tmp_path: Path) -> None:
    weights.save(tmp_path / "weights", perceptron(), {"architecture": ARCHITECTURE, "image": [1, 6, 6], "classes": 3})
    images = np.random.default_rng(0).integers(0, 256, (30, 1, 6, 6), dtype=np.uint8)
    write_tensors(tmp_path / "test", {"images": images, "labels": np.arange(30) % 3}, {})
    spec = {"title": "small", "attack": ATTACK, "seed": 0, "images": 20, "rounds": 2}
    flags = ["--weights", tmp_path / "weights", "--test", tmp_path / "test", "--table", tmp_path / "table.csv"]
    command = ["--spec", json.dumps(spec), "--batch-size", "8", *map(str, flags)]
    benchmark_attack.main(benchmark_attack.arguments().parse_args(command))
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [name for name in METHODS if name != "adv_lib" or adv_lib.installed()]
    for row in rows:
        assert (row["rounds"], row["images"], row["batch_size"], row["threads"]) == ("2", "20", "8", "1")
        assert json.loads(row["attack"]) == ATTACK
        assert row["torch"] == torch.__version__
        assert float(row["seconds_min"]) <= float(row["seconds_median"]) <= float(row["seconds_max"])
    assert float(rows[0]["waste"]) >= 1
    assert rows[-1]["waste"] == ""
