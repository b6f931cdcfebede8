"""Gathers the operations that were traced on a network into the boxes of a diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from robustness.errors import UserError
from robustness.text import counted

Operation = Mapping[str, Any]
LINE = 0.125  # inches: a line of small text
MOST_BOXES = 12  # of an own network
IDLE = {"Dropout", "Dropout2d", "Identity", "StochasticDepth"}  # they do nothing once a network is trained
ACTIVATIONS = {"ELU", "GELU", "Hardsigmoid", "Hardswish", "LeakyReLU", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid"}
NORMS = {"BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm"}


@dataclass
class Step:
    """One box of a diagram: its label, the shape that leaves it, and the blocks or units drawn inside it."""

    label: str
    shape: Sequence[int]
    kind: str
    blocks: list[bool] = field(default_factory=list)  # one each; whether its shortcut is a convolution
    units: int = 0

    @property
    def lines(self) -> int:
        """Lines of the label."""
        return 1 + self.label.count("\n")

    @property
    def height(self) -> float:
        """Height of the box in inches."""
        return (0.46 if self.blocks or self.units else 0.26) + LINE * (self.lines - 1)


def steps(operations: Sequence[Operation]) -> list[Step]:
    """Return an architecture's boxes: a stage of blocks is one, an activation or normalisation joins what it follows.

    The softmax, which belongs to the loss and to the attack, ends the list.
    """
    found: list[Step] = []
    stage = None
    for operation in operations:
        name, kind, label, shape = (operation[key] for key in ("name", "type", "label", "shape"))
        if name.startswith("stages."):
            number, _, part = name.split(".")[1:4]
            if number != stage:
                stage = number
                stride = -(-found[-1].shape[-1] // shape[-1])
                found.append(Step(f"stride {stride}" if stride > 1 else "", shape, "stage"))
            found[-1].shape = shape
            if part == "add":
                found[-1].blocks.append(False)
        elif _joins(kind, found[-1].kind if found else ""):
            found[-1].label += f" → {label}"
            found[-1].shape = shape
        else:
            found.append(Step(label, shape, kind, units=shape[0] if kind == "Linear" else 0))
    converting = {key for key, (_, parts) in residual_blocks(operations).items() if "shortcut" in parts}
    stages = [step for step in found if step.kind == "stage"]
    for number, step in enumerate(stages):
        step.blocks = [(number, index) in converting for index in range(len(step.blocks))]
        count = counted(len(step.blocks), "block")
        step.label = ", ".join(filter(None, [f"stage {number + 1}: {count}", f"{step.shape[0]} filters", step.label]))
    return [*found, Step("softmax", found[-1].shape, "softmax")]


def own_steps(operations: Sequence[Operation]) -> list[Step]:
    """Return the boxes of a user's own network: its modules, as deep inside as there are at most `MOST_BOXES` boxes.

    Modules of one type that follow each other are one box, and so are a layer and the activation or norm after it.
    """
    shown = [operation for operation in operations if operation["type"] not in IDLE]
    depths = range(max(len(_path(operation)) for operation in shown), 0, -1)
    found = next(boxes for depth in depths if len(boxes := _boxes(shown, depth)) <= MOST_BOXES or depth == 1)
    return [*found, Step("softmax", found[-1].shape, "softmax")]


def _boxes(operations: Sequence[Operation], depth: int) -> list[Step]:
    """Return a box for each module at `depth`, or less deep where that is a layer itself."""
    found: list[Step] = []
    for place, group in groupby(operations, key=lambda operation: _path(operation)[:depth]):
        parts = list(group)
        last = parts[-1]
        if len(_path(last)) <= depth:
            for each in parts:
                kind = each["type"]
                if kind in ACTIVATIONS | NORMS and found and found[-1].kind in ("Conv2d", "Linear"):
                    found[-1].label += f" → {each['label']}"
                    found[-1].shape = each["shape"]
                else:
                    found.append(Step(each["label"], each["shape"], kind))
            continue
        kind = last["inside"][depth]
        if kind == "Sequential":
            inner = {_path(each)[depth]: (each["inside"][depth + 1 :] or [each["type"]])[0] for each in parts}
            alike = len(set(inner.values())) == 1
            kind = f"{len(inner)} × {next(iter(inner.values()))}" if alike else f"{len(inner)} modules"
        found.append(Step(f"{'.'.join(place)}: {kind}", last["shape"], ".".join(place[:-1])))
    return _together(found)


def _together(boxes: Sequence[Step]) -> list[Step]:
    """Return boxes of modules; modules of one type that follow each other in one module share a box."""
    found: list[Step] = []
    for (kind, what), group in groupby(boxes, key=lambda step: (step.kind, step.label.partition(": ")[2])):
        alike = list(group)
        if what and len(alike) > 1:
            first, last = (step.label.partition(": ")[0] for step in (alike[0], alike[-1]))
            label = f"{first}–{last.rpartition('.')[2]}: {len(alike)} × {what}"
            found.append(Step(label, alike[-1].shape, kind))
        else:
            found += alike
    return found


def _path(operation: Operation) -> list[str]:
    """Return the names of the modules around an operation of an own network, without the network itself."""
    return operation["name"].removeprefix("network.").split(".")


def is_own(network: Mapping[str, Any]) -> bool:
    """Return whether a network is one of the user's."""
    return network["family"] == "factory"


def residual_blocks(operations: Sequence[Operation]) -> dict[tuple[int, int], tuple[Operation, dict[str, Operation]]]:
    """Return per (stage, block) the operation whose output enters the block, and its parts by name in order."""
    blocks: dict[tuple[int, int], tuple[Operation, dict[str, Operation]]] = {}
    for before, operation in pairwise(operations):
        if operation["name"].startswith("stages."):
            stage, index, part = operation["name"].split(".")[1:4]
            key = (int(stage), int(index))
            blocks.setdefault(key, (before, {}))[1][part] = operation
    return blocks


def _joins(kind: str, before: str) -> bool:
    return (kind in ("ReLU", "BatchNorm2d") and before in ("Conv2d", "Linear")) or (
        kind == "Flatten" and before == "AvgPool2d"
    )


def described_as(described: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the description of the architecture `name`; raises `UserError` where it is missing."""
    if name not in described:
        raise UserError(
            f"the description of the architectures lacks '{name}' (it has {', '.join(described)}): delete it and run "
            "the workflow again"
        )
    return described[name]
