"""Holds the settings of an attack, checked; mistakes are named in sentences.

Needs only the settings, so that everything that reads them can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from robustness.errors import UserError
from robustness.storage.levels import ARGMAX, is_level

Reward = Literal["probability", "cross_entropy"]
Direction = Literal["sign", "normalized"]
Precision = Literal["float32", "tf32", "bfloat16"]
TARGETS = ("next", "random", "least_likely")
GIVEN = "given"
"""The target where a class is given with each image; for attacks that a script sets up, not for the configuration."""


@dataclass(frozen=True)
class AttackSpec:
    """One entry of `attacks:` with the dataset's step `alpha` (in units of pixel values, which span [0, 1]).

    `confidence` is the probability that the wrong class must reach; `other_confidences` are recorded from the same
    trajectory, which continues until the highest is reached. `target` is None (untargeted: any wrong class), `next`,
    `random`, `least_likely`, the number of a class, or `given` (with each image). `tighten` looks between the original
    and the result for the smallest change that still meets the criterion. `gradients` is the precision of the
    gradients; whether an image's attack has ended is always decided in float32.
    """

    reward: Reward
    direction: Direction
    alpha: float
    confidence: float
    max_iterations: int
    target: str | int | None = None
    other_confidences: tuple[float, ...] = ()
    tighten: bool = False
    gradients: Precision = "float32"

    @property
    def levels(self) -> tuple[float, ...]:
        """All required confidences, in rising order."""
        return tuple(sorted({self.confidence, *self.other_confidences}))


def alike(settings: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Return whether two attacks may share steps: they follow signs, and differ at most in the reward.

    They are given as settings or as `vars` of specs. The gradient of p is p times the gradient of log p: as long as
    that product is nowhere rounded to zero, their signs are the same.
    """
    return settings["direction"] == "sign" and {**settings, "reward": None} == {**others, "reward": None}


def read_spec(settings: Mapping[str, Any], classes: int, title: str) -> AttackSpec:
    """Return the spec that `settings` describe, for a model with `classes` classes.

    Raises `UserError` naming `title`, the key and its value for an unknown or missing key, a value outside its range,
    a target class that does not exist, or a confidence that every prediction reaches.
    """
    known = {field.name for field in fields(AttackSpec)}
    required = ("reward", "direction", "alpha", "confidence", "max_iterations")
    for key in settings:
        if key not in known:
            raise UserError(f"{title}: unknown attack setting '{key}'; known are {', '.join(sorted(known))}")
    for key in required:
        if key not in settings:
            raise UserError(f"{title}: the attack lacks '{key}'; it needs {', '.join(required)}")
    values = dict(settings)
    for key, allowed in (("reward", Reward), ("direction", Direction), ("gradients", Precision)):
        if values.get(key, get_args(allowed)[0]) not in get_args(allowed):
            raise UserError(f"{title}: {key} is {values[key]!r}; use {' or '.join(get_args(allowed))}")
    for key, kinds, words in (
        ("alpha", (int, float), "a number"),
        ("confidence", (int, float), "a number"),
        ("max_iterations", int, "a whole number"),
    ):
        if isinstance(values[key], bool) or not isinstance(values[key], kinds):
            raise UserError(f"{title}: {key} is {values[key]!r}; use {words}")
    if not 0 < values["alpha"] <= 1:
        raise UserError(f"{title}: alpha is {values['alpha']}; a step must be between 0 and 1")
    if values["max_iterations"] < 1:
        raise UserError(f"{title}: max_iterations is {values['max_iterations']}; use 1 or more")
    others = [_level(value, title) for value in values.get("other_confidences", ())]
    for key, level in [("confidence", values["confidence"]), *(("other_confidences", value) for value in others)]:
        _check_confidence(level, key, classes, title)
    _check_target(values.get("target"), classes, title)
    return AttackSpec(**values | {"other_confidences": tuple(others)})


def _level(value: Any, title: str) -> float:
    if value == "argmax":
        return ARGMAX
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{title}: other_confidences has {value!r}; use numbers or 'argmax'")
    return float(value)


def _check_confidence(level: float, key: str, classes: int, title: str) -> None:
    if key == "other_confidences" and is_level(level, ARGMAX):
        return
    if not level < 1:
        raise UserError(f"{title}: {key} has {level}, which no probability exceeds; use a value below 1")
    if level <= 1 / classes:
        raise UserError(
            f"{title}: {key} has {level}, but with {classes} classes every prediction has a probability of at least "
            f"{1 / classes:.3g}; use more, or 'argmax' in other_confidences for any wrong prediction"
        )


def _check_target(target: str | int | None, classes: int, title: str) -> None:
    if isinstance(target, int) and not 0 <= target < classes:
        raise UserError(f"{title}: target class {target} does not exist; the model has classes 0 to {classes - 1}")
    if isinstance(target, str) and target not in (*TARGETS, GIVEN):
        raise UserError(f"{title}: unknown target '{target}'; use {', '.join(TARGETS)} or a class of the dataset")
