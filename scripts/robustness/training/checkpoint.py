"""Saves and loads the state of a training: after an epoch, or after the step at which it was asked to end.

A checkpoint is not one of the workflow's outputs. It is keyed by everything that shapes the result, so that a killed
training continues and a changed one starts afresh.
"""

from __future__ import annotations

import io
import logging
import pickle
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from robustness.storage.atomic import replacing
from robustness.storage.digests import damaged_member

_LOG = logging.getLogger(__name__)

_LONG_SAVE = 1.0
"""Seconds of writing a checkpoint up to which one is written after every epoch."""

_PAUSE = 20
"""After a longer one, this many times as long passes before the next."""


@dataclass
class Begun:
    """An epoch in progress: its steps so far, their sums on the training's device, and where its random numbers are."""

    steps: int
    seen: int
    seconds: float
    loss_sum: Tensor
    correct: Tensor
    random: Tensor

    @classmethod
    def start(cls, generator: torch.Generator) -> Begun:
        """Return the state before an epoch's first step, with its images' order drawn."""
        # Sums stay on the device: reading them at every step would make a GPU wait.
        loss_sum, correct = (torch.zeros((), device=generator.device) for _ in range(2))
        return cls(0, 0, 0.0, loss_sum, correct, generator.get_state())


@dataclass(frozen=True)
class Epoch:
    """One line of a training's history; accuracies in [0, 1]."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


def save(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    history: list[Epoch],
    checkpoint: Path,
    key: str,
    begun: Begun | None = None,
) -> float:
    """Write a checkpoint; return the time (of `time.monotonic`) from which the next one is worth writing.

    A large network's checkpoint takes seconds, as long as its epoch on a GPU. Writing takes at most a twentieth of the
    time.
    """
    started = time.monotonic()
    state = {
        "key": key,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "history": [asdict(line) for line in history],
        "begun": {field.name: getattr(begun, field.name) for field in fields(Begun)} if begun else None,
    }
    # Through memory: torch reports a full disk as a RuntimeError about its archive.
    content = io.BytesIO()
    torch.save(state, content)
    with replacing(checkpoint) as temporary:
        temporary.write_bytes(content.getbuffer())
    finished = time.monotonic()
    return finished + _PAUSE * (finished - started) if finished - started >= _LONG_SAVE else finished


def resume(
    model: nn.Module, optimiser: torch.optim.Optimizer, checkpoint: Path, key: str
) -> tuple[list[Epoch], Begun | None]:
    """Load a checkpoint of the same key into model and optimiser; return its history (or none) and a begun epoch."""
    if not checkpoint.exists():
        return [], None
    try:
        if (member := damaged_member(checkpoint)) is not None:
            raise ValueError(f"{member} changed after it was written")
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        _LOG.warning("%s cannot be read (%s): training starts afresh", checkpoint, error)
        return [], None
    if state.get("key") != key:
        _LOG.info("%s belongs to other settings: training starts afresh", checkpoint)
        return [], None
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    begun = Begun(**state["begun"]) if state["begun"] else None
    if begun:
        device = next(model.parameters()).device
        begun.loss_sum, begun.correct = begun.loss_sum.to(device), begun.correct.to(device)
    return [Epoch(**line) for line in state["history"]], begun
