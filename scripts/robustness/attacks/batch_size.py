"""Finds how many images of an attack fit into the device's memory at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from robustness.attacks.gradients import reward_gradient, smallest_batch
from robustness.attacks.spec import AttackSpec
from robustness.models.placement import memory_format

CPU_BATCH = 128
"""The most images at a time on a CPU, where larger batches gain nothing."""
CPU_MEMORY = 2 * 2**30
"""Bytes that a batch may keep for its backward pass on a CPU: the same on every machine, as are the batches with it."""
LARGEST_BATCH = 1024
_PROBES = (8, 24)
_SHARE = 0.8


def fitting_batch_size(model: nn.Module, shape: Sequence[int], spec: AttackSpec, device: torch.device) -> int:
    """Return how many images of `shape` (C, H, W) fit on `device` at a time: a power of two, at most `LARGEST_BATCH`.

    On a GPU two small batches show how the memory of a forward and backward pass grows with the batch; four fifths of
    the free memory are used. An estimate that is too high costs one halving (see `iterated_sign.attack`). On a CPU the
    tensors are counted that a small batch keeps for its backward pass: of images of 224 × 224 pixels, `CPU_BATCH` would
    need many gigabytes.
    """
    if device.type != "cuda":
        return min(CPU_BATCH, batch_size_for(CPU_MEMORY, _kept_for_an_image(model, shape, spec)))
    peaks = []
    for count in _PROBES:
        x = _images(count, shape, device).to(memory_format=memory_format(model))
        torch.cuda.reset_peak_memory_stats(device)
        reward_gradient(model, x, np.zeros(count, np.int64), spec)
        peaks.append(torch.cuda.max_memory_allocated(device))
    return batch_size_for(torch.cuda.mem_get_info(device)[0], (peaks[1] - peaks[0]) / (_PROBES[1] - _PROBES[0]))


def _kept_for_an_image(model: nn.Module, shape: Sequence[int], spec: AttackSpec) -> float:
    """Return the bytes that a pass on a CPU keeps for its backward pass, for each image."""
    count = smallest_batch(model, torch.device("cpu"))
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = _images(count, shape, torch.device("cpu")).to(memory_format=memory_format(model))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        reward_gradient(model, x, np.zeros(count, np.int64), spec)
    return sum(kept.values()) / count


def _images(count: int, shape: Sequence[int], device: torch.device) -> Tensor:
    """Return images of noise: to one of a single colour, a network that divides by its deviation has no answer."""
    return torch.rand((count, *shape), generator=torch.Generator(device).manual_seed(0), device=device)


def batch_size_for(free: float, per_image: float) -> int:
    """Return the largest power of two, at most `LARGEST_BATCH`, whose images fit into `free` bytes."""
    fitting = max(1.0, min(LARGEST_BATCH, _SHARE * free / max(1.0, per_image)))
    return 2 ** int(np.log2(fitting))
