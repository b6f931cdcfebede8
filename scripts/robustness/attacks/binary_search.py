"""The smallest change, on the straight line from an image to what an attack made of it, that still meets the goal.

Pure functions on tensors. Exists because a trajectory of steps passes the goal by up to a step, and may have curved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.gradients import log_probabilities

HALVINGS = 10
"""Bisections; the change is known to a thousandth of its size."""


@dataclass(frozen=True)
class Goal:
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

    def of(self, rows: NDArray[np.int64]) -> Goal:
        """The goals of some of the images."""
        return Goal(self.truth[rows], self.target[rows], self.confidence[rows])

    def met(self, log_p: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether log-probabilities (M, K) meet it (M,)."""
        prediction = log_p.argmax(1)
        fooled = np.where(self.target < 0, prediction != self.truth, prediction == self.target)
        return fooled & (np.exp(log_p.max(1)) >= self.confidence)


def tightened(
    model: nn.Module, images: Tensor, adversarial: Tensor, goal: Goal
) -> tuple[Tensor, NDArray[np.float64], NDArray[np.floating]]:
    """Bisect between `images` x and `adversarial` x′, both (M, C, H, W), for the smallest change that meets `goal`.

    Returns x + s·(x′ − x), the scales s (M,) in (0, 1], and its log-probabilities (M, K). Where the goal is met in
    several stretches of the line, the end of one of them is found, not always the one nearest to x. Every x′ must meet
    the goal.
    """
    best, best_log_p = adversarial, log_probabilities(model, adversarial)
    low, high = np.zeros(len(images)), np.ones(len(images))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        scale = torch.from_numpy(middle.astype(np.float32)).to(images.device).view(-1, 1, 1, 1)
        x = images + scale * (adversarial - images)
        log_p = log_probabilities(model, x)
        met = goal.met(log_p)
        low, high = np.where(met, low, middle), np.where(met, middle, high)
        best = torch.where(torch.from_numpy(met).to(x.device).view(-1, 1, 1, 1), x, best)
        best_log_p = np.where(met[:, None], log_p, best_log_p)
    return best, high, best_log_p
