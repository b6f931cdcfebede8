"""Makes the images of adversarial training: each batch is attacked by the model that is being trained.

Madry et al. (2018), Towards deep learning models resistant to adversarial attacks, arXiv 1706.06083, equation 2.1: the
weights minimise the loss at its maximum within a budget, which projected gradient descent (PGD) looks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Generator, Tensor

_TINY = 1e-12


def perturb(
    logits_of: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    settings: dict[str, Any],
    generator: Generator,
) -> Tensor:
    """Return images within a budget of `images` that raise the cross-entropy of the logits (N, classes).

    PGD with `pgd_steps` steps of length `step_size`, from a random start, in a `ball`, `linf` or `l2`, of radius
    `epsilon`. `images` float (N, C, H, W) are in [0, 1], and so is the result; `labels` are int64 (N,).
    """
    norm, epsilon, size = settings["ball"], settings["epsilon"], settings["step_size"]
    change = _random_start(images, norm, epsilon, generator)
    for _ in range(settings["pgd_steps"]):
        changed = (images + change).clamp(0, 1).requires_grad_()
        loss = functional.cross_entropy(logits_of(changed), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, changed)
        step = gradient.sign() if norm == "linf" else gradient / _lengths(gradient)
        change = _within(changed.detach() + size * step - images, norm, epsilon)
    return (images + change).clamp(0, 1)


def _random_start(images: Tensor, norm: str, epsilon: float, generator: Generator) -> Tensor:
    """Return a random change (N, C, H, W) of at most `epsilon`."""
    if norm == "linf":
        return epsilon * (2 * torch.rand(images.shape, generator=generator, device=images.device) - 1)
    direction = torch.randn(images.shape, generator=generator, device=images.device)
    length = epsilon * torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device)
    return length * direction / _lengths(direction)


def _within(change: Tensor, norm: str, epsilon: float) -> Tensor:
    """Return the nearest change that the budget allows."""
    if norm == "linf":
        return change.clamp(-epsilon, epsilon)
    return change * (epsilon / _lengths(change)).clamp(max=1)


def _lengths(change: Tensor) -> Tensor:
    """Return L2 norms (N, 1, 1, 1), which are not 0."""
    return change.flatten(1).norm(dim=1).clamp(min=_TINY).view(-1, 1, 1, 1)
