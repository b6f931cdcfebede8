"""Wraps a user's network with its normalisation, for attack and training.

The wrapper carries what others ask about a user's network, so that they need not know where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

_HALF = (torch.float16, torch.bfloat16)


class Normalise(nn.Module):
    """(x − mean) / std, channel by channel; gray images are repeated to as many channels as there are values."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.std = nn.Buffer(torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class Resize(nn.Module):
    """Bilinear interpolation of images to `size` (height, width), smoothed where they get smaller.

    As torchvision resizes tensors. The attack acts on the images before it, since gradients pass through it.
    """

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, self.size, mode="bilinear", antialias=True)


def logits_of(output: Any) -> Any:
    """Return the logits in what a network returned, if that is clear: its entry `logits`, or its only entry.

    What is half as precise as float32 becomes float32, so that what follows has one precision less to know.
    """
    if isinstance(output, Mapping):
        output = output.get("logits", next(iter(output.values())) if len(output) == 1 else output)
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, list | tuple) and len(output) == 1:
        output = output[0]
    return output.float() if isinstance(output, Tensor) and output.dtype in _HALF else output


class OwnModel(nn.Module):
    """A user's network behind its size and its normalisation: takes pixels in [0, 1], returns logits.

    `channels_last` says whether it takes images with the channels last in memory; one that calls `view` on the output
    of a convolution does not. The network gets memory of its own: it may change its input in place, and the caller's
    images stay as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        normalisation: Mapping[str, list[float]] | None,
        resize: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.resize = Resize(resize) if resize else nn.Identity()
        self.normalise = Normalise(**normalisation) if normalisation else nn.Identity()
        self.network = network
        self.channels_last = False

    def forward(self, x: Tensor) -> Tensor:
        seen = self.normalise(self.resize(x))
        # Even gray images, which count as contiguous either way: a convolution would choose by their strides.
        form = torch.preserve_format if self.channels_last else torch.contiguous_format
        if seen is x:
            seen = x.clone(memory_format=form)
        elif not self.channels_last:
            seen = seen.flatten().view(seen.shape)
        output = logits_of(self.network(seen))
        # Half and double precision are for inside: what follows computes in the images' precision, except that a
        # network which does not become double with them (`trust.checks.in_float64`) must be seen not to.
        return output.float() if _is_float(output) and x.dtype == torch.float32 else output


def _is_float(output: Any) -> bool:
    """Return whether an output, which may be anything, is a tensor of floating-point numbers."""
    return isinstance(output, Tensor) and output.is_floating_point()
