"""A dataset without a step for its attacks gets it from a pilot, and only another step repeats the attacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import DIGITS, Copy, changed, copied, counts

from robustness.storage.atomic import read_json, write_json
from robustness.storage.records import read_header

MODELS = ("small-clean", "resnet-noisy")
TARGETS = [f"{DIGITS}/attacks/original/{model}/seed0/measures.parquet" for model in MODELS]
STEP = f"{DIGITS}/step.json"
OVERLAY: dict[str, Any] = {
    "datasets": {"digits": {"alpha": "auto", "attacked_images": 8}},
    "training": {"epochs": 4},
    "shard_images": 4,
}


def ran(copy: Copy, targets: Sequence[str] = TARGETS) -> list[str]:
    """The rules of the jobs that Snakemake ran."""
    said = copy.run(*targets, overlay=OVERLAY).succeeded().said
    return re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)$", said, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def piloted(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    copy = copied(tmp_path_factory.mktemp("piloted"))
    rules = ran(copy)
    assert (rules.count("choose_step"), rules.count("attack_shard")) == (1, 4)
    return copy


def test_every_shard_of_every_model_has_the_step_that_the_pilot_chose(piloted: Copy) -> None:
    step = read_json(piloted.path(STEP))
    shards = sorted(piloted.folder.glob(f"{DIGITS}/attacks/original/*/seed0/*-*.parquet"))
    assert {read_header(path)["provenance"]["spec"]["attack"]["alpha"] for path in shards} == {step["alpha"]}
    assert len(shards) == 4
    assert step["images"] == 8
    assert {trial["model"] for trial in step["tried"]} == set(MODELS)
    assert pd.read_parquet(piloted.path(TARGETS[0]))["ended"].eq("success").any()


def test_another_step_repeats_every_attack_and_no_training(piloted: Copy) -> None:
    path = piloted.path(STEP)
    step = read_json(path)
    with changed(path, " "):
        assert piloted.plan(*TARGETS, overlay=OVERLAY) == []
        write_json(path, step | {"alpha": step["alpha"] / 2})
        assert counts(piloted.plan(*TARGETS, overlay=OVERLAY)) == {"attack_shard": 4, "measure_attack": 2}


def test_a_pilot_in_place_of_a_configured_step_is_run_over_finished_results(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path)
    auto = {"datasets": {"digits": {"alpha": "auto"}}}
    measures = f"{DIGITS}/attacks/original/small-clean/seed0/measures.parquet"
    assert copy.plan(measures) == []
    assert counts(copy.plan(measures, overlay=auto))["choose_step"] == 1
    copy.run(measures, overlay=auto).succeeded()
    step = read_json(copy.path(STEP))["alpha"]
    shards = sorted(copy.folder.glob(f"{DIGITS}/attacks/original/small-clean/seed0/*-*.parquet"))
    assert {read_header(path)["provenance"]["spec"]["attack"]["alpha"] for path in shards} == {step}
    assert copy.plan(measures, overlay=auto) == []


def test_a_pilot_that_chooses_the_same_step_again_repeats_no_attack(piloted: Copy) -> None:
    with changed(piloted.path("scripts/choose_step.py")):
        rules = ran(piloted)
    assert "choose_step" in rules
    assert not {"train_model", "attack_shard"} & set(rules)
