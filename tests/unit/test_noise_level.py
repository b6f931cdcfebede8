"""The noise level that gives a published accuracy is found by bisection, with trainings like the model's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_study import GIVEN, job, made_study, of_models
from test_scripts import ARCHITECTURE, NOISE, TRAINING, call, named, train, write_images

import calibrate_noise
import evaluate_model
from robustness.errors import UserError
from robustness.stats.intervals import wilson
from robustness.storage.records import read_columns
from robustness.training.noise_level import HIGHEST, WIDTH, calibrated
from robustness.workflow import specs, targets


def test_the_level_of_a_known_accuracy_is_found_with_the_interval_of_the_accuracy() -> None:
    asked: list[float] = []

    def accuracy_at(sigma: float) -> float:
        asked.append(sigma)
        return 0.95 - 0.09 * sigma

    found = calibrated(accuracy_at, 0.8372, 10000)
    ends = wilson(8372, 10000)
    assert found == pytest.approx([(0.95 - each) / 0.09 for each in (0.8372, ends.high, ends.low)])
    assert found.low < found.sigma < found.high
    assert len(asked) == len(set(asked)) < 20


def test_an_accuracy_that_falls_in_steps_is_met_to_the_width() -> None:
    assert calibrated(lambda sigma: 0.9 if sigma < 2.6 else 0.7, 0.8, 100).sigma == pytest.approx(2.6, abs=WIDTH)


def test_a_bound_that_no_level_gives_is_the_end_of_what_is_searched() -> None:
    found = calibrated(lambda sigma: 0.975 - 0.3 * sigma, 0.972, 1000)
    assert found.sigma == pytest.approx(0.01, abs=WIDTH)
    assert found.low == 0
    assert calibrated(lambda sigma: max(0.8, 0.9 - 0.1 * sigma), 0.81, 1000).high == HIGHEST


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (0.8, "without noise the accuracy is 0.8000"),
        (0.9, "with noise of 16 the accuracy is still 0.9000, above 0.8372"),
    ],
)
def test_an_accuracy_that_no_level_gives_is_said(accuracy: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        calibrated(lambda _: accuracy, 0.8372, 10000)


def calibrate(folder: Path) -> None:
    """Calibrate a tiny noisy classifier of stripes."""
    for seed, name in enumerate(("train", "validation", "test")):
        write_images(folder / name, 40, seed)
    files = [word for name in ("train", "validation", "test") for word in (f"--{name}", folder / name)]
    spec = {"title": "stripes", "architecture": ARCHITECTURE, "classes": 2, "training": TRAINING, "seed": 1}
    spec |= {"augmentation": {"kind": "gaussian_noise"}, "published_accuracy": 0.8}
    output = ("--checkpoint", folder / "checkpoint", "--level", folder / "level.json")
    call(calibrate_noise, spec, *files, *output, *named("basic-noisy"))


def test_a_calibration_that_was_stopped_trains_no_level_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    trained, train_really = 0, calibrate_noise.train

    def stopped(*arguments: Any, **options: Any) -> Any:
        nonlocal trained
        trained += 1
        if trained == 3:
            raise KeyboardInterrupt
        return train_really(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(calibrate_noise, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            calibrate(tmp_path)
    assert "continuing" not in caplog.text
    calibrate(tmp_path)
    assert caplog.text.count(f"continuing after epoch {TRAINING['epochs']} of {TRAINING['epochs']}") == 2
    assert not list(tmp_path.glob("checkpoint*"))


def test_each_level_is_tried_as_the_models_own_job_trains_with_it(tmp_path: Path) -> None:
    calibrate(tmp_path)
    found = json.loads((tmp_path / "level.json").read_text())
    assert found["sigma_low"] <= found["sigma"] <= found["sigma_high"]
    assert not list(tmp_path.glob("checkpoint*"))
    accuracy = {each["sigma"]: each["accuracy"] for each in found["tried"]}
    assert list(accuracy) == sorted(accuracy)

    tried = min(accuracy, key=lambda sigma: abs(sigma - found["sigma"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NOISE, "sigma", tried)
        train(tmp_path, "basic-noisy", tmp_path / "own")
    own = ["--weights", tmp_path / "own" / "w", "--test", tmp_path / "test", "--predictions", tmp_path / "predictions"]
    call(evaluate_model, {}, *own, *named("basic-noisy"))
    label, prediction = read_columns(tmp_path / "predictions", "label", "prediction")
    assert (label == prediction).mean() == accuracy[tried]


def test_the_noisy_basic_classifier_is_calibrated_with_the_recipe_of_its_training() -> None:
    study = made_study()
    assert targets.calibrations(study) == ["results/mnist/calibration/basic-noisy.json"]
    wildcards = job(model="basic-noisy", seed="0")
    own, calibration = specs.training(study, wildcards), specs.calibration(study, wildcards)
    same = ("architecture", "classes", "training", "seed")
    assert [calibration[key] for key in same] == [own[key] for key in same]
    assert calibration["augmentation"] == {"kind": "gaussian_noise"}
    assert calibration["published_accuracy"] == 0.8372


def test_only_a_noisy_perceptron_with_a_published_accuracy_tells_the_noise_level() -> None:
    perceptron = {"architecture": "basic", "data": "noisy"}
    models = {
        "clean": {**perceptron, "data": "clean", "published_accuracy": 0.9},
        "resnet-noisy": {"architecture": "resnet", "data": "noisy", "published_accuracy": 0.9},
        "unpublished": perceptron,
        "given": GIVEN,
    }
    assert targets.calibrations(of_models(models)) == []
    assert made_study(study=["cifar"]).datasets["cifar"].calibrated == []
