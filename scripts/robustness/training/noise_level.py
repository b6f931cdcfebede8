"""Finds the level of Gaussian noise with which training gives a published accuracy, by bisection.

Knows no networks: a function trains with a level and returns the accuracy, which falls as the noise grows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from robustness.errors import UserError
from robustness.stats.intervals import wilson

WIDTH = 0.02
"""The levels between which the result lies are at most this far apart."""
HIGHEST = 16.0
"""The highest level that is tried; pixels are in [0, 1]."""


class Level(NamedTuple):
    """The level that gives the published accuracy, and the levels that give the ends of its 95 % interval."""

    sigma: float
    low: float
    high: float


def calibrated(accuracy_at: Callable[[float], float], published: float, images: int) -> Level:
    """Return the level at which `accuracy_at` is `published`, an accuracy on `images` test images, with an interval.

    `accuracy_at` is asked once for each level. Raises `UserError` where the accuracy is too low without any noise, or
    too high at `HIGHEST`.
    """
    accuracy = cache(accuracy_at)
    level, interval = _crossed(accuracy, published), wilson(round(published * images), images)
    return Level(level, *(_crossed(accuracy, wanted, is_bound=True) for wanted in (interval.high, interval.low)))


def _crossed(accuracy: Callable[[float], float], wanted: float, *, is_bound: bool = False) -> float:
    """Return the level at which the accuracy falls to `wanted`: between levels `WIDTH` apart, on a straight line.

    A bound of an interval that no level gives is 0 or `HIGHEST`.
    """
    low, high = 0.0, 1.0
    if accuracy(low) < wanted:
        if is_bound:
            return low
        raise UserError(
            f"without noise the accuracy is {accuracy(low):.4f}, but {wanted:.4f} is to be reached with noise: no "
            "noise level gives it; train on more images or for more epochs"
        )
    while accuracy(high) > wanted:
        low, high = high, 2 * high
        if high > HIGHEST:
            if is_bound:
                return HIGHEST
            raise UserError(
                f"with noise of {low:g} the accuracy is still {accuracy(low):.4f}, above {wanted:.4f}: no noise level "
                f"up to {HIGHEST:g} gives it; look at published_accuracy and at the training settings"
            )
    while high - low > WIDTH:
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy(middle) > wanted else (low, middle)
    above, below = accuracy(low), accuracy(high)
    return low if above == below else low + (high - low) * (above - wanted) / (above - below)
