"""`make overlay` fills in what the images tell, and what it writes is a sound configuration."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

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
    assert pets["attacked_images"] == 4
    assert pets["models"] == {"resnet-clean": {"architecture": "resnet", "data": "clean"}}
    said = capsys.readouterr().out
    assert "24 images read; no file passed over" in said
    assert said.endswith(".venv/bin/snakemake --cores 2 --configfile pets.yaml\n")


def test_a_network_of_ones_own_is_attacked_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_folder(tmp_path / "images", ["a", "b"], (50, 40))
    (tmp_path / "mine.pt").touch()
    options = ("--factory", "my_networks:small", "--weights", str(tmp_path / "mine.pt"))
    mine = run(monkeypatch, tmp_path, "own", str(folder), *options)["datasets"]["own"]["models"]["mine"]
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("there", "images"), "there.yaml exists: remove it, or choose another NAME"),
        (("new", ""), "make overlay NAME=pets IMAGES=/data/pets"),
        (("", "images"), "make overlay NAME=pets IMAGES=/data/pets"),
        (("new", "nowhere"), "nowhere does not exist"),
        (("new", "empty"), "empty holds no images in train/<class>/ and test/<class>/"),
        (("new", "images", "--weights", "w.pt"), "WEIGHTS needs FACTORY"),
        (("new", "images", "--factory", "a:b", "--weights", "w.pt"), "WEIGHTS names w.pt, which is no file"),
        (("New Name", "images"), "New Name"),
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
