"""The chain of scripts from prepared images to tables and examples, on data that is made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas
import pytest
import torch

import attack_shard
import compare_shard
import describe_models
import evaluate_model
import measure_attack
import sample_augmentation
import select_examples
import tabulate_accuracy
import tabulate_comparison
import tabulate_robustness
import train_model
from robustness.errors import UserError
from robustness.files import read_metadata, read_tensors, write_tensors
from robustness.records import read_records, write_records

CLASSES = ["left", "right"]
MODELS = ["basic-clean", "basic-noisy"]
NOISE = {"kind": "gaussian_noise", "sigma": 0.2}
ARCHITECTURE = {"family": "perceptron", "hidden": 8}
ATTACK = {
    "reward": "probability",
    "direction": "sign",
    "alpha": 0.02,
    "confidence": 0.9,
    "max_iterations": 100,
    "target": None,
}
TRAINING = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "weight_decay": 0.0, "optimiser": "adamw"}


def call(script: ModuleType, spec: dict[str, Any], *flags: str | Path | int) -> None:
    """What the script's rule does, in this process."""
    script.main(script.arguments().parse_args(["--spec", json.dumps(spec), *map(str, flags)]))


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
    call(train_model, spec, *flags, "--weights", to / "w", "--history", to / "h.csv", "--card", to / "c.json")


def attacked(folder: Path, model: str, start: int, stop: int, to: Path, batch_size: int = 128) -> None:
    name = to / f"{start}-{stop}"
    call(
        attack_shard,
        {"attack": ATTACK, "seed": 1, "title": model},
        *("--weights", folder / model / "w", "--test", folder / "test", "--start", start, "--stop", stop),
        *("--records", f"{name}.parquet", "--adversarial", f"{name}.safetensors", "--batch-size", batch_size),
    )


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
        call(evaluate_model, {}, "--weights", folder / model / "w", "--test", folder / "test", *predictions)
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
    call(tabulate_accuracy, published, "--predictions", *predictions, "--table", folder / "accuracy.csv")
    measures = [folder / model / "measures" for model in MODELS]
    pairs = {"attacks": ["report"], "models": MODELS}
    call(tabulate_robustness, pairs, "--measures", *measures, "--table", folder / "robustness.csv")
    examples(folder, folder / "examples")
    torch.set_num_threads(threads)
    return folder


def examples(folder: Path, to: Path, *names: str) -> None:
    spec = {"classes": [*CLASSES, "none"], "example_classes": list(names) or ["right", "left"], "models": MODELS}
    shards = [folder / model / f"{part}.safetensors" for model in MODELS for part in ("0-12", "12-30")]
    measures = [folder / model / "measures" for model in MODELS]
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


def test_a_shard_has_its_range_of_images(study: Path) -> None:
    table = read_records(study / "basic-clean" / "12-30.parquet")
    image, adversarial = read_tensors(study / "basic-clean" / "12-30.safetensors", "image", "adversarial")
    assert table["image"].tolist() == image.tolist() == list(range(12, 30))
    assert adversarial.shape == (18, 1, 12, 12)
    assert read_metadata(study / "basic-clean" / "12-30.safetensors")["provenance"]["spec"]["attack"] == ATTACK


def test_a_shard_starts_from_the_predictions_of_the_evaluation(study: Path) -> None:
    table = read_records(study / "basic-noisy" / "0-12.parquet", study / "basic-noisy" / "12-30.parquet")
    predictions = read_records(study / "basic-noisy" / "predictions")[:30]
    assert table["label_before"].tolist() == predictions["prediction"].tolist()
    assert ((table["ended"] == "skipped") == (predictions["prediction"] != predictions["label"])).all()


def test_the_shards_and_the_batch_size_do_not_matter(study: Path, tmp_path: Path) -> None:
    attacked(study, "basic-clean", 0, 30, tmp_path, batch_size=5)
    parts = [study / "basic-clean" / "0-12", study / "basic-clean" / "12-30"]
    together = read_records(*(Path(f"{part}.parquet") for part in parts))
    pandas.testing.assert_frame_equal(read_records(tmp_path / "0-30.parquet"), together)
    (whole,) = read_tensors(tmp_path / "0-30.safetensors", "adversarial")
    images = [read_tensors(Path(f"{part}.safetensors"), "adversarial")[0] for part in parts]
    assert np.array_equal(whole, np.concatenate(images))


def test_measures_are_records_with_the_change_of_each_image(study: Path) -> None:
    table = read_records(study / "basic-clean" / "measures")
    assert {"ended", "iterations", "mean_change", "pixels_changed", "l2", "linf", "ssim"} < set(table.columns)
    assert len(table) == 30
    won = table[table["ended"] == "success"]
    assert len(won) > 10
    assert (won["linf"] <= 0.02 * won["iterations"] + 1e-5).all()
    assert (won["linf"] > 0.02 * (won["iterations"] - 1)).all()
    assert (won["ssim"] < 1).all()


def test_a_skipped_image_was_not_changed(study: Path) -> None:
    measured = [read_records(study / model / "measures") for model in MODELS]
    table = pandas.concat(measured)
    untouched = table["iterations"] == 0
    assert (table.loc[untouched, "l0"] == 0).all()
    assert (table.loc[~untouched, "l0"] > 0).all()


def test_tables_have_a_row_for_each_model(study: Path) -> None:
    accuracy, robustness = (pandas.read_csv(study / f"{name}.csv") for name in ("accuracy", "robustness"))
    assert accuracy["model"].tolist() == robustness["model"].tolist() == MODELS
    predictions = read_records(study / "basic-clean" / "predictions")
    assert accuracy["accuracy"][0] == pytest.approx(
        (predictions["label"] == predictions["prediction"]).mean(), abs=1e-4
    )
    assert accuracy["accuracy_published"][0] == 0.95
    assert (robustness["attacked"] + robustness["skipped"]).tolist() == [30, 30]
    assert (robustness["mean_change_low"] < robustness["mean_change"]).all()


def test_examples_are_images_of_their_classes_as_each_model_s_attack_left_them(study: Path) -> None:
    names = ("original", "adversarial", "label", "label_after")
    original, adversarial, label, after = read_tensors(study / "examples", *names)
    metadata = read_metadata(study / "examples")
    assert metadata["classes"] == ["right", "left"]
    assert label.tolist() == [1, 0]
    assert original.shape == (2, 1, 12, 12)
    assert adversarial.shape == (2, 2, 1, 12, 12)
    assert after.shape == (2, 2)
    for row, image in enumerate(metadata["image"]):
        (pixels,) = read_tensors(study / "test", "images", rows=slice(image, image + 1))
        assert np.array_equal(original[row], pixels[0].astype(np.float32) / np.float32(255))
        shard, first = ("0-12", 0) if image < 12 else ("12-30", 12)
        (noisy,) = read_tensors(study / "basic-noisy" / f"{shard}.safetensors", "adversarial")
        assert np.array_equal(adversarial[row, 1], noisy[image - first])


def test_a_class_of_which_no_image_was_attacked_is_named(study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no example of class 'none' .* raise attacked_images"):
        examples(study, tmp_path / "examples", "none")


@pytest.fixture(scope="module")
def compared(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a library's attacks have run on a model, and were compared with ours."""
    pytest.importorskip("adv_lib", reason="adv-lib is not installed: `make comparators` does it")
    folder = tmp_path_factory.mktemp("compared")
    ours = read_records(study / "basic-clean" / "measures").assign(required_confidence=0.0)
    write_records(folder / "ours", {name: ours[name].to_numpy() for name in ours.columns}, {})
    for method in ("fmn", "ddn"):
        shard = folder / f"{method}.parquet", folder / f"{method}.safetensors"
        call(
            compare_shard,
            {"attack": {"library": "adv-lib", "method": method, "steps": 40}, "seed": 1, "title": method},
            *("--weights", study / "basic-clean" / "w", "--test", study / "test", "--start", 0, "--stop", 30),
            *("--records", shard[0], "--adversarial", shard[1]),
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
    spec = {"attacks": ["report"], "comparators": [["fmn", "fmn"], ["ddn", "ddn"]], "models": ["basic-clean"]}
    measures = [folder / name for name in ("ours", "fmn", "ddn")]
    call(tabulate_comparison, spec, "--measures", *measures, "--table", folder / "comparison.csv")
    return folder


def test_a_librarys_attack_leaves_records_like_ours(study: Path, compared: Path) -> None:
    ours, theirs = read_records(study / "basic-clean" / "0-12.parquet"), read_records(compared / "fmn.parquet")
    assert set(theirs.columns) == {*ours.columns, "required_confidence"}
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
    # Ours goes on to a probability of 0.9, and so takes more change than the smallest that fools.
    assert (table["ratio"] > 1).all()


def test_samples_of_the_augmentation_show_one_image_of_each_class(study: Path, tmp_path: Path) -> None:
    call(
        sample_augmentation,
        {"augmentation": NOISE},
        *("--train", study / "train", "--samples", tmp_path / "samples", "--draws", 4, "--classes", 2),
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
    call(describe_models, spec, "--table", tmp_path / "models.csv", "--architectures", tmp_path / "drawn.json")
    table = pandas.read_csv(tmp_path / "models.csv")
    assert table["model"].tolist() == MODELS
    assert table["parameters"].tolist() == [39_760, 39_760]
    operations = json.loads((tmp_path / "drawn.json").read_text())["basic"]["operations"]
    assert [entry["type"] for entry in operations] == ["Input", "Flatten", "Linear", "ReLU", "Linear"]


def test_a_script_started_by_a_rule_fails_with_a_sentence(study: Path, tmp_path: Path) -> None:
    flags = ["--weights", tmp_path / "missing", "--test", study / "test", "--predictions", tmp_path / "predictions"]
    command = [sys.executable, evaluate_model.__file__, *map(str, flags), "--log", str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "missing does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr == (tmp_path / "log").read_text()
    assert not (tmp_path / "predictions").exists()
