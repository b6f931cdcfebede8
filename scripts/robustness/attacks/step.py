"""Chooses the step α of the attack by a pilot: it is halved until half of it hardly moves the change that is measured.

Knows neither networks nor images: a function tells what a step did to each image of the pilot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST = 0.02
"""The step that is tried first, on pixels in [0, 1]."""
HALVINGS = 10
"""How often it is halved at most: down to a 200th of a level of 8 bits."""
LIMIT = 0.05
"""A step is small enough where half of it moves the median change by less than this share of it."""
LEAST_STEPS = 10
"""The steps that the median image must take. The change of a few steps is a multiple of the step for most images: a
step and its half then often overshoot to the same change, however far that is from what is needed."""


@dataclass(frozen=True)
class Attacked:
    """What a step did to the N images of the pilot: the change (N,), nan where not attacked, inf where not fooled.

    `steps` (N,) is the number of steps that were taken.
    """

    change: NDArray[np.float64]
    steps: NDArray[np.int64]

    @property
    def fooled(self) -> NDArray[np.bool_]:
        """Which images were fooled (N,)."""
        return np.isfinite(self.change)


@dataclass(frozen=True)
class Trial:
    """What a step did to a model: how many images were attacked and fooled; median change and steps of the fooled ones.

    `moved` is the share by which half of the step moves the median change of the images that both fool: negative where
    it falls. A value is None where no image was fooled, or where half of the step was not tried.
    """

    model: str
    alpha: float
    attacked: int
    fooled: int
    median_change: float | None
    median_steps: float | None
    moved: float | None = None


@dataclass(frozen=True)
class Choice:
    """The step that was chosen, why, and each step that was tried."""

    alpha: float
    reason: str
    tried: list[Trial]


def choose(models: Sequence[str], attack: Callable[[str, float], Attacked]) -> Choice:
    """Return the largest of `FIRST`, `FIRST` / 2, `FIRST` / 4, … that is small enough for each of `models`.

    The models take turns, and each continues with the step that the models before it needed: larger ones cannot be the
    result. A model has no say where no image is fooled. It asks for no smaller step where half of the step fools fewer
    than half of the images within the attack's iterations.
    """
    alpha, tried, reasons = FIRST, list[Trial](), list[str]()
    for model in models:
        alpha, trials, reason = _halved(model, alpha, attack)
        tried += trials
        reasons.append(f"{model}: {reason}.")
    return Choice(alpha, " ".join(reasons), tried)


def _halved(model: str, alpha: float, attack: Callable[[str, float], Attacked]) -> tuple[float, list[Trial], str]:
    """Halve a step as long as a model needs it; return the last step, what was tried, and why no smaller one."""
    tried = []
    whole = attack(model, alpha)
    while True:
        half = attack(model, alpha / 2)
        both = whole.fooled & half.fooled
        moved = float(np.median(half.change[both]) / np.median(whole.change[both]) - 1) if both.any() else None
        tried.append(_trial(model, alpha, whole, moved))
        reason = _enough(tried[-1], int(both.sum()))
        if reason is not None:
            return alpha, [*tried, _trial(model, alpha / 2, half)], reason
        alpha, whole = alpha / 2, half


def _enough(trial: Trial, by_both: int) -> str | None:
    """Return why a step is kept; None where it has to be halved. `by_both` counts the images that its half fools."""
    alpha, moved, steps = trial.alpha, trial.moved, trial.median_steps
    if steps is None:
        return f"no image was fooled with α = {alpha:g}, so the model has no say"
    if moved is None or by_both < trial.fooled / 2:
        return f"half of {alpha:g} fools only {by_both} of {trial.fooled} images within the attack's iterations"
    found = (
        f"half of {alpha:g} moves the median change by {100 * abs(moved):.1f} %, and the median image takes {steps:g}"
    )
    if abs(moved) < LIMIT and steps >= LEAST_STEPS:
        return f"{found} steps"
    return f"{found} steps; no smaller step is tried" if alpha <= FIRST / 2**HALVINGS else None


def _trial(model: str, alpha: float, found: Attacked, moved: float | None = None) -> Trial:
    change, steps = found.change[found.fooled], found.steps[found.fooled]
    attacked, fooled = int((~np.isnan(found.change)).sum()), len(change)
    if not fooled:
        return Trial(model, alpha, attacked, 0, None, None, moved)
    return Trial(model, alpha, attacked, fooled, float(np.median(change)), float(np.median(steps)), moved)
