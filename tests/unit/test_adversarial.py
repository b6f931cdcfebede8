"""The images of adversarial training: within the budget, in [0, 1], drawn from the generator, and harder."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustness.training.adversarial import perturb


def changed(images: Tensor, seed: int = 0, **settings: Any) -> tuple[Tensor, Tensor]:
    """Images that a linear model finds harder, and how much its loss on each rises."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).requires_grad_(False)
    labels = model(images).argmax(1)
    found = perturb(model, images, labels, settings, torch.Generator().manual_seed(seed))
    before, after = (functional.cross_entropy(model(each), labels, reduction="none") for each in (images, found))
    return found, after - before


@pytest.mark.parametrize(("norm", "order"), [("linf", torch.inf), ("l2", 2)])
def test_changes_fill_the_budget_stay_in_range_and_raise_the_loss_of_every_image(norm: str, order: float) -> None:
    images = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    found, risen = changed(images, ball=norm, epsilon=0.2, step_size=0.1, pgd_steps=8)
    sizes = torch.linalg.vector_norm((found - images).flatten(1), ord=order, dim=1)
    assert (sizes <= 0.2 + 1e-6).all()
    assert sizes.median() > 0.18
    assert found.min() >= 0
    assert found.max() <= 1
    assert (risen > 0).all()


def test_the_start_is_random_and_decided_by_the_generator() -> None:
    images = torch.full((3, 1, 4, 4), 0.5)
    settings: dict[str, Any] = {"ball": "l2", "epsilon": 1.0, "step_size": 0.01, "pgd_steps": 1}
    (first, _), (again, _), (other, _) = (changed(images, seed, **settings) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_of_zero_leaves_a_finite_image(norm: str) -> None:
    images = torch.rand(2, 1, 4, 4)
    settings = {"ball": norm, "epsilon": 0.1, "step_size": 0.1, "pgd_steps": 2}
    found = perturb(lambda x: 0 * x.flatten(1), images, torch.tensor([0, 1]), settings, torch.Generator())
    assert found.isfinite().all()
