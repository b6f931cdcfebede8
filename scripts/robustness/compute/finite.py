"""Finds images that a network answers with NaN or infinity, and names them.

Such an answer must not count as a class: the largest of NaNs is the first, so that images of class 0 would be right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from robustness.errors import UserError

_NAMED = 5  # how many images a sentence names


class NotFiniteError(ArithmeticError):
    """A network answered the images at `places` int64 (k,) of a batch with NaN or infinity."""

    def __init__(self, places: NDArray[np.int64]) -> None:
        super().__init__(f"answers that are not finite at {places.tolist()}")
        self.places = places


def check_finite(answers: NDArray[np.floating] | Tensor) -> None:
    """Raise `NotFiniteError` where an image's answers, a row of (B, K), are not all finite."""
    if not math.isfinite(answers.sum()):  # one sum settles it for nearly every batch
        places = np.flatnonzero(
            ~np.isfinite(np.asarray(answers.cpu() if isinstance(answers, Tensor) else answers)).all(1)
        )
        if len(places):
            raise NotFiniteError(places)


@contextmanager
def naming(title: str, numbers: NDArray[np.int64] | Tensor, kind: str = "test image") -> Iterator[None]:
    """Turn a `NotFiniteError` about a batch into a `UserError` that names its images by their `numbers` (B,)."""
    try:
        yield
    except NotFiniteError as error:
        raise not_finite(
            title, np.asarray(numbers.cpu() if isinstance(numbers, Tensor) else numbers)[error.places], kind
        ) from None


def not_finite(title: str, numbers: Sequence[int] | NDArray[np.int64], kind: str = "test image") -> UserError:
    """Return the error that names the images that the model `title` answered with NaN or infinity."""
    few = [str(number) for number in list(dict.fromkeys(map(int, numbers)))]
    named = ", ".join(few[:_NAMED]) + (f" and {len(few) - _NAMED} more" if len(few) > _NAMED else "")
    return UserError(
        f"{title}: the network answers {kind}{'' if len(few) == 1 else 's'} {named} with NaN or infinity: see whether "
        "its forward divides by zero there (an image of one colour has a deviation of 0), takes the logarithm of zero "
        "or overflows, and whether its weights are right"
    )
