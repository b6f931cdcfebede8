"""Computes random numbers as a function of what they are for: seed, image, iteration, pixel.

The values are the same on every device and for every batch. A generator would make an image's attack depend on the
images that were attacked before it.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer


def random_signs(seed: int, image_ids: Tensor, iterations: Tensor, shape: torch.Size) -> Tensor:
    """Return a pattern of ±1 (B, *shape) that depends only on (seed, image, iteration, pixel), on every device.

    The bits come from the SplitMix64 finaliser (Steele et al., 2014) of the combined counters.
    """
    pixels = torch.arange(shape.numel(), device=image_ids.device)
    key = _mixed(_mixed(image_ids.long() + _wrapped(seed)) ^ iterations.long())
    bits = _mixed(key[:, None] + pixels[None, :] * _GOLDEN)
    return (1 - 2 * (bits & 1)).float().view(-1, *shape)


def random_offset(seed: int, image_ids: Tensor, limit: int) -> Tensor:
    """Return a whole number from 0 to `limit` − 1 for each image (B,), which depends only on (seed, image)."""
    return _mixed(image_ids.long() + _wrapped(seed)).remainder(limit)


def _wrapped(seed: int) -> int:
    return (seed * _GOLDEN + 2**63) % 2**64 - 2**63


def _mixed(z: Tensor) -> Tensor:
    """Apply the finaliser of SplitMix64 to int64 tensors, whose products wrap; `&` makes the right shifts logical."""
    z = z * _GOLDEN
    z = (z ^ ((z >> 30) & (2**34 - 1))) * -4658895280553007687
    z = (z ^ ((z >> 27) & (2**37 - 1))) * -7723592293110705685
    return z ^ ((z >> 31) & (2**33 - 1))
