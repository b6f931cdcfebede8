"""Whether our attacks are as strong as AutoAttack: what is counted, a sound model, and one with masked gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_trust import SPEC, evidence_of, linear, pictures
from torch import Tensor, nn

from robustness.attacks.autoattack import bounds
from robustness.storage.tensors import read_tensors
from robustness.trust.bounded import as_strong_as_autoattack
from robustness.trust.evidence import Records
from robustness.trust.questions import Check, tolerated


def found(decided: dict[float, list[str]], norm: str = "linf") -> dict[str, Any]:
    """AutoAttack's records of images 0, 1, 2, …, by budget."""
    images = len(next(iter(decided.values())))
    return {
        "image": np.tile(np.arange(images), len(decided)),
        "norm": np.array([norm] * images * len(decided)),
        "budget": np.array(list(decided)).repeat(images),
        "decided_by": np.array([name for names in decided.values() for name in names]),
    }


def measured(linf: list[float], wrong: bool = True) -> Records:
    """Measures of an attack of ours on images 0, 1, 2, …, of class 0."""
    label = np.zeros(len(linf), np.int64)
    return {"image": np.arange(len(linf)), "label": label, "label_after": label + wrong, "linf": np.array(linf)}


def test_the_worst_budget_counts_and_of_ours_the_best_attack() -> None:
    bounds = found({0.1: ["unchanged", "apgd-ce", "apgd-t", "nothing"], 0.2: ["unchanged", *["apgd-ce"] * 3]})
    check = as_strong_as_autoattack(bounds, [measured([0, 0.1, 0.3, 0.3]), measured([0, 0.5, 0.2, 0.4])], "linf")
    assert (check.value, check.images) == (pytest.approx(1 / 3), 3)
    assert check.limit == tolerated(0.2, 3)
    assert check.why == (
        "Of 3 images that the model gets right, by L∞: within 0.1, AutoAttack fooled 2, of which our attacks missed 1; "
        "within 0.2, AutoAttack fooled 3, of which our attacks missed 1."
    )


def test_a_change_of_ours_that_fools_nobody_does_not_count_and_neither_does_another_norm() -> None:
    bounds = found({0.1: ["apgd-ce"] * 2})
    assert as_strong_as_autoattack(bounds, [measured([0.05, 0.05])], "linf").value == 0
    assert as_strong_as_autoattack(bounds, [measured([0.05, 0.05], wrong=False)], "linf").value == 1
    assert not as_strong_as_autoattack(bounds, [measured([0.05, 0.05])], "l2").passed


def test_without_an_image_that_is_right_the_check_has_failed() -> None:
    check = as_strong_as_autoattack(found({0.1: ["unchanged"] * 3}), [measured([0.0] * 3)], "linf")
    assert (check.images, check.passed) == (0, False)


class Saturated(nn.Module):
    """The linear model, so sure of itself that in float32 every gradient of its probabilities is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = 1e7 * self.inner(x)
        return answers


def checked(folder: Path, network: nn.Module) -> Check:
    """The check of a network on images that our attack and AutoAttack were given, within a budget that fools all."""
    images = pictures()
    subject, evidence = evidence_of(folder, network)
    with torch.no_grad():
        labels = subject.model(images).argmax(1)
    needed = _needed(images)
    budget = float(1.1 * needed.max()) + SPEC.alpha
    decided = bounds(subject.model, images, labels, "linf", [budget], ["apgd-ce", "apgd-dlr"], targets=2).decided_by
    measures = []
    for name, records in evidence.attacks.items():
        (adversarial,) = read_tensors(folder / f"{name}.safetensors", "adversarial")
        change = np.abs(adversarial - images.numpy()[records["image"]]).max((1, 2, 3))
        measures.append({**records, "linf": change})
    return as_strong_as_autoattack(found({budget: decided[0]}), measures, "linf")


def _needed(images: Tensor) -> Tensor:
    """The smallest L∞ that fools the linear model."""
    inner = linear()
    with torch.no_grad():
        logits = inner(images)
        weights = inner[1].weight
        best = logits.argmax(1)
        gaps = logits.max(1, keepdim=True).values - logits
        dual = (weights[best][:, None] - weights[None]).abs().sum(2)
        others = torch.where(gaps > 0, gaps / dual, torch.inf)
    return others.min(1).values


def test_a_sound_model_passes_and_one_whose_gradients_vanish_is_caught(tmp_path: Path) -> None:
    sound = checked(tmp_path / "sound", linear())
    assert (sound.value, sound.passed) == (0, True), sound.why
    masked = checked(tmp_path / "masked", Saturated())
    assert masked.value > 0.5, masked.why
    assert not masked.passed
