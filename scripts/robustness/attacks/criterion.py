"""The criterion of an attack: what the model must say of an image for the attack on it to have succeeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Criterion:
    """What M images are to reach: another class than `truth`, or `target` where that is not −1, with `confidence`.

    All (M,).
    """

    truth: NDArray[np.int64]
    target: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def aimed(self) -> NDArray[np.int64]:
        """The class whose probability an attack moves (M,): the target, or the true class where there is none."""
        return np.where(self.target < 0, self.truth, self.target)

    def of(self, rows: NDArray[np.int64]) -> Criterion:
        """The criterion of some of the images."""
        return Criterion(self.truth[rows], self.target[rows], self.confidence[rows])

    def met(self, log_p: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether log-probabilities (M, K) meet it (M,)."""
        prediction = log_p.argmax(1)
        fooled = np.where(self.target < 0, prediction != self.truth, prediction == self.target)
        return fooled & (np.exp(log_p.max(1)) >= self.confidence)


def any_wrong_class(truth: NDArray[np.int64]) -> Criterion:
    """The criterion that any prediction but the true one meets, whatever its probability."""
    return Criterion(truth, np.full_like(truth, -1), np.zeros(len(truth)))
