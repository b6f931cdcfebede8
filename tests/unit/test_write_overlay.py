"""`make overlay` fills in what the images tell, and what it writes is a sound configuration."""

from __future__ import annotations

import runpy
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
import yaml
from PIL import Image

from robustness.data.image_folder import read
from robustness.data.splits import split

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "write_overlay.py"))


def made_folder(folder: Path, classes: list[str], shape: tuple[int, ...], train: int = 4, test: int = 2) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("test", test)):
        for name in classes:
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
                image.save(folder / part / name / f"{number}.png")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["write_overlay.py", *arguments])
    TOOL["main"]()
    found: dict[str, Any] = yaml.safe_load((tmp_path / f"{arguments[0]}.yaml").read_text(encoding="utf-8"))
    return found


def test_too_few_images_to_train_on_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_folder(tmp_path / "pictures", ["cat", "dog"], (28, 28, 3), train=1)
    with pytest.raises(SystemExit, match=r"pictures has only 2 images in train/: put 3 or more there"):
        run(monkeypatch, tmp_path, "pets", str(folder))


def test_what_the_images_tell_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made_folder(tmp_path / "pictures", ["no", "yes"], (28, 28, 3), train=10)
    written = run(monkeypatch, tmp_path, "pets", str(folder))
    pets = written["datasets"]["pets"]
    assert written["sources"]["pets"] == {"kind": "imagefolder", "path": str(folder)}
    assert pets["image_size"] == [3, 28, 28]
    assert pets["classes"] == ["no", "yes"]  # not false and true, as YAML 1.1 reads them
    assert pets["split"] == {"train": 18, "validation": 2, "test": 4}
    assert written["training"] == {"batch_size": 18, "epochs": 100}  # one step in each epoch
    assert pets["attacked_images"] == 4
    assert pets["models"] == {"resnet-clean": {"architecture": "resnet", "data": "clean"}}
    said = capsys.readouterr().out
    assert "24 images read; no file passed over" in said
    assert said.endswith(".venv/bin/snakemake --cores 2 --configfile pets.yaml\n")


def test_a_network_of_ones_own_is_attacked_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_folder(tmp_path / "images", ["a", "b"], (50, 40))
    (tmp_path / "mine.pt").touch()
    options = ("--factory", "my_networks:small", "--weights", str(tmp_path / "mine.pt"))
    written = run(monkeypatch, tmp_path, "own", str(folder), *options)
    assert "training" not in written
    mine = written["datasets"]["own"]["models"]["mine"]
    assert mine["factory"] == "my_networks:small"
    assert mine["weights"] == str(tmp_path / "mine.pt")
    assert "data" not in mine
    mean, deviation = mine["normalisation"]["mean"], mine["normalisation"]["std"]
    assert (mean, deviation) == ([pytest.approx(0.5, abs=0.02)], [pytest.approx(0.289, abs=0.02)])  # of a uniform one


def test_other_sizes_are_given_to_a_network_that_takes_them_and_many_classes_are_no_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_folder(tmp_path / "images", [f"c{number}" for number in range(11)], (48, 48, 3))
    written = run(monkeypatch, tmp_path, "large", str(folder))
    (model,) = written["datasets"]["large"]["models"].values()
    assert model["factory"] == "torchvision.models:resnet18"
    assert model["kwargs"] == {"num_classes": 11}
    assert written["targeted"] == {"images_per_class": 1}


def test_gray_images_are_repeated_for_torchvisions_network_and_no_deviation_is_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_folder(tmp_path / "images", ["a", "b"], (48, 48))
    (model,) = run(monkeypatch, tmp_path, "gray", str(folder))["datasets"]["gray"]["models"].values()
    assert len(model["normalisation"]["mean"]) == len(model["normalisation"]["std"]) == 3
    assert TOOL["_moments"](np.zeros((2, 1, 4, 4), np.uint8)) == ([0.0], [0.001])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("there", "images"), "there.yaml exists: remove it, or choose another NAME"),
        (("new", ""), "make overlay NAME=pets IMAGES=/data/pets"),
        (("", "images"), "make overlay NAME=pets IMAGES=/data/pets"),
        (("new", "images", "--dataset", "MNIST"), "or NAME=cifar100 DATASET=CIFAR100"),
        (
            ("new", "", "--dataset", "VOCDetection"),
            "'VOCDetection' is no data set that is known here: choose one of CIFAR1",
        ),
        (
            ("new", "images", "--factory", "a:b", "--weights", "DEFAULT"),
            "WEIGHTS=DEFAULT needs a classifier of torchvision",
        ),
        (("new", "images", "--size", "32"), "SIZE and SPLIT are for DATASET"),
        (("new", "nowhere"), "nowhere does not exist"),
        (("new", "empty"), "empty holds no images in train/<class>/ and test/<class>/"),
        (("new", "images", "--weights", "w.pt"), "WEIGHTS needs FACTORY"),
        (("new", "images", "--factory", "a:b", "--weights", "w.pt"), "WEIGHTS names w.pt, which is no file"),
        (("New Name", "images"), "New Name"),
        (("cifar", "images"), "config.yaml has a dataset or source 'cifar'"),
        (("new", "my images"), "must be a path without spaces"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_folder(tmp_path / "images", ["a", "b"], (8, 8))
    made_folder(tmp_path / "my images", ["a", "b"], (8, 8))
    (tmp_path / "empty").mkdir()
    (tmp_path / "there.yaml").touch()
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, tmp_path, *arguments)
    assert says in str(end.value)
    assert sorted(path.name for path in tmp_path.glob("*.yaml")) == ["there.yaml"]


def test_of_many_classes_the_examples_are_of_those_that_are_attacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"kind-{number:03d}" for number in range(120)]
    folder = made_folder(tmp_path / "many", names, (8, 8), train=2, test=3)
    dataset = run(monkeypatch, tmp_path, "many", str(folder))["datasets"]["many"]
    images = read({"path": folder}, names)
    test = split(images, dataset["split"], names, dataset="many", source="imagefolder")["test"]
    attacked = {names[label] for label in test.labels[: dataset["attacked_images"]]}
    assert attacked < set(names)
    assert len(dataset["example_classes"]) == 2
    assert set(dataset["example_classes"]) <= attacked


# ---- data sets and weights of torchvision, from files in the real formats -------------------------------------------


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def fashion_mnist(downloads: Path) -> None:
    """FashionMNIST as torchvision leaves it: four unpacked IDX files; 20 images for training, 10 for testing."""
    rng = np.random.default_rng(0)
    folder = downloads / "FashionMNIST/FashionMNIST/raw"
    folder.mkdir(parents=True)
    for name, count in (("train", 20), ("t10k", 10)):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))


def test_a_data_set_of_torchvision_is_named_and_its_classes_and_size_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fashion_mnist(tmp_path / "results/downloads")
    written = run(monkeypatch, tmp_path, "fashion", "", "--dataset", "FashionMNIST")
    dataset = written["datasets"]["fashion"]
    assert dataset["classes"][:3] == ["T-shirt_top", "Trouser", "Pullover"], "in the order of the labels"
    assert dataset["image_size"] == [1, 28, 28]
    assert dataset["split"] == {"train": 18, "validation": 2, "test": 10}
    assert written["sources"]["fashion"]["path"] == "results/downloads/FashionMNIST.zip"
    from torchvision.datasets import FashionMNIST

    images = read({"path": tmp_path / "results/downloads/FashionMNIST.zip"}, dataset["classes"])
    for train, pixels, labels in (
        (True, images.train_images, images.train_labels),
        (False, images.test_images, images.test_labels),
    ):
        source = FashionMNIST(str(tmp_path / "results/downloads/FashionMNIST"), train=train)
        wanted = sorted((int(label), np.asarray(image).tobytes()) for image, label in source)
        assert sorted((int(label), image.tobytes()) for image, label in zip(pixels, labels, strict=True)) == wanted


def test_images_of_several_sizes_are_brought_to_one_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pictures:
        classes = ("none of them", "cat", "dog")  # EMNIST's letters, too, have a name without images

        def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
            assert split in ("train", "test")

        def __iter__(self):
            yield Image.new("RGB", (40, 30), "red"), 1
            yield Image.new("RGB", (20, 60), "blue"), 2
            yield Image.new("RGB", (24, 24), "green"), 2

    monkeypatch.setattr("torchvision.datasets.Food101", Pictures)
    with pytest.raises(SystemExit, match=r"several sizes, such as 20x60 and 40x30: say to which size, as in SIZE=64"):
        run(monkeypatch, tmp_path, "food", "", "--dataset", "Food101")
    assert not list((tmp_path / "results/downloads").glob("*.zip"))
    written = run(monkeypatch, tmp_path, "food", "", "--dataset", "Food101", "--size", "16")
    assert written["datasets"]["food"]["image_size"] == [3, 16, 16]
    assert written["datasets"]["food"]["classes"] == ["cat", "dog"]


def test_the_default_weights_of_a_model_of_torchvision_come_with_their_own_normalisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_folder(tmp_path / "images", ["a", "b"], (64, 64, 3))
    state = torchvision.models.resnet18().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: state)
    written = run(
        monkeypatch, tmp_path, "own", "images", "--factory", "torchvision.models:resnet18", "--weights", "DEFAULT"
    )
    model = written["datasets"]["own"]["models"]["mine"]
    assert model["weights"] == "results/downloads/resnet18-IMAGENET1K_V1.pt"
    assert model["normalisation"] == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    found = torch.load(tmp_path / model["weights"], weights_only=True)
    assert found.keys() == state.keys()
    assert torch.equal(found["fc.weight"], state["fc.weight"])
