"""The pilot halves the step of the attack until the step no longer decides the change that is measured."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_study import job, made_study
from numpy.typing import NDArray
from test_iterated_sign import SPEC, linear, random_images, run

from robustness.analysis.measures import mean_change
from robustness.attacks.step import FIRST, HALVINGS, Attacked, choose
from robustness.outcome import SUCCESS
from robustness.workflow import attack_jobs, inputs, sentences, specs
from robustness.workflow.dataset import Attack, StepNotChosen
from robustness.workflow.study import Study

SPREAD = np.linspace(0.5, 1.5, 21)


def whole_steps(needed: NDArray[np.float64], alpha: float, cap: int = 10**6) -> Attacked:
    """What the attack does to a linear model: whole steps until the change reaches what is needed."""
    steps = np.ceil(needed / alpha - 1e-9)
    fooled = steps <= cap
    return Attacked(np.where(fooled, alpha * steps, np.inf), np.where(fooled, steps, cap).astype(np.int64))


@pytest.mark.parametrize(("median", "alpha"), [(1.0, 0.02), (0.1, 0.01), (0.05, 0.005), (0.01, 0.000625)])
def test_the_step_is_small_next_to_the_change_that_the_median_image_needs(median: float, alpha: float) -> None:
    found = choose(["one"], lambda _, alpha: whole_steps(median * SPREAD, alpha))
    assert found.alpha == alpha
    moved = found.tried[-2].moved
    assert moved is not None
    assert abs(moved) < 0.05
    assert [trial.alpha for trial in found.tried] == [0.02 / 2**n for n in range(len(found.tried))]
    assert found.tried[-1].alpha == alpha / 2
    assert found.tried[-1].median_change == pytest.approx(median, abs=alpha)
    assert f"half of {alpha:g} moves the median change by " in found.reason


def test_the_step_on_a_linear_model_finds_the_optimum_that_is_known() -> None:
    model = linear(1)
    images = 0.5 + 0.05 * (random_images(20, 1, 5) - 0.5)
    with torch.no_grad():
        logits = model(images)
        slope = model[1].weight[1] - model[1].weight[0]  # type: ignore[index, union-attr]
        gap = (logits[:, 1] - logits[:, 0]).abs() + math.log(0.9 / 0.1)
        optimum = float((gap / slope.norm(p=1)).median())

    def attacked(_: str, alpha: float) -> Attacked:
        result = run(model, images, spec=replace(SPEC, alpha=alpha, max_iterations=2000))
        assert (result.outcome == SUCCESS).all()
        return Attacked(mean_change(images.numpy(), result.adversarial.numpy()), result.iterations.numpy())

    found = choose(["linear"], attacked)
    last = next(trial for trial in found.tried if trial.alpha == found.alpha)
    assert optimum / 20 < found.alpha < optimum / 9
    assert last.median_change == pytest.approx(optimum, rel=0.1)
    assert last.attacked == last.fooled == 20


def test_a_step_and_its_half_that_overshoot_to_the_same_change_are_not_enough() -> None:
    needed = np.full(20, 0.0101)  # one step of 0.02, and two of 0.01: twice the change that is needed
    assert whole_steps(needed, 0.02).change.tolist() == whole_steps(needed, 0.01).change.tolist()
    found = choose(["one"], lambda _, alpha: whole_steps(needed, alpha))
    assert (found.tried[0].moved, found.tried[0].median_steps) == (0, 1)
    assert found.alpha == 0.02 / 32  # fifteen more than 0.00125 would take are seventeen


@pytest.mark.parametrize("order", [["sturdy", "weak"], ["weak", "sturdy"]])
def test_all_models_get_the_smallest_step_that_one_of_them_needs(order: list[str]) -> None:
    found = choose(order, lambda model, alpha: whole_steps({"sturdy": 1.0, "weak": 0.05}[model] * SPREAD, alpha))
    assert found.alpha == 0.005
    assert [found.reason.count(f"{model}: ") for model in order] == [1, 1]


def test_an_image_that_was_not_attacked_or_not_fooled_does_not_move_the_median() -> None:
    others = np.array([np.nan, np.inf])

    def attacked(_: str, alpha: float) -> Attacked:
        found = whole_steps(0.1 * SPREAD, alpha)
        return Attacked(np.append(found.change, others), np.append(found.steps, [0, 1000]))

    found = choose(["one"], attacked)
    assert found.alpha == 0.01
    assert (found.tried[0].attacked, found.tried[0].fooled) == (22, 21)


def test_a_model_that_is_never_fooled_has_no_say() -> None:
    never = Attacked(np.full(20, np.inf), np.full(20, 1000))
    found = choose(["masked", "one"], lambda model, a: never if model == "masked" else whole_steps(0.05 * SPREAD, a))
    assert found.alpha == 0.005
    assert "masked: no image was fooled with α = 0.02, so the model has no say." in found.reason
    assert choose(["masked"], lambda *_: never).alpha == FIRST


def test_the_step_does_not_become_so_small_that_the_attack_runs_out_of_iterations() -> None:
    found = choose(["one"], lambda _, alpha: whole_steps(0.05 * SPREAD, alpha, cap=4))
    assert found.alpha == 0.02
    assert "half of 0.02 fools only 7 of 21 images within the attack's iterations" in found.reason


def test_halving_ends_where_the_change_always_follows_the_step() -> None:
    found = choose(["one"], lambda _, alpha: Attacked(np.full(20, alpha), np.full(20, 1)))
    assert found.alpha == FIRST / 2**HALVINGS
    assert "no smaller step is tried" in found.reason


# ---- what the workflow knows of a step that is chosen ---------------------------------------------------------------


def study_of(folder: Path, **mnist: object) -> Study:
    """A study of MNIST whose step a pilot chooses."""
    sweep = {"mnist": {"alpha": [], "sigma": {"values": [0.1]}}}
    return made_study(results=str(folder), datasets={"mnist": {"alpha": "auto", **mnist}}, sensitivity=sweep)


def chosen(folder: Path, alpha: float) -> None:
    (folder / "mnist").mkdir(exist_ok=True)
    (folder / "mnist" / "step.json").write_text(json.dumps({"alpha": alpha}))


def test_a_dataset_without_a_step_has_the_one_of_its_pilot_and_so_has_its_small_copy(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert study.piloted == ["mnist"]
    for name in ("mnist", "mnist-noise-levels"):
        with pytest.raises(StepNotChosen, match="mnist"):
            _ = study.datasets[name].alpha
    chosen(tmp_path, 0.0025)
    assert [study.datasets[name].alpha for name in ("mnist", "mnist-noise-levels", "cifar")] == [0.0025, 0.0025, 0.001]
    assert made_study().piloted == []
    del study.config["datasets"]["mnist"]["alpha"]
    assert Study(study.config, study.root).piloted == ["mnist"]


def test_all_that_takes_the_step_takes_the_chosen_one(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    chosen(tmp_path, 0.0025)
    found = [spec(study, job())["attack"] for spec in (attack_jobs.spec, specs.targeted, specs.speed, specs.trust)]
    assert [attack["alpha"] for attack in found] == [0.0025] * 4
    assert specs.claims(study, job())["datasets"][0]["alpha"] == 0.0025
    partners = json.loads(str(attack_jobs.partners(study, job())))
    assert [partner["spec"]["attack"]["alpha"] for partner in partners] == [0.0025]
    assert study.datasets["mnist"].attack_settings(Attack("original"))["alpha"] == 0.0025


def test_what_is_planned_before_the_pilot_does_not_ask_for_its_step(tmp_path: Path) -> None:
    study = study_of(tmp_path, attacked_images=8)
    assert [attack_jobs.priority(study, job(attack=name)) for name in ("original", "strong")] == [0, -1]
    assert specs.step(study, job())["images"] == 8
    assert "alpha" not in specs.step(study, job())["attack"]
    weights = inputs.piloted_weights(study_of(tmp_path), job())
    assert [path.split("/")[-2] for path in weights] == ["seed0"] * 4


def test_the_footnote_says_that_a_pilot_chose_the_step(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    chosen(tmp_path, 0.0025)
    assert "α = 0.0025 (chosen by a pilot on 20 images), until" in sentences.attack(study.datasets["mnist"])
    assert "α = 0.0025 (chosen by a pilot on 20 images)." in sentences.swept(study.datasets["mnist"])[1]
