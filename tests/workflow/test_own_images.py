"""Anybody's own images, whatever their size, colour and number of classes: every table and figure is made of them."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from running import Copy, copied, counts

OWN_NETWORK = """
from torch import nn


def small(channels, classes):
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, classes)
    )
"""


@dataclass(frozen=True)
class Kind:
    """A kind of images: classes, channels, height and width; and the paper's architecture that takes them."""

    classes: list[str]
    size: tuple[int, int, int]
    architecture: str

    @property
    def name(self) -> str:
        return f"{len(self.classes)} classes of {'x'.join(map(str, self.size))}"


KINDS = [
    Kind(["cat", "dog"], (1, 28, 20), "small"),
    Kind(["red", "green", "blue"], (3, 32, 32), "small_resnet"),
    Kind([f"a_rather_long_name_of_a_class_{n}" for n in range(37)], (1, 40, 40), "small"),
]


def write_images(folder: Path, kind: Kind) -> None:
    """Another pattern of four by four fields in each class, with some noise; so few images that each counts."""
    random = np.random.RandomState(0)
    channels, height, width = kind.size
    patterns = 255 * random.rand(len(kind.classes), channels, 4, 4)
    patterns = patterns[:, :, np.arange(height) * 4 // height][..., np.arange(width) * 4 // width]
    for part, count in (("train", 12), ("test", 2)):
        for label, name in enumerate(kind.classes):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(patterns[label] + random.normal(0, 12, kind.size), 0, 255).astype(np.uint8)
                image = Image.fromarray(pixels[0] if kind.size[0] == 1 else pixels.transpose(1, 2, 0))
                image.save(folder / part / name / f"{number}.png")


def overlay(kind: Kind) -> dict[str, Any]:
    total = len(kind.classes)
    return {
        "study": ["own"],
        "sources": {"own": {"kind": "imagefolder", "path": "my-images"}},
        "training": {"epochs": 3, "batch_size": 8},
        "datasets": {
            "own": {
                "title": "Images of our own",
                "source": "own",
                "image_size": list(kind.size),
                "classes": kind.classes,
                "split": {"train": 10 * total, "validation": 2 * total, "test": 2 * total},
                "augmentation": {"kind": "affine", "rotation": 9, "shift": 0.1, "shear": 5, "zoom": 0.1, "flip": True},
                "attacked_images": 2 * total,
                "threat_models": {"linf": ["4/255"], "l2": [0.5]},
                "alpha": 0.05,
                "changed_pixel_threshold": 0.02,
                "example_classes": kind.classes[-2:],
                "models": {
                    "original-noisy": {"architecture": kind.architecture, "data": "noisy"},
                    "own-clean": {
                        "factory": "own_network:small",
                        "kwargs": {"channels": kind.size[0], "classes": total},
                        "normalisation": {"mean": [0.5] * kind.size[0], "std": [0.25] * kind.size[0]},
                        "data": "clean",
                    },
                },
            }
        },
        "attacks": {name: {"confidence": 0.6, "other_confidences": ["argmax"]} for name in ("original", "strong")},
        "targeted": {"images_per_class": 1, "max_iterations": 20},
        "autoattack": {"version": ["apgd-ce", "apgd-t", "fab-t"], "images": 4, "targets": 9},
        "trust": {"images": 8},
        "shard_images": 100,
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_table_and_figure_is_made_of_own_images(tmp_path: Path, kind: Kind) -> None:
    copy: Copy = copied(tmp_path)
    write_images(copy.path("my-images"), kind)
    copy.path("own_network.py").write_text(OWN_NETWORK)
    copy.run("results/tiny/own", overlay=overlay(kind)).succeeded()
    tables = {path.stem: pd.read_csv(path) for path in copy.path("results/tiny/own/tables").glob("*.csv")}
    assert {"accuracy", "believability", "models", "rank_agreement", "robustness", "transfer", "trust"} <= set(tables)
    robust = tables["robust_accuracy"]
    assert robust[["model", "norm", "budget"]].to_dict("list") == {
        "model": ["original-noisy"] * 2 + ["own-clean"] * 2,
        "norm": ["linf", "l2"] * 2,
        "budget": [4 / 255, 0.5] * 2,
    }
    assert (robust["images"] == 4).all()
    ends = tables["robustness"][["success", "default_state", "cap", "skipped"]].sum(axis=1)
    assert (ends == 2 * len(kind.classes)).all()
    pairs = tables["targeted"].groupby(["model", "required_confidence", "class"]).size()
    assert (pairs == min(9, len(kind.classes) - 1)).all()
    figures = copy.path("results/tiny/own/figures")
    names = ["architecture", "believability", "mean_change", "pixels_changed", "targeted_own-clean", "transfer"]
    names += [f"robustness_curves_{curves}" for curves in ("confidence", "l2", "linf", "mean_change")]
    for name in [*names, "training_curves", "training_noise"] + [
        f"{what}_{label}" for what in ("examples", "differences") for label in kind.classes[-2:]
    ]:
        assert (figures / f"{name}.svg").exists()
        with Image.open(figures / f"{name}.png") as image:
            assert min(image.size) > 100
    text = re.sub(r"<[^>]*>", "", (figures / "mean_change.svg").read_text(encoding="utf-8"))
    said = " ".join(text.split())  # wherever its lines are broken
    assert "small" in said
    assert f"{2 * len(kind.classes)} test images" in said


def test_images_are_prepared_again_when_one_of_their_folder_changes_and_not_when_it_is_copied(tmp_path: Path) -> None:
    copy, kind, target = copied(tmp_path), KINDS[0], "results/tiny/own/data/train.safetensors"
    images = copy.path("my-images")
    write_images(images, kind)
    copy.path("own_network.py").write_text(OWN_NETWORK)
    copy.run(target, overlay=overlay(kind)).succeeded()
    shutil.copytree(images, tmp_path / "again", copy_function=shutil.copyfile)
    shutil.rmtree(images)
    (tmp_path / "again").rename(images)
    (images / "README.md").write_text("not an image")
    assert copy.plan(target, overlay=overlay(kind)) == []
    shutil.copyfile(images / "train/cat/1.png", images / "train/cat/0.png")
    assert counts(copy.plan(target, overlay=overlay(kind))) == {"prepare_data": 1}
    copy.run(target, overlay=overlay(kind)).succeeded()
    shutil.copyfile(images / "train/cat/1.png", images / "train/cat/more.png")
    assert counts(copy.plan(target, overlay=overlay(kind))) == {"prepare_data": 1}


def test_an_archive_of_images_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    copy, kind, target = copied(tmp_path), KINDS[0], "results/tiny/own/data/train.safetensors"
    write_images(copy.path("my-images"), kind)
    copy.path("own_network.py").write_text(OWN_NETWORK)
    archive, other = (Path(shutil.make_archive(str(tmp_path / name), "tar", copy.path("my-images"))) for name in "ab")
    settings = overlay(kind) | {"sources": {"own": {"kind": "imagefolder", "path": str(archive)}}}
    copy.run(target, overlay=settings).succeeded()
    archive.touch()
    assert copy.plan(target, overlay=settings) == []
    with tarfile.open(other, "a") as longer:
        longer.add(copy.path("my-images/train/cat/1.png"), "train/cat/more.png")
    os.utime(other, (0, 0))
    other.replace(archive)  # an old file in place of a newer one
    assert counts(copy.plan(target, overlay=settings)) == {"prepare_data": 1}
