"""Wraps a user's network with its normalisation, for attack and training.

The wrapper carries what others ask about a user's network, so that they need not know where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """(x − mean) / std, channel by channel; gray images are repeated to as many channels as there are values."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.std = nn.Buffer(torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class OwnModel(nn.Module):
    """A user's network behind its normalisation: takes pixels in [0, 1], returns logits.

    `channels_last` says whether it takes images with the channels last in memory; one that calls `view` on the output
    of a convolution does not.
    """

    def __init__(self, network: nn.Module, normalisation: Mapping[str, list[float]] | None) -> None:
        super().__init__()
        self.normalise = Normalise(**normalisation) if normalisation else nn.Identity()
        self.network = network
        self.channels_last = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        # Flattened, since gray images count as contiguous either way, and a convolution would choose by their strides.
        output = self.network(x if self.channels_last else x.flatten().view(x.shape))
        # Half precision and double precision are for inside: what follows computes in the images' precision, except
        # that a network which does not become double with them (`trust.checks.in_float64`) must be seen not to.
        return output.float() if _is_float(output) and x.dtype == torch.float32 else output


def _is_float(output: Any) -> bool:
    """Return whether an output, which may be anything, is a tensor of floating-point numbers."""
    return isinstance(output, Tensor) and output.is_floating_point()
