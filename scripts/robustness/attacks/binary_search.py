"""Finds the smallest change that meets the criterion on the straight line from an image to its attacked image.

Steps overshoot the criterion by up to one step, and their path may have curved.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.criterion import Criterion
from robustness.attacks.gradients import log_probabilities

HALVINGS = 10
"""Bisections; the change is known to a thousandth of its size."""


def tightened(
    model: nn.Module, images: Tensor, adversarial: Tensor, criterion: Criterion
) -> tuple[Tensor, NDArray[np.float64], NDArray[np.floating]]:
    """Bisect between `images` x and `adversarial` x′, both (M, C, H, W), for the smallest change that suffices.

    Returns x + s·(x′ − x), the scales s (M,) in (0, 1], and its log-probabilities (M, K). Where the criterion is met
    in several stretches of the line, the end of one of them is found, not always the one nearest to x. Every x′
    must meet the criterion.
    """
    best, best_log_p = adversarial, log_probabilities(model, adversarial)
    low, high = np.zeros(len(images)), np.ones(len(images))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        scale = torch.from_numpy(middle.astype(np.float32)).to(images.device).view(-1, 1, 1, 1)
        x = images + scale * (adversarial - images)
        log_p = log_probabilities(model, x)
        met = criterion.met(log_p)
        low, high = np.where(met, low, middle), np.where(met, middle, high)
        best = torch.where(torch.from_numpy(met).to(x.device).view(-1, 1, 1, 1), x, best)
        best_log_p = np.where(met[:, None], log_p, best_log_p)
    return best, high, best_log_p
