"""Chooses a network's device and memory format, and its images' format; this decides speed and changes no result."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn

from robustness.models.wrapper import OwnModel


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """Move `model` to `device`, with its weights in `memory_format`, in which convolutions are fastest there."""
    return model.to(device).to(memory_format=memory_format(model))


def memory_format(model: nn.Module) -> torch.memory_format:
    """Return the best memory format of images for `model`: channels last where it convolves and accepts it."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if isinstance(model, OwnModel):
        convolves = model.channels_last
    return torch.channels_last if convolves else torch.contiguous_format


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's tensors; the CPU where it has none."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device
