"""Finds how many images of an attack fit into the device's memory at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from robustness.attacks.gradients import reward_gradient
from robustness.attacks.spec import AttackSpec
from robustness.models.placement import memory_format

CPU_BATCH = 128
"""Images at a time on a CPU, where memory is no limit and larger batches gain nothing."""
LARGEST_BATCH = 1024
_PROBES = (8, 24)
_SHARE = 0.8


def fitting_batch_size(model: nn.Module, shape: Sequence[int], spec: AttackSpec, device: torch.device) -> int:
    """Return how many images of `shape` (C, H, W) fit on `device` at a time: a power of two, at most `LARGEST_BATCH`.

    On a GPU two small batches show how the memory of a forward and backward pass grows with the batch; four fifths of
    the free memory are used. An estimate that is too high costs one halving (see `iterated_sign.attack`).
    """
    if device.type != "cuda":
        return CPU_BATCH
    peaks = []
    for count in _PROBES:
        x = torch.zeros((count, *shape), device=device).to(memory_format=memory_format(model))
        torch.cuda.reset_peak_memory_stats(device)
        reward_gradient(model, x, np.zeros(count, np.int64), spec)
        peaks.append(torch.cuda.max_memory_allocated(device))
    return batch_size_for(torch.cuda.mem_get_info(device)[0], (peaks[1] - peaks[0]) / (_PROBES[1] - _PROBES[0]))


def batch_size_for(free: float, per_image: float) -> int:
    """Return the largest power of two, at most `LARGEST_BATCH`, whose images fit into `free` bytes."""
    fitting = max(1.0, min(LARGEST_BATCH, _SHARE * free / max(1.0, per_image)))
    return 2 ** int(np.log2(fitting))
