"""The smallest change on the way from an image to what an attack made of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from robustness.attacks.binary_search import tightened
from robustness.attacks.criterion import Criterion
from robustness.attacks.iterated_sign import attack
from robustness.attacks.spec import AttackSpec
from robustness.models.frozen import frozen
from robustness.outcome import SUCCESS

CPU = torch.device("cpu")
SPEC = AttackSpec("cross_entropy", "sign", alpha=0.05, confidence=0.9, max_iterations=100, other_confidences=(0.0,))


def linear() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(75, 2))
    model[1].weight.data *= 3
    return model


IMAGES = 0.5 + 0.05 * (torch.rand(33, 3, 5, 5, generator=torch.Generator().manual_seed(0)) - 0.5)


@pytest.mark.parametrize("direction", ["sign", "normalized"])
def test_a_tightened_attack_on_a_linear_model_is_at_the_optimum(direction: str) -> None:
    model = linear()
    with torch.no_grad():
        logits = model(IMAGES)
        weights = model[1].weight[1] - model[1].weight[0]
    spec = replace(SPEC, direction=direction, tighten=True, alpha=0.05 if direction == "sign" else 0.5)  # type: ignore[arg-type]
    options = {"seed": 1, "batch_size": 10}
    result = attack(frozen(model, CPU), IMAGES, logits.argmax(1), torch.arange(33), spec, **options)
    assert (result.outcome == SUCCESS).all()
    for level, confidence in enumerate(spec.levels):
        odds = math.log(confidence / (1 - confidence)) if confidence else 0.0
        gap = (logits[:, 1] - logits[:, 0]).abs() + odds
        change = (result.adversarial[:, level] - IMAGES).flatten(1)
        found = change.abs().amax(1) if direction == "sign" else change.norm(dim=1)
        optimum = gap / weights.norm(p=1 if direction == "sign" else 2)
        untightened = found / result.scale[:, level]
        assert (found >= optimum - 1e-5).all()
        assert (found <= optimum + untightened * 2**-10 + 1e-5).all()
        assert (result.confidence_after[:, level] >= confidence).all()
        assert (result.label_after[:, level] != logits.argmax(1)).all()
    assert (result.scale < 1).any()


def test_what_failed_is_left_as_it_is() -> None:
    model = linear()
    with torch.no_grad():
        labels = model(IMAGES).argmax(1)
    options = {"seed": 1, "batch_size": 10}
    spec = replace(SPEC, alpha=0.01, max_iterations=2)
    plain = attack(frozen(model, CPU), IMAGES, labels, torch.arange(33), spec, **options)
    tight = attack(frozen(model, CPU), IMAGES, labels, torch.arange(33), replace(spec, tighten=True), **options)
    failed = plain.outcome != SUCCESS
    assert failed.any()
    assert torch.equal(plain.adversarial[failed], tight.adversarial[failed])
    assert (tight.scale[failed] == 1).all()
    assert (plain.scale == 1).all()


def test_a_goal_that_only_the_end_meets_keeps_the_end() -> None:
    class OnlyAtTheEnd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            at_end = (x.amax((1, 2, 3)) >= 1).float()
            return torch.stack([1 - at_end, at_end], 1) * 10

    zeros, ones = torch.zeros(9, 1, 2, 2), torch.ones(9, 1, 2, 2)
    criterion = Criterion(np.zeros(9, np.int64), np.full(9, -1), np.full(9, 0.9))
    best, scale, log_p = tightened(OnlyAtTheEnd(), zeros, ones, criterion)
    assert torch.equal(best, ones)
    assert (scale == 1).all()
    assert (log_p.argmax(1) == 1).all()


def test_a_target_is_met_by_the_target_alone() -> None:
    log_p = np.log(np.array([[0.02, 0.95, 0.03], [0.02, 0.03, 0.95], [0.3, 0.5, 0.2]]))
    truth = np.zeros(3, np.int64)
    assert Criterion(truth, np.full(3, -1), np.full(3, 0.9)).met(log_p).tolist() == [True, True, False]
    assert Criterion(truth, np.full(3, 1), np.full(3, 0.9)).met(log_p).tolist() == [True, False, False]
    assert Criterion(truth, np.full(3, 1), np.zeros(3)).met(log_p).tolist() == [True, False, True]
