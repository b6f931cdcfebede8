"""Steps images along the gradient of the reward, within a ball around the originals if asked.

For the trust checks, which need what `attacks.iterated_sign`, without a budget, is not: an attack at several budgets,
an attack that may change everything, and an attack that continues where another gave up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.criterion import Criterion
from robustness.attacks.gradients import log_probabilities, reward_gradient
from robustness.attacks.spec import AttackSpec
from robustness.compute.counter_random import random_signs
from robustness.compute.finite import naming


@dataclass(frozen=True)
class PGD:
    """Projected gradient descent on a model (from `models.frozen`), with a seed for steps where gradients are zero.

    It uses the reward, direction, target and precision of gradients of `spec`; the step and the number of steps are
    arguments; `title` names the model in errors.
    """

    model: nn.Module
    spec: AttackSpec
    seed: int
    title: str = "model"

    def attack(
        self,
        start: Tensor,
        criterion: Criterion,
        image_ids: Tensor,
        *,
        alpha: float | Tensor,
        steps: int,
        radius: float | Tensor = 1.0,
    ) -> NDArray[np.bool_]:
        """Return whether images meet `criterion` (N,) within `steps` steps of length `alpha` from `start` (N, C, H, W).

        Each step is projected onto the L∞ ball of `radius` around the start, and onto [0, 1]: for a `radius` below 1
        this is projected gradient descent (Madry et al., 2018, section 2.1), without its random start. `alpha` and
        `radius` are one number for all images, or one for each (N,). Images that met the criterion leave the batch.
        """
        alpha, radius = (
            torch.as_tensor(each).to(start).expand(len(start)).view(-1, 1, 1, 1) for each in (alpha, radius)
        )
        met = np.zeros(len(start), np.bool_)
        rows, x = np.arange(len(start)), start
        low, high = (start - radius).clamp(0, 1), (start + radius).clamp(0, 1)
        for step in range(steps + 1):
            ids = image_ids[torch.from_numpy(rows).to(image_ids.device)]
            with naming(self.title, ids):
                log_p, gradient = reward_gradient(self.model, x, criterion.of(rows).aimed, self.spec)
            done = criterion.of(rows).met(log_p)
            met[rows[done]] = True
            if done.all() or step == steps:
                break
            if done.any():
                left = torch.from_numpy(np.flatnonzero(~done)).to(x.device)
                rows = rows[~done]
                x, gradient, low, high, alpha = (each[left] for each in (x, gradient, low, high, alpha))
                ids = ids[left.to(ids.device)]
            x = x + alpha * self._directions(gradient, ids, step)
            x = torch.minimum(torch.maximum(x, low), high)
        return met

    def single_step(
        self, images: Tensor, criterion: Criterion, image_ids: Tensor, radii: tuple[float, ...]
    ) -> NDArray[np.bool_]:
        """Return whether one signed step of each length meets `criterion` (radii, N) (Goodfellow et al., 2015)."""
        with naming(self.title, image_ids):
            _, gradient = reward_gradient(self.model, images, criterion.aimed, self.spec)
            moved = ((images + radius * gradient.sign()).clamp(0, 1) for radius in radii)
            return np.array([criterion.met(log_probabilities(self.model, x)) for x in moved])

    def _directions(self, gradient: Tensor, image_ids: Tensor, step: int) -> Tensor:
        """Return the directions (N, C, H, W) of `AttackSpec.direction`; random where a gradient is zero."""
        steps = torch.full_like(image_ids, step)
        zero = ~gradient.flatten(1).any(1)
        gradient = torch.where(
            zero.view(-1, 1, 1, 1), random_signs(self.seed, image_ids, steps, gradient.shape[1:]), gradient
        )
        if self.spec.direction == "sign":
            return gradient.sign()
        return gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
