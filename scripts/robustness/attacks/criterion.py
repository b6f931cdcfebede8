"""Defines the criterion of an attack: what the model must predict for an image so that its attack has succeeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Criterion:
    """What M images must reach: another class than `truth`, or `target` where that is not −1, with `confidence`.

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
        """Return the criterion of some of the images."""
        return Criterion(self.truth[rows], self.target[rows], self.confidence[rows])

    def met(self, log_p: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return whether log-probabilities (M, K) meet it (M,)."""
        prediction = log_p.argmax(1)
        fooled = np.where(self.target < 0, prediction != self.truth, prediction == self.target)
        return fooled & (np.exp(log_p.max(1)) >= self.confidence)


def any_wrong_class(truth: NDArray[np.int64]) -> Criterion:
    """Return the criterion that any wrong prediction meets, whatever its probability."""
    return Criterion(truth, np.full_like(truth, -1), np.zeros(len(truth)))
