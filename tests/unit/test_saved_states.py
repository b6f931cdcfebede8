"""What a stopped job saved is taken up by a job with the same settings, code, inputs and kind of device alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import attack_shard
import attack_targets
import bound_shard
import calibrate_noise
import train_model
from robustness.compute import devices
from robustness.models import weights
from robustness.models.architectures import build
from robustness.models.image_shape import ImageShape
from robustness.storage.identity import Identity, contents
from robustness.storage.records import write_records
from robustness.storage.tensors import write_tensors

ARCHITECTURE = {"family": "perceptron", "hidden": 4}
ATTACK = {"reward": "probability", "direction": "sign", "alpha": 0.1, "confidence": 0.9, "max_iterations": 3}
TRAINING = {"epochs": 1, "batch_size": 4, "learning_rate": 0.01, "weight_decay": 0.0, "optimiser": "adamw"}
NETWORK = {"architecture": ARCHITECTURE, "classes": 2, "training": TRAINING}

KEEPERS: dict[ModuleType, str] = {
    attack_shard: "Store",
    attack_targets: "Store",
    bound_shard: "FinishedSteps",
    calibrate_noise: "train",
    train_model: "train",
}
"""The programs that save a state, with the name of what they hand its key to."""

SPECS: dict[ModuleType, dict[str, Any]] = {
    attack_shard: {"attack": ATTACK},
    attack_targets: {"attack": ATTACK, "images_per_class": 1},
    bound_shard: {"budgets": {"linf": [0.1]}, "attacks": ["apgd-ce"], "targets": 1},
    calibrate_noise: NETWORK | {"published_accuracy": 0.9, "augmentation": {"kind": "gaussian_noise"}},
    train_model: NETWORK | {"augmentation": None},
}

INPUTS: dict[ModuleType, tuple[str, ...]] = {
    attack_shard: ("weights", "test"),
    attack_targets: ("weights", "test", "predictions"),
    bound_shard: ("weights", "test"),
    calibrate_noise: ("train",),
    train_model: ("train",),
}
"""The files whose content shapes a state."""


class Inputs:
    """A folder with one small file of each kind, and the key that a program gives its state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("train", "validation", "test"):
            self.write_images(name)
        self.write_weights()
        self.write_predictions()

    def write_images(self, name: str, brightness: int = 100) -> None:
        images = np.full((8, 1, 4, 4), brightness, np.uint8)
        write_tensors(self.folder / name, {"images": images, "labels": np.arange(8) % 2}, {})

    def write_weights(self, factor: float = 1.0) -> None:
        torch.manual_seed(0)
        network = build(ARCHITECTURE, ImageShape(1, 4, 4), 2)
        with torch.no_grad():
            next(network.parameters()).mul_(factor)
        metadata = {"architecture": ARCHITECTURE, "image": [1, 4, 4], "classes": 2}
        weights.save(self.folder / "weights", network, metadata)

    def write_predictions(self, confidence: float = 0.8) -> None:
        """The predictions of this model on these images."""
        labels = np.arange(8) % 2
        columns = {"image": np.arange(8), "label": labels, "prediction": labels, "confidence": np.full(8, confidence)}
        made_from = contents(weights=self.folder / "weights", test=self.folder / "test")
        header = Identity("dots", "small", None, 0).header({}, made_from)
        write_records(self.folder / "predictions", columns, header)

    def change(self, name: str) -> None:
        if name == "weights":
            self.write_weights(factor=1.01)
        elif name != "predictions":
            self.write_images(name, brightness=101)
        self.write_predictions(0.7 if name == "predictions" else 0.8)

    def key(self, program: ModuleType, **changes: Any) -> str:
        """The key of the program's state, with a spec that has these changes."""
        spec = {"title": "small", "seed": 0} | SPECS[program] | changes
        known = {each.dest for each in program.arguments()._actions}
        values: dict[str, Any] = {
            name: self.folder / name for name in ("train", "validation", "test", "weights", "predictions")
        }
        values |= {name: self.folder / f"new-{name}" for name in ("records", "adversarial", "history", "card", "level")}
        values |= {"checkpoint": self.folder / "checkpoint", "start": 0, "stop": 8, "batch_size": 4, "seed": 0}
        values |= {"dataset": "dots", "model": "small", "attack": "original", "spec": json.dumps(spec)}
        words = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items() if name in known]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(program, KEEPERS[program], self.found)
            with pytest.raises(FoundError) as error:
                program.main(program.arguments().parse_args([word for pair in words for word in pair]))
        return str(error.value)

    @staticmethod
    def found(*arguments: Any, **named: Any) -> None:
        raise FoundError(named["key"] if "key" in named else arguments[1])


class FoundError(Exception):
    """Ends a program, with the key of its state, where it would look for that state."""


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path)


@contextmanager
def meta(_threads: int) -> Iterator[torch.device]:
    """A device of another kind that each machine has."""
    yield torch.device("meta")


def name_of(program: ModuleType) -> str:
    return program.__name__


PROGRAMS = pytest.mark.parametrize("program", KEEPERS, ids=name_of)


def test_every_program_that_saves_a_state_is_looked_at_here() -> None:
    programs = Path(train_model.__file__).parent.glob("*.py")
    saving = {path.stem for path in programs if '"--checkpoint"' in path.read_text(encoding="utf-8")}
    assert saving == {program.__name__ for program in KEEPERS}


@PROGRAMS
def test_the_same_job_finds_its_state_again(inputs: Inputs, program: ModuleType) -> None:
    assert inputs.key(program) == inputs.key(program)


@PROGRAMS
def test_another_seed_does_not(inputs: Inputs, program: ModuleType) -> None:
    assert inputs.key(program, seed=1) != inputs.key(program)


@PROGRAMS
def test_other_code_does_not(inputs: Inputs, program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inputs.key(program)
    monkeypatch.setattr(program, "code_digest", lambda: "other code")
    assert inputs.key(program) != before


@PROGRAMS
def test_another_kind_of_device_does_not(inputs: Inputs, program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inputs.key(program)
    monkeypatch.setattr(devices, "leased", meta)
    assert inputs.key(program) != before


@pytest.mark.parametrize(
    ("program", "name"),
    [pytest.param(each, name, id=f"{each.__name__}-{name}") for each in INPUTS for name in INPUTS[each]],
)
def test_another_input_does_not(inputs: Inputs, program: ModuleType, name: str) -> None:
    before = inputs.key(program)
    inputs.change(name)
    assert inputs.key(program) != before


def test_an_own_network_whose_code_has_changed_does_not(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inputs.key(train_model)
    arguments: Callable[[], Any] = train_model.arguments

    def with_code() -> Any:
        parser = arguments()
        parser.set_defaults(code=["network.py 0123"])
        return parser

    monkeypatch.setattr(train_model, "arguments", with_code)
    assert inputs.key(train_model) != before
