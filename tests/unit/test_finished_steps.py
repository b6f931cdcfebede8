"""The finished steps of AutoAttack on disk: what is looked up, what is refused, and that results are the same."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robustness.attacks.autoattack import Bounds, Outcome, bounds
from robustness.attacks.finished_steps import FinishedSteps

STEP = torch.tensor([0.1 + 0.2, math.nan, 0.0], dtype=torch.float64)


def refused() -> Tensor:
    raise AssertionError("a finished step is made again")


def test_a_step_that_was_made_is_looked_up_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "steps.json"
    first = FinishedSteps(path, "key").outcome("l2/0/0.5/square", lambda: STEP)
    assert torch.equal(first.nan_to_num(-1), STEP.nan_to_num(-1))
    again = FinishedSteps(path, "key").outcome("l2/0/0.5/square", refused)
    assert torch.equal(again.nan_to_num(-1), STEP.nan_to_num(-1))
    assert again.dtype == torch.float64


@pytest.mark.parametrize("content", ['{"key": "other", "steps": {"s": [1.0]}}', '{"key": "key", "steps', "", "[1, 2]"])
def test_steps_of_another_attack_and_damaged_files_are_not_used(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "steps.json"
    path.write_text(content)
    with caplog.at_level(logging.INFO):
        found = FinishedSteps(path, "key").outcome("s", lambda: STEP)
    assert found.isnan().any()
    assert f"{path}" in caplog.text
    assert "AutoAttack starts afresh" in caplog.text


def test_removing_leaves_no_file(tmp_path: Path) -> None:
    steps = FinishedSteps(tmp_path / "steps.json", "key")
    steps.remove()
    steps.outcome("s", lambda: STEP)
    steps.remove()
    assert list(tmp_path.iterdir()) == []


class Killed(Exception):
    """What ends a job without a warning."""


class Mortal(nn.Module):
    """A small model that is killed once it was asked `most` times."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        layers = [nn.Flatten(), nn.Linear(25, 12), nn.Tanh(), nn.Linear(12, 5)]
        self.layers = nn.Sequential(*layers).requires_grad_(False)
        self.asked, self.most = 0, math.inf

    def forward(self, x: Tensor) -> Tensor:
        self.asked += 1
        if self.asked > self.most:
            raise Killed
        answers: Tensor = self.layers(x)
        return answers


def test_the_continuation_of_a_killed_job_finds_the_same_bounds_with_less_work(tmp_path: Path) -> None:
    model = Mortal()
    images = 0.4 + 0.2 * torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    labels = model(images).argmax(1)

    def run(outcome: Outcome, most: float = math.inf) -> Bounds:
        model.asked, model.most = 0, most
        attacks = ["apgd-ce", "apgd-t"]
        return bounds(model, images, labels, "l2", [0.1, 0.3], attacks, targets=1, outcome=outcome)

    whole = run(lambda _, attack: attack())
    needed = model.asked
    with pytest.raises(Killed):
        run(FinishedSteps(tmp_path / "steps.json", "key").outcome, most=0.6 * needed)
    again = run(FinishedSteps(tmp_path / "steps.json", "key").outcome)
    assert model.asked < needed
    assert again.decided_by == whole.decided_by
    assert torch.equal(again.distance.nan_to_num(-1), whole.distance.nan_to_num(-1))
