"""The chain of scripts from prepared images to tables and examples, on data that is made up."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import attack_shard
import attack_targets
import bound_shard
import check_trust
import compare_shard
import describe_models
import evaluate_model
import judge_attack
import measure_attack
import sample_augmentation
import select_examples
import train_model
import transfer_attack
import write_table
from robustness.attacks import autoattack
from robustness.attacks.state import Store, Trajectories
from robustness.errors import UserError
from robustness.models import weights
from robustness.products.tables import (
    accuracy,
    believability,
    comparison,
    robust_accuracy,
    robustness,
    targets,
    transfer,
)
from robustness.runtime import preemption
from robustness.runtime.job_ends import SENTENCE_STATUS
from robustness.storage.records import read_header, read_records, write_records
from robustness.storage.tensors import read_metadata, read_tensors, write_tensors

CLASSES = ["left", "right"]
MODELS = ["basic-clean", "basic-noisy"]
NOISE = {"kind": "gaussian_noise", "sigma": 0.2}
ARCHITECTURE = {"family": "perceptron", "hidden": 8}
ATTACK = {
    "reward": "probability",
    "direction": "sign",
    "alpha": 0.02,
    "confidence": 0.9,
    "other_confidences": [0.7, "argmax"],
    "max_iterations": 100,
    "target": None,
    "tighten": False,
    "gradients": "float32",
}
LEVELS = [0.0, 0.7, 0.9]
TRAINING = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "weight_decay": 0.0, "optimiser": "adamw"}


def call(script: ModuleType, spec: dict[str, Any], *flags: str | Path | int) -> None:
    """What the script's rule does, in this process."""
    script.main(script.arguments().parse_args(["--spec", json.dumps(spec), *map(str, flags)]))


def named(model: str, attack: str | None = None) -> list[str]:
    """The flags by which a program is told whose files it writes."""
    flags = ["--dataset", "stripes", "--model", model, "--seed", "1"]
    return flags if attack is None else [*flags, "--attack", attack]


def make(table: ModuleType, spec: dict[str, Any], *flags: str | Path | int) -> None:
    """What the table's rule does, in this process."""
    write_table.main(write_table.arguments(table).parse_args(["--spec", json.dumps(spec), *map(str, flags)]))


def write_images(path: Path, count: int, seed: int) -> Path:
    labels = np.arange(count, dtype=np.int64) % 2
    images = np.random.RandomState(seed).randint(0, 120, (count, 1, 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, :, 6 * label : 6 * label + 6] += 100
    write_tensors(path, {"images": images, "labels": labels}, {"classes": CLASSES})
    return path


def train(folder: Path, model: str, to: Path) -> None:
    augmentation = NOISE if model == "basic-noisy" else None
    spec = {
        "architecture": ARCHITECTURE,
        "classes": 2,
        "seed": 1,
        "training": TRAINING,
        "augmentation": augmentation,
        "title": model,
    }
    flags = ["--train", folder / "train", "--validation", folder / "validation", "--checkpoint", to / "checkpoint"]
    call(
        train_model,
        spec,
        *flags,
        *named(model),
        "--weights",
        to / "w",
        "--history",
        to / "h.csv",
        "--card",
        to / "c.json",
    )


def attacked(
    folder: Path,
    model: str,
    start: int,
    stop: int,
    to: Path,
    batch_size: int = 128,
    attack: str = "original",
    **changes: Any,
) -> None:
    name = to / f"{start}-{stop}"
    call(
        attack_shard,
        {"attack": ATTACK | changes, "seed": 1, "title": model},
        *("--weights", folder / model / "w", "--test", folder / "test", "--start", start, "--stop", stop),
        *("--records", f"{name}.parquet", "--adversarial", f"{name}.safetensors", "--batch-size", batch_size),
        *("--checkpoint", f"{name}.checkpoint", *named(model, attack)),
    )


def original(folder: Path, images: NDArray[np.int64]) -> NDArray[np.float32]:
    """Test images by their numbers, as the attack starts from them."""
    (pixels,) = read_tensors(folder / "test", "images")
    return pixels[images].astype(np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every script of the chain has run."""
    folder = tmp_path_factory.mktemp("study")
    threads = torch.get_num_threads()
    for seed, (name, count) in enumerate((("train", 40), ("validation", 10), ("test", 40))):
        write_images(folder / name, count, seed)
    for model in MODELS:
        train(folder, model, folder / model)
        predictions = ["--predictions", folder / model / "predictions"]
        call(
            evaluate_model,
            {},
            "--weights",
            folder / model / "w",
            "--test",
            folder / "test",
            *predictions,
            *named(model),
        )
        shards = [folder / model / "0-12", folder / model / "12-30"]
        for start, stop in ((0, 12), (12, 30)):
            attacked(folder, model, start, stop, folder / model)
        call(
            measure_attack,
            {"changed_pixel_threshold": 0.1},
            *("--test", folder / "test", "--records", *(f"{shard}.parquet" for shard in shards)),
            *("--adversarial", *(f"{shard}.safetensors" for shard in shards)),
            *("--measures", folder / model / "measures"),
        )
    published = {"models": MODELS, "published_accuracy": {"basic-clean": 0.95, "basic-noisy": None}}
    predictions = [folder / model / "predictions" for model in MODELS]
    make(accuracy, published, "--predictions", *predictions, "--table", folder / "accuracy.csv")
    measures = [folder / model / "measures" for model in MODELS]
    pairs = {"attacks": ["original"], "models": MODELS}
    make(robustness, pairs, "--measures", *measures, "--table", folder / "robustness.csv")
    examples(folder, folder / "examples")
    torch.set_num_threads(threads)
    return folder


def examples(
    folder: Path, to: Path, *names: str, confidence: float = 0.9, order: list[str] = MODELS, left_out: int = 0
) -> None:
    spec = {"classes": [*CLASSES, "none"], "example_classes": list(names) or ["right", "left"], "models": MODELS}
    spec["required_confidence"] = confidence
    shards = [folder / model / f"{part}.safetensors" for model in order for part in ("0-12", "12-30")][left_out:]
    measures = [folder / model / "measures" for model in order]
    call(
        select_examples,
        spec,
        *("--test", folder / "test", "--measures", *measures, "--adversarial", *shards, "--examples", to),
    )


def test_training_writes_weights_history_and_card_and_removes_its_checkpoint(study: Path) -> None:
    assert {"w", "h.csv", "c.json"} < {path.name for path in (study / "basic-clean").iterdir()}
    assert not (study / "basic-clean" / "checkpoint").exists()
    history = pandas.read_csv(study / "basic-clean" / "h.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"train_loss", "validation_accuracy", "learning_rate", "seconds"} < set(history.columns)
    card = json.loads((study / "basic-clean" / "c.json").read_text())
    assert card["summary"]["parameters"] == 144 * 8 + 8 + 8 * 2 + 2
    assert card["provenance"]["spec"]["training"] == TRAINING


def test_the_same_training_gives_the_same_bytes(study: Path, tmp_path: Path) -> None:
    train(study, "basic-noisy", tmp_path)
    assert (tmp_path / "w").read_bytes() == (study / "basic-noisy" / "w").read_bytes()


def test_predictions_have_one_row_for_each_test_image(study: Path) -> None:
    table = read_records(study / "basic-clean" / "predictions")
    assert list(table.columns) == ["image", "label", "prediction", "confidence"]
    assert table["image"].tolist() == list(range(40))
    assert table["label"].tolist() == [0, 1] * 20
    assert table["confidence"].between(0.5, 1).all()


def test_a_shard_has_its_range_of_images_with_all_levels_of_each_together(study: Path) -> None:
    table = read_records(study / "basic-clean" / "12-30.parquet")
    names = ("image", "required_confidence", "adversarial")
    image, confidence, adversarial = read_tensors(study / "basic-clean" / "12-30.safetensors", *names)
    assert table["image"].tolist() == image.tolist() == [number for number in range(12, 30) for _ in LEVELS]
    assert table["required_confidence"].tolist() == confidence.tolist() == LEVELS * 18
    assert table["label"].tolist() == [number % 2 for number in range(12, 30) for _ in LEVELS]
    assert adversarial.shape == (18 * len(LEVELS), 1, 12, 12)
    assert read_metadata(study / "basic-clean" / "12-30.safetensors")["provenance"]["spec"]["attack"] == ATTACK


def test_a_shard_records_what_is_promised_of_each_image_and_level(study: Path) -> None:
    table = read_records(study / "basic-clean" / "12-30.parquet")
    expected = ["image", "label", "required_confidence", "label_before", "label_after", "confidence_after", "ended"]
    assert list(table.columns) == [*expected, "iterations", "zero_gradients", "scale", "target"]
    assert (table["scale"] == 1).all()
    assert (table["target"] == -1).all()


def test_a_higher_level_is_reached_later_on_the_same_way_and_with_its_confidence(study: Path) -> None:
    table = read_records(study / "basic-clean" / "measures")
    won = table[table["ended"] == "success"]
    assert (won["confidence_after"] >= won["required_confidence"]).all()
    assert (won["label_after"] != won["label"]).all()
    steps = table.pivot(index="image", columns="required_confidence", values="iterations")
    assert (steps.diff(axis=1)[LEVELS[1:]] >= 0).all(axis=None)
    assert (steps[0.9] > steps[0.0]).any()


def test_a_level_recorded_beside_others_is_the_one_that_an_attack_of_its_own_finds(study: Path, tmp_path: Path) -> None:
    attacked(study, "basic-clean", 0, 12, tmp_path, confidence=0.7, other_confidences=[])
    beside = read_records(study / "basic-clean" / "0-12.parquet")
    beside = beside[beside["required_confidence"] == 0.7].reset_index(drop=True)
    pandas.testing.assert_frame_equal(read_records(tmp_path / "0-12.parquet"), beside)
    (alone,) = read_tensors(tmp_path / "0-12.safetensors", "adversarial")
    (together,) = read_tensors(study / "basic-clean" / "0-12.safetensors", "adversarial")
    assert np.array_equal(alone, together[1::3])


def test_a_tightened_shard_holds_the_share_of_the_change_that_it_names(study: Path, tmp_path: Path) -> None:
    attacked(study, "basic-clean", 0, 12, tmp_path, tighten=True)
    table = read_records(tmp_path / "0-12.parquet")
    won = (table["ended"] == "success").to_numpy()
    assert table.loc[won, "scale"].between(0, 1, inclusive="right").all()
    assert (table.loc[won, "scale"] < 1).any()
    assert (table.loc[~won, "scale"] == 1).all()
    assert (table["confidence_after"] >= table["required_confidence"])[won].all()
    (short,) = read_tensors(tmp_path / "0-12.safetensors", "adversarial")
    (long,) = read_tensors(study / "basic-clean" / "0-12.safetensors", "adversarial")
    x = original(study, table["image"].to_numpy())
    scale = table["scale"].to_numpy()[:, None, None, None]
    assert short == pytest.approx(x + scale * (long - x), abs=1e-6)


def test_a_shard_starts_from_the_predictions_of_the_evaluation(study: Path) -> None:
    table = read_records(study / "basic-noisy" / "0-12.parquet", study / "basic-noisy" / "12-30.parquet")
    predictions = read_records(study / "basic-noisy" / "predictions")[:30]
    for level in LEVELS:
        at_level = table[table["required_confidence"] == level].reset_index(drop=True)
        assert at_level["label_before"].tolist() == predictions["prediction"].tolist()
        assert ((at_level["ended"] == "skipped") == (predictions["prediction"] != predictions["label"])).all()


def test_the_shards_and_the_batch_size_do_not_matter(study: Path, tmp_path: Path) -> None:
    attacked(study, "basic-clean", 0, 30, tmp_path, batch_size=5)
    parts = [study / "basic-clean" / "0-12", study / "basic-clean" / "12-30"]
    together = read_records(*(Path(f"{part}.parquet") for part in parts))
    pandas.testing.assert_frame_equal(read_records(tmp_path / "0-30.parquet"), together)
    (whole,) = read_tensors(tmp_path / "0-30.safetensors", "adversarial")
    images = [read_tensors(Path(f"{part}.safetensors"), "adversarial")[0] for part in parts]
    assert np.array_equal(whole, np.concatenate(images))


class StoppedError(Exception):
    """What a test stops a shard with."""


def same_shard(folder: Path, other: Path) -> None:
    """The first shard has the same records and images in both, to the last bit."""
    pandas.testing.assert_frame_equal(
        read_records(folder / "0-12.parquet"), read_records(other / "0-12.parquet"), check_exact=True
    )
    names = ("image", "required_confidence", "adversarial")
    ours, theirs = (read_tensors(each / "0-12.safetensors", *names) for each in (folder, other))
    for name, one, another in zip(names, ours, theirs, strict=True):
        assert np.array_equal(one, another), name


@pytest.fixture
def stopped(study: Path, tmp_path: Path) -> Path:
    """A folder in which a shard was stopped after its fourth step, just when its state had been saved."""
    calls = iter(range(1, 10**6))

    def save_and_stop(store: Store, state: Trajectories) -> None:
        save(store, state)
        raise StoppedError

    save = Store.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "due", lambda _: next(calls) == 4)
        patch.setattr(Store, "save", save_and_stop)
        with pytest.raises(StoppedError):
            attacked(study, "basic-clean", 0, 12, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0-12.checkpoint"]
    return tmp_path


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each shard that starts, whether it found a state to go on from."""
    found = []
    load = Store.load

    def noted(store: Store, device: torch.device) -> Trajectories | None:
        state = load(store, device)
        found.append(state is not None)
        return state

    monkeypatch.setattr(Store, "load", noted)
    return found


def test_a_stopped_shard_goes_on_from_its_saved_state_to_the_same_result(
    study: Path, stopped: Path, loaded: list[bool]
) -> None:
    attacked(study, "basic-clean", 0, 12, stopped)
    assert loaded == [True]
    assert sorted(path.name for path in stopped.iterdir()) == ["0-12.parquet", "0-12.safetensors"]
    same_shard(stopped, study / "basic-clean")


def test_a_shard_of_another_attack_or_other_weights_leaves_the_saved_state_unread(
    study: Path, stopped: Path, loaded: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = (stopped / "0-12.checkpoint").read_bytes()
    attacked(study, "basic-clean", 0, 12, stopped, confidence=0.8)
    (stopped / "0-12.checkpoint").write_bytes(saved)
    trained_anew = tmp_path_factory.mktemp("trained-anew")
    (trained_anew / "basic-clean").mkdir()
    shutil.copy(study / "basic-noisy" / "w", trained_anew / "basic-clean" / "w")
    shutil.copy(study / "test", trained_anew / "test")
    attacked(trained_anew, "basic-clean", 0, 12, stopped)
    assert loaded == [False, False]
    same_shard(stopped, study / "basic-noisy")


def test_measures_are_records_with_the_change_of_each_image(study: Path) -> None:
    table = read_records(study / "basic-clean" / "measures")
    assert {"ended", "iterations", "mean_change", "pixels_changed", "l2", "linf", "ssim"} < set(table.columns)
    assert len(table) == 30 * len(LEVELS)
    won = table[table["ended"] == "success"]
    assert (won["required_confidence"].value_counts()[LEVELS] > 10).all()
    assert (won["linf"] <= 0.02 * won["iterations"] + 1e-5).all()
    assert (won["linf"] > 0.02 * (won["iterations"] - 1)).all()
    assert (won["ssim"] < 1).all()


def test_every_row_is_measured_between_its_image_and_what_its_level_made_of_it(study: Path) -> None:
    table = read_records(study / "basic-clean" / "measures")
    shards = [study / "basic-clean" / f"{shard}.safetensors" for shard in ("0-12", "12-30")]
    adversarial = np.concatenate([read_tensors(shard, "adversarial")[0] for shard in shards])
    assert table["image"].tolist() == [number for number in range(30) for _ in LEVELS]
    change = np.abs(adversarial.astype(float) - original(study, table["image"].to_numpy()))
    assert table["l1"].tolist() == pytest.approx(change.sum(axis=(1, 2, 3)).tolist(), rel=1e-6)
    assert table["linf"].tolist() == pytest.approx(change.max(axis=(1, 2, 3)).tolist(), rel=1e-6)


def test_a_skipped_image_was_not_changed(study: Path) -> None:
    measured = [read_records(study / model / "measures") for model in MODELS]
    table = pandas.concat(measured)
    untouched = table["iterations"] == 0
    assert (table.loc[untouched, "l0"] == 0).all()
    assert (table.loc[~untouched, "l0"] > 0).all()


class Reciprocals(TorchFunctionMode):
    """Tensors are divided by a number as a GPU does it: multiplied with its reciprocal."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (Tensor.div, Tensor.div_, Tensor.true_divide, torch.div) and not isinstance(args[1], Tensor):
            product = Tensor.mul_ if function is Tensor.div_ else torch.mul
            return product(args[0], 1 / args[1])
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("script", "attack"), [(attack_shard, "attack"), (compare_shard, "compare")])
def test_an_attack_starts_from_the_pixels_that_its_result_is_held_against_however_a_device_divides(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: ModuleType, attack: str
) -> None:
    class Begun(Exception):
        pass

    def begin(_: nn.Module, images: Tensor, *__: Any, **___: Any) -> None:
        raise Begun(images)

    monkeypatch.setattr(script, attack, begin)
    settings = ATTACK if script is attack_shard else {"method": "fmn", "steps": 40}
    flags = ["--weights", study / "basic-clean" / "w", "--test", study / "test", "--start", 3, "--stop", 30]
    flags += ["--records", tmp_path / "records", "--adversarial", tmp_path / "images"]
    flags += ["--checkpoint", tmp_path / "state"] if script is attack_shard else []
    flags += named("basic-clean", "original")
    with Reciprocals(), pytest.raises(Begun) as begun:
        call(script, {"attack": settings, "seed": 1, "title": "t"}, *flags)
    (images,) = begun.value.args
    assert (images.numpy() == original(study, np.arange(3, 30))).all()


def test_tables_have_a_row_for_each_model_and_that_of_robustness_for_each_level(study: Path) -> None:
    accuracy, robustness = (pandas.read_csv(study / f"{name}.csv") for name in ("accuracy", "robustness"))
    assert accuracy["model"].tolist() == MODELS
    assert robustness["model"].tolist() == [model for model in MODELS for _ in LEVELS]
    assert robustness["required_confidence"].tolist() == LEVELS * len(MODELS)
    predictions = read_records(study / "basic-clean" / "predictions")
    assert accuracy["accuracy"][0] == pytest.approx(
        (predictions["label"] == predictions["prediction"]).mean(), abs=1e-4
    )
    assert accuracy["accuracy_published"][0] == 0.95
    assert (robustness["attacked"] + robustness["skipped"]).tolist() == [30] * len(robustness)
    assert (robustness["mean_change_low"] < robustness["mean_change"]).all()


def test_a_table_is_the_same_whatever_the_order_of_its_files(study: Path, tmp_path: Path) -> None:
    measures = [study / model / "measures" for model in MODELS[::-1]]
    pairs = {"attacks": ["original"], "models": MODELS}
    make(robustness, pairs, "--measures", *measures, "--table", tmp_path / "turned.csv")
    assert (tmp_path / "turned.csv").read_bytes() == (study / "robustness.csv").read_bytes()
    with pytest.raises(
        UserError, match="no file of attack original, model basic-clean, dataset stripes, seed 1 is given"
    ):
        make(robustness, pairs, "--measures", measures[0], "--table", tmp_path / "half.csv")


def test_examples_are_images_of_their_classes_as_each_model_s_attack_left_them(study: Path) -> None:
    names = ("original", "adversarial", "label", "label_after")
    shown, adversarial, label, after = read_tensors(study / "examples", *names)
    metadata = read_metadata(study / "examples")
    assert metadata["classes"] == ["right", "left"]
    assert label.tolist() == [1, 0]
    assert shown.shape == (2, 1, 12, 12)
    assert adversarial.shape == (2, 2, 1, 12, 12)
    assert after.shape == (2, 2)
    assert np.array_equal(shown, original(study, np.array(metadata["image"])))


@pytest.mark.parametrize("level", range(len(LEVELS)), ids=map(str, LEVELS))
def test_examples_are_images_and_records_of_their_required_confidence(study: Path, tmp_path: Path, level: int) -> None:
    examples(study, tmp_path / "examples", confidence=LEVELS[level])
    names = ("adversarial", "label_after", "confidence_after")
    adversarial, after, confidence = read_tensors(tmp_path / "examples", *names)
    for row, image in enumerate(read_metadata(tmp_path / "examples")["image"]):
        shard, first = ("0-12", 0) if image < 12 else ("12-30", 12)
        for place, model in enumerate(MODELS):
            (images,) = read_tensors(study / model / f"{shard}.safetensors", "adversarial")
            record = read_records(study / model / f"{shard}.parquet").loc[(image - first) * len(LEVELS) + level]
            assert np.array_equal(adversarial[row, place], images[(image - first) * len(LEVELS) + level])
            assert (after[row, place], confidence[row, place]) == (record["label_after"], record["confidence_after"])


def test_examples_of_different_required_confidences_differ(study: Path, tmp_path: Path) -> None:
    examples(study, tmp_path / "examples", confidence=0.0)
    (low,), (high,) = (read_tensors(path / "examples", "adversarial") for path in (tmp_path, study))
    assert not np.array_equal(low, high)


def test_a_class_of_which_no_image_was_attacked_is_named(study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no example of class 'none' .* raise attacked_images"):
        examples(study, tmp_path / "examples", "none")


def test_examples_are_each_models_own_whatever_the_order_of_the_files(study: Path, tmp_path: Path) -> None:
    examples(study, tmp_path / "examples", order=MODELS[::-1])
    assert (tmp_path / "examples").read_bytes() == (study / "examples").read_bytes()
    with pytest.raises(UserError, match=r"no file of model basic-clean, .* images 0 to 11 is given"):
        examples(study, tmp_path / "examples", left_out=1)


@pytest.fixture(scope="module")
def compared(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a library's attacks have run on a model, and were compared with ours."""
    pytest.importorskip("adv_lib", reason="adv-lib is not installed: `make comparators` does it")
    folder = tmp_path_factory.mktemp("compared")
    for method in ("fmn", "ddn"):
        shard = folder / f"{method}.parquet", folder / f"{method}.safetensors"
        call(
            compare_shard,
            {"attack": {"library": "adv-lib", "method": method, "steps": 40}, "seed": 1, "title": method},
            *("--weights", study / "basic-clean" / "w", "--test", study / "test", "--start", 0, "--stop", 30),
            *("--records", shard[0], "--adversarial", shard[1], *named("basic-clean", method)),
        )
        call(
            measure_attack,
            {"changed_pixel_threshold": 0.1},
            *(
                "--test",
                study / "test",
                "--records",
                shard[0],
                "--adversarial",
                shard[1],
                "--measures",
                folder / method,
            ),
        )
    spec = {"attacks": ["original"], "comparators": [["fmn", "fmn"], ["ddn", "ddn"]], "models": ["basic-clean"]}
    measures = [study / "basic-clean" / "measures", folder / "fmn", folder / "ddn"]
    make(comparison, spec, "--measures", *measures, "--table", folder / "comparison.csv")
    return folder


def test_a_librarys_attack_leaves_records_like_ours(study: Path, compared: Path) -> None:
    ours, theirs = read_records(study / "basic-clean" / "0-12.parquet"), read_records(compared / "fmn.parquet")
    ours = ours[ours["required_confidence"] == 0]
    assert list(theirs.columns) == list(ours.columns)
    assert (theirs["required_confidence"] == 0).all()
    assert theirs["image"].tolist() == list(range(30))
    assert theirs["label_before"][:12].tolist() == ours["label_before"].tolist()
    assert ((theirs["ended"] == "skipped") == (theirs["label_before"] != theirs["label"])).all()
    won = theirs[theirs["ended"] == "success"]
    assert len(won) > 10
    assert (won["label_after"] != won["label"]).all()
    metadata = read_metadata(compared / "fmn.safetensors")["provenance"]
    assert metadata["spec"]["attack"]["method"] == "fmn"
    assert metadata["versions"]["adv-lib"] == "0.2.8"


def test_a_comparison_has_a_row_for_each_norm(compared: Path) -> None:
    table = pandas.read_csv(compared / "comparison.csv")
    assert table["norm"].tolist() == ["linf", "l2"]
    assert (table["both"] > 10).all()
    # Ours goes in whole steps, the last of which goes too far, and so takes more change than the smallest that fools.
    assert (table["ratio"] > 1).all()


def bounded(study: Path, folder: Path, *ranges: tuple[int, int]) -> list[Path]:
    """The records of AutoAttack on each model and range of images."""
    spec = {"title": "t", "seed": 1, "budgets": {"linf": [0.1, 0.2]}, "attacks": ["apgd-ce", "apgd-t"], "targets": 9}
    paths = []
    for model in MODELS:
        for start, stop in ranges:
            paths.append(folder / f"{model}-{start}-{stop}.parquet")
            flags = ["--weights", study / model / "w", "--test", study / "test", "--start", start, "--stop", stop]
            flags += ["--checkpoint", folder / "steps.json"]
            call(bound_shard, spec, *flags, "--records", paths[-1], *named(model))
    return paths


def test_autoattack_leaves_a_record_for_each_budget_and_image_and_the_same_bytes_each_time(
    study: Path, tmp_path: Path
) -> None:
    (path, _), (again, _) = (bounded(study, tmp_path / name, (0, 30)) for name in "ab")
    assert path.read_bytes() == again.read_bytes()
    table = read_records(path)
    assert table["image"].tolist() == [*range(30)] * 2
    assert table["budget"].tolist() == [0.1] * 30 + [0.2] * 30
    assert ((table["decided_by"] == "unchanged") == (table["label"] != table["label_before"])).all()
    predictions = read_records(study / "basic-clean" / "predictions")
    assert table["label_before"][:30].tolist() == predictions["prediction"][:30].tolist()
    fooled = table[table["decided_by"] == "apgd-ce"]  # of two classes it is the only one of the two that can attack
    assert len(fooled) > 10
    assert (fooled["distance"] <= fooled["budget"] + 1e-6).all()
    assert set(table["decided_by"]) <= {"unchanged", "nothing", "apgd-ce"}


def test_autoattack_that_is_killed_in_a_step_makes_only_that_step_again_and_leaves_the_same_bytes(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole, _) = bounded(study, tmp_path / "whole", (0, 30))
    made: list[float] = []
    fooling = autoattack._Block._fooling

    def killed_at(budget: float) -> None:
        def counting(block: autoattack._Block, perturb: Any, rows: Any, at: float) -> Any:
            if at == budget:
                os.kill(os.getpid(), signal.SIGTERM)
            made.append(at)
            return fooling(block, perturb, rows, at)

        monkeypatch.setattr(autoattack._Block, "_fooling", counting)

    killed_at(0.2)
    folder = tmp_path / "killed"
    with pytest.raises(preemption.Interrupted, match=r"images 0 to 29, after 1 finished steps.*steps\.json"):
        bounded(study, folder, (0, 30))
    killed_at(-1)
    (again, _) = bounded(study, folder, (0, 30))
    assert again.read_bytes() == whole.read_bytes()
    assert made[:3] == [0.1, 0.2, 0.2]
    assert not (folder / "steps.json").exists()


def test_the_table_of_robust_accuracies_has_the_worst_of_autoattack_and_ours_whatever_the_order_of_files(
    study: Path, tmp_path: Path
) -> None:
    spec = {
        "models": MODELS,
        "attacks": ["original"],
        "autoattack": ["apgd-ce", "apgd-t"],
        "budgets": {"linf": [0.1, 0.2]},
    }
    paths = bounded(study, tmp_path, (0, 12), (12, 30))
    measures = [study / model / "measures" for model in MODELS]
    for name, bounds in (("a.csv", paths), ("b.csv", paths[::-1])):
        flags = ["--bounds", *bounds, "--measures", *measures, "--table", tmp_path / name]
        make(robust_accuracy, spec, *flags)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    table = pandas.read_csv(tmp_path / "a.csv")
    assert list(table[["model", "budget"]].itertuples(index=False, name=None)) == [
        (model, budget) for model in MODELS for budget in (0.1, 0.2)
    ]
    assert (table["images"] == 30).all()
    assert (table["robust_accuracy"] <= table[["clean_accuracy", "ours_accuracy"]].min(axis=1)).all()
    assert table["robust_accuracy"][0] > table["robust_accuracy"][1]
    right = table[["both", "only_autoattack", "only_ours", "neither"]].sum(axis=1)
    assert (right / 30).tolist() == pytest.approx(table["clean_accuracy"].tolist(), abs=1e-4)
    assert (table["decided_apgd_ce"] == table["both"] + table["only_autoattack"]).all()
    with pytest.raises(UserError, match=r"no file of model basic-noisy, seed 1, .* images 12 to 29 is given"):
        make(robust_accuracy, spec, "--bounds", *paths[:-1], "--measures", *measures, "--table", tmp_path / "c.csv")


def images_of(folder: Path, model: str) -> tuple[str | Path, ...]:
    """The flags that name the test images and what an attack on a model made of them."""
    images = [folder / model / f"{shard}.safetensors" for shard in ("0-12", "12-30")]
    return ("--test", folder / "test", "--adversarial", *images)


def measured(folder: Path, model: str) -> tuple[str | Path, ...]:
    """The flags of `images_of`, and of the measures."""
    return (*images_of(folder, model), "--measures", folder / model / "measures")


def shards_of(folder: Path, model: str) -> tuple[str | Path, ...]:
    """The flags of `images_of`, and of the records of the same shards."""
    records = [folder / model / f"{shard}.parquet" for shard in ("0-12", "12-30")]
    return (*images_of(folder, model), "--records", *records)


@pytest.fixture(scope="module")
def other_networks(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each model makes of the images that fooled the other, and the tables of that."""
    folder = tmp_path_factory.mktemp("other-networks")
    measures = ["--measures", *(study / model / "measures" for model in MODELS)]
    for model, other in (MODELS, MODELS[::-1]):
        spec = {"judges": [[other, 1]], "required_confidence": 0.7, "seed": 1}
        call(judge_attack, spec, *measured(study, model), "--weights", study / other / "w", "--judged", folder / model)
        spec = {"models": MODELS, "source": model, "required_confidence": 0.7, "seed": 1}
        weights = ["--weights", *(study / name / "w" for name in MODELS)]
        flags = [*images_of(study, model), *measures, *weights, "--transferred", folder / f"{model}-transferred"]
        call(transfer_attack, spec, *flags)
    spec = {"models": MODELS, "required_confidence": 0.7}
    judged, transferred = (["--judged"], ["--transferred"])
    judged += [folder / model for model in MODELS]
    transferred += [folder / f"{model}-transferred" for model in MODELS]
    make(believability, spec, *judged, *measures, "--table", folder / "believability.csv")
    make(transfer, spec, *transferred, *measures, "--table", folder / "transfer.csv")
    return folder


def fooled_at(study: Path, model: str, level: float) -> pandas.DataFrame:
    table = read_records(study / model / "measures")
    return table[(table["required_confidence"] == level) & (table["ended"] == "success")]


def test_a_judge_answers_once_on_every_fooled_image_and_once_on_its_noise(study: Path, other_networks: Path) -> None:
    fooled = fooled_at(study, "basic-clean", 0.7)
    table = read_records(other_networks / "basic-clean")
    assert list(table.columns) == ["image", "judge", "judge_seed", "kind", "answer"]
    for kind in ("adversarial", "noise"):
        assert table.loc[table["kind"] == kind, "image"].tolist() == fooled["image"].tolist()
    assert set(table["judge"]) == {"basic-noisy"}
    assert set(table["judge_seed"]) == {1}
    assert set(table["answer"]) <= {"new", "original"}  # of two classes one is the new label, the other the original
    believability = pandas.read_csv(other_networks / "believability.csv").set_index("model")
    assert believability.loc["basic-clean", "images"] == len(fooled)
    new = (table.loc[table["kind"] == "adversarial", "answer"] == "new").mean()
    assert believability.loc["basic-clean", "new_label"] == pytest.approx(new, abs=1e-5)


def test_every_change_that_is_transferred_has_the_largest_median_size(study: Path, other_networks: Path) -> None:
    table = read_records(*(other_networks / f"{model}-transferred" for model in MODELS))
    for norm in ("linf", "l2"):
        attacked = [read_records(study / model / "measures") for model in MODELS]
        medians = [
            each.loc[each["required_confidence"] == 0.7]
            .query("ended != 'skipped'")
            .assign(norm=lambda rows, norm=norm: rows[norm].where(rows["ended"] == "success", np.inf))["norm"]
            .median()
            for each in attacked
        ]
        of_norm = table[table["norm"] == norm]
        assert of_norm["size"].unique() == pytest.approx([max(medians)])
        assert of_norm["size_reached"].to_numpy() == pytest.approx(max(medians), rel=1e-5)
    diagonal = pandas.read_csv(other_networks / "transfer.csv").query("source == target")
    assert diagonal["images"].tolist() == [len(fooled_at(study, model, 0.7)) for model in MODELS for _ in range(2)]
    assert (diagonal["other_mistake"] == 0).all()
    assert (diagonal["fooled"] >= 0.5).all()


def test_jobs_that_show_images_to_networks_count_them(
    study: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, fooled = tmp_path / "original" / "basic-clean" / "seed1", len(fooled_at(study, "basic-clean", 0.7))
    weights = [study / name / "w" for name in MODELS]
    spec = {"judges": [["basic-noisy", 1]], "required_confidence": 0.7, "seed": 1}
    images, shards = images_of(study, "basic-clean"), shards_of(study, "basic-clean")
    measures = ["--measures", *(study / name / "measures" for name in MODELS)]
    with caplog.at_level("INFO"):
        call(
            judge_attack, spec, *measured(study, "basic-clean"), "--weights", weights[1], "--judged", folder / "judged"
        )
        spec = {"models": MODELS, "source": "basic-clean", "required_confidence": 0.7, "seed": 1}
        flags = ["--weights", *weights, "--transferred", folder / "transferred"]
        call(transfer_attack, spec, *images, *measures, *flags)
        predictions = ["--test", study / "test", "--predictions", folder / "predictions"]
        call(evaluate_model, {}, "--weights", weights[0], *predictions, *named("basic-clean"))
        call(measure_attack, {"changed_pixel_threshold": 0.1}, *shards, "--measures", folder / "measures")
    said = [re.sub(r" in [0-9.]+ s$", "", message) for message in caplog.messages]
    assert f"judges of original/basic-clean/seed1: {2 * fooled} images" in said
    assert f"transfer from basic-clean, seed 1: {2 * 5 * fooled} images" in said
    assert "predictions of basic-clean/seed1: 40 images" in said
    assert "measures of original/basic-clean/seed1: 90 images" in said  # 30 at three levels


def test_transfer_knows_models_by_what_their_files_say(study: Path, other_networks: Path, tmp_path: Path) -> None:
    spec = {"models": MODELS, "source": "basic-clean", "required_confidence": 0.7, "seed": 1}
    shards = images_of(study, "basic-clean")
    measures = ["--measures", *(study / model / "measures" for model in MODELS[::-1])]
    weights = ["--weights", *(study / model / "w" for model in MODELS[::-1])]
    call(transfer_attack, spec, *shards, *measures, *weights, "--transferred", tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == (other_networks / "basic-clean-transferred").read_bytes()
    flags = (*shards, *measures, *weights, "--transferred", tmp_path / "t")
    with pytest.raises(
        UserError, match=r"12.safetensors holds .*basic-clean.*, but no file of measures does: give both of basic-noisy"
    ):
        call(transfer_attack, spec | {"source": "basic-noisy"}, *flags)


def test_a_judge_that_is_not_the_one_of_the_spec_is_refused(study: Path, tmp_path: Path) -> None:
    spec = {"judges": [["basic-noisy", 1]], "required_confidence": 0.7, "seed": 1}
    flags = ["--weights", study / "basic-clean" / "w", "--judged", tmp_path / "judged"]
    with pytest.raises(UserError, match=r"basic-clean/w holds .*, which is not expected here"):
        call(judge_attack, spec, *measured(study, "basic-clean"), *flags)


def test_the_records_and_the_images_of_different_shards_are_not_measured(study: Path, tmp_path: Path) -> None:
    test, test_file, images, first, second, *records = shards_of(study, "basic-clean")
    swapped = (test, test_file, images, second, first, *records)
    with pytest.raises(UserError, match=r"0-12.parquet and .*12-30.safetensors hold other images"):
        call(measure_attack, {"changed_pixel_threshold": 0.1}, *swapped, "--measures", tmp_path / "measures")


def test_without_a_fooled_image_there_is_nothing_to_judge_or_to_transfer(study: Path, tmp_path: Path) -> None:
    spec = {"judges": [["basic-noisy", 1]], "required_confidence": 0.95, "seed": 1}  # a level that was not recorded
    weights = ["--weights", study / "basic-noisy" / "w"]
    call(judge_attack, spec, *measured(study, "basic-clean"), *weights, "--judged", tmp_path / "judged")
    assert len(read_records(tmp_path / "judged")) == 0
    spec = {"models": ["basic-noisy"], "source": "basic-noisy", "required_confidence": 0.95, "seed": 1}
    flags = [*measured(study, "basic-noisy"), *weights]
    call(transfer_attack, spec, *flags, "--transferred", tmp_path / "transferred")
    made = {"a": (believability, "judged", "basic-clean"), "b": (transfer, "transferred", "basic-noisy")}
    for table, (module, name, model) in made.items():
        tables = {"models": [model], "required_confidence": 0.95}
        flags = [f"--{name}", tmp_path / name, "--measures", study / model / "measures"]
        make(module, tables, *flags, "--table", tmp_path / f"{table}.csv")
    assert pandas.read_csv(tmp_path / "a.csv")["images"].tolist() == [0]
    assert pandas.read_csv(tmp_path / "b.csv")["images"].tolist() == [0, 0]


def test_images_that_fooled_another_training_of_a_network_are_not_shown_to_others(study: Path, tmp_path: Path) -> None:
    network = weights.load(study / "basic-clean" / "w")
    with torch.no_grad():
        next(network.parameters()).mul_(1.01)
    weights.save(tmp_path / "w", network, read_metadata(study / "basic-clean" / "w"))
    spec = {"models": ["basic-clean"], "source": "basic-clean", "required_confidence": 0.7, "seed": 1}
    flags = [*measured(study, "basic-clean"), "--weights", tmp_path / "w", "--transferred", tmp_path / "transferred"]
    with pytest.raises(UserError, match=r"12\.safetensors was made from other weights than those that are there now"):
        call(transfer_attack, spec, *flags)


def test_a_network_that_answers_with_nan_is_named_with_its_images_by_every_job(study: Path, tmp_path: Path) -> None:
    network = weights.load(study / "basic-noisy" / "w")
    with torch.no_grad():
        next(network.parameters())[0, 0] = torch.nan
    weights.save(tmp_path / "w", network, read_metadata(study / "basic-noisy" / "w"))
    given = ["--weights", tmp_path / "w"]
    with pytest.raises(
        UserError, match="basic-noisy, seed 1: the network answers test images 0, 1, 2, 3, 4 and 35 more"
    ):
        call(
            evaluate_model, {}, *given, "--test", study / "test", "--predictions", tmp_path / "p", *named("basic-noisy")
        )
    spec = {"judges": [["basic-noisy", 1]], "required_confidence": 0.7, "seed": 1}
    with pytest.raises(UserError, match=r"basic-noisy, seed 1, as a judge: the network answers original .* with NaN"):
        call(judge_attack, spec, *measured(study, "basic-clean"), *given, "--judged", tmp_path / "judged")
    spec = {"models": MODELS, "source": "basic-clean", "required_confidence": 0.7, "seed": 1}
    measures = ["--measures", *(study / model / "measures" for model in MODELS)]
    flags = [*images_of(study, "basic-clean"), *measures, *given, study / "basic-clean" / "w"]
    with pytest.raises(UserError, match=r"basic-noisy, seed 1: the network answers original .* with NaN"):
        call(transfer_attack, spec, *flags, "--transferred", tmp_path / "transferred")


def targeted(study: Path, to: Path, batch_size: int = 128, predictions: Path | None = None) -> pandas.DataFrame:
    """The records of the targeted attack on two images of each class."""
    call(
        attack_targets,
        {"title": "t", "attack": ATTACK | {"target": "given"}, "images_per_class": 2, "seed": 1},
        *("--weights", study / "basic-clean" / "w", "--test", study / "test"),
        *("--predictions", predictions or study / "basic-clean" / "predictions", "--batch-size", batch_size),
        *("--records", to / "records", "--checkpoint", to / "checkpoint", *named("basic-clean", "targeted")),
    )
    return read_records(to / "records")


def test_of_two_classes_each_image_is_led_toward_the_other_whatever_the_batches(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    table = targeted(study, tmp_path)
    monkeypatch.setattr(attack_targets, "SLICE", 3)
    pandas.testing.assert_frame_equal(targeted(study, tmp_path / "small", batch_size=3), table, check_exact=True)
    assert len(table) == 2 * 2 * len(LEVELS)
    assert (table["target"] == 1 - table["label"]).all()
    won = table[table["ended"] == "success"]
    assert len(won) > 0
    assert (won["label_after"] == won["target"]).all()
    assert not (tmp_path / "checkpoint").exists()
    spec = {"models": ["basic-clean"], "classes": CLASSES}
    make(targets, spec, "--records", tmp_path / "records", "--table", tmp_path / "targeted.csv")
    rows = pandas.read_csv(tmp_path / "targeted.csv")
    assert rows["required_confidence"].tolist() == [level for level in LEVELS for _ in CLASSES]
    assert rows["target"].tolist() == ["right", "left"] * len(LEVELS)


def test_a_model_that_gets_every_image_wrong_leaves_empty_records_and_tables(study: Path, tmp_path: Path) -> None:
    labels = np.arange(40) % 2
    columns = {"image": np.arange(40), "label": labels, "prediction": 1 - labels}
    write_records(tmp_path / "wrong", columns, read_header(study / "basic-clean" / "predictions"))
    assert len(targeted(study, tmp_path, predictions=tmp_path / "wrong")) == 0
    spec = {"models": ["basic-clean"], "classes": CLASSES}
    make(targets, spec, "--records", tmp_path / "records", "--table", tmp_path / "targeted.csv")
    assert len(pandas.read_csv(tmp_path / "targeted.csv")) == 0


def test_samples_of_the_augmentation_show_one_image_of_each_class(study: Path, tmp_path: Path) -> None:
    call(
        sample_augmentation,
        {"augmentation": NOISE},
        *("--train", study / "train", "--samples", tmp_path / "samples", "--draws", 4, "--classes", 2),
        *("--dataset", "stripes"),
    )
    original, augmented = read_tensors(tmp_path / "samples", "original", "augmented")
    assert original.shape == (2, 1, 12, 12)
    assert augmented.shape == (2, 4, 1, 12, 12)
    assert len({draw.tobytes() for image in augmented for draw in image}) == 8


def test_models_are_described_without_training(tmp_path: Path) -> None:
    spec = {
        "image": [1, 28, 28],
        "classes": 10,
        "architectures": {"basic": {"family": "perceptron", "hidden": 50, "title": "Basic"}},
        "models": [["basic-clean", "basic"], ["basic-noisy", "basic"]],
    }
    outputs = ["--table", tmp_path / "models.csv", "--architectures", tmp_path / "drawn.json"]
    call(describe_models, spec, *outputs, "--dataset", "stripes")
    table = pandas.read_csv(tmp_path / "models.csv")
    assert table["model"].tolist() == MODELS
    assert table["parameters"].tolist() == [39_760, 39_760]
    operations = json.loads((tmp_path / "drawn.json").read_text())["architectures"]["basic"]["operations"]
    assert [entry["type"] for entry in operations] == ["Input", "Flatten", "Linear", "ReLU", "Linear"]


def test_a_script_started_by_a_rule_fails_with_a_sentence(study: Path, tmp_path: Path) -> None:
    flags = ["--weights", tmp_path / "missing", "--test", study / "test", "--predictions", tmp_path / "predictions"]
    command = [
        sys.executable,
        evaluate_model.__file__,
        *map(str, flags),
        *named("basic-clean"),
        "--log",
        str(tmp_path / "log"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == SENTENCE_STATUS
    assert "missing does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr == (tmp_path / "log").read_text()
    assert not (tmp_path / "predictions").exists()


@pytest.mark.parametrize("batch_size", [3, 128])
def test_trust_checks_are_written_one_to_a_row_whatever_the_batch_size(
    study: Path, tmp_path: Path, batch_size: int
) -> None:
    attacked(study, "basic-clean", 0, 12, tmp_path, attack="strong")
    attacked(study, "basic-clean", 12, 30, tmp_path, attack="strong")
    records = [tmp_path / f"{name}.parquet" for name in ("0-12", "12-30")]
    images = [
        folder / f"{name}.safetensors" for folder in (study / "basic-clean", tmp_path) for name in ("0-12", "12-30")
    ]
    flags = ["--test", study / "test", "--records", *records, "--adversarial", *images[2:]]
    call(measure_attack, {"changed_pixel_threshold": 0.1}, *flags, "--measures", tmp_path / "measures")
    measures = ["--measures", study / "basic-clean" / "measures", tmp_path / "measures"]
    attacks = ["original", "strong"]
    spec = {"model": "basic-clean", "seed": 1, "attack": ATTACK, "attacks": attacks, "measured": attacks, "images": 10}
    autoattack_found = bounded(study, tmp_path / "bounds", (0, 12), (12, 30))[:2]
    for name, size in (("some", batch_size), ("all", 10)):
        call(
            check_trust,
            spec,
            *("--weights", study / "basic-clean" / "w", "--test", study / "test"),
            *("--adversarial", *images, "--bounds", *autoattack_found, *measures),
            *("--table", tmp_path / f"{name}.csv", "--batch-size", size),
        )
    assert (tmp_path / "some.csv").read_bytes() == (tmp_path / "all.csv").read_bytes()
    with pytest.raises(UserError, match=r"no file of .*, attack strong, .* images 12 to 29 is given"):
        call(
            check_trust,
            spec,
            *("--weights", study / "basic-clean" / "w", "--test", study / "test", "--table", tmp_path / "none.csv"),
            *("--adversarial", *images[:-1], *measures),
        )
    table = pandas.read_csv(tmp_path / "all.csv").set_index("check")
    assert len(table) == 15
    right = read_records(study / "basic-clean" / "predictions")[:30].query("label == prediction")
    assert table.loc["as_strong_as_autoattack", "images"] == len(right)
    assert (table[["model", "seed"]] == ["basic-clean", 1]).all(axis=None)
    shown = read_records(study / "basic-clean" / "measures").query("required_confidence == 0.9 and ended != 'skipped'")
    assert table.loc["unbounded", "images"] == len(shown)
    assert table.loc["beats_noise", "images"] == 10
    assert table.loc[["valid_values", "finite_differences", "batch_size"], "passed"].all()
