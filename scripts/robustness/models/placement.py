"""Where a network lies, and how images lie in memory for it: what decides its speed and changes no result."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn

from robustness.models.wrapper import OwnModel


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """`model` itself on `device`, with its weights in `memory_format`, in which convolutions are fastest there."""
    return model.to(device).to(memory_format=memory_format(model))


def memory_format(model: nn.Module) -> torch.memory_format:
    """How images lie best in memory for `model`: channels last where it convolves and can take them so."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if isinstance(model, OwnModel):
        convolves = model.channels_last
    return torch.channels_last if convolves else torch.contiguous_format


def device_of(model: nn.Module) -> torch.device:
    """Where a model's tensors are; on the CPU where it has none."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device
