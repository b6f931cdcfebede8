"""Finds what a machine is called and how fast it multiplies, so that a time can say what it was measured on.

Reads /proc/cpuinfo where there is one. Kept apart from `robustness.compute.devices`, which every job uses.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")


def cpu_name() -> str:
    """Return the processor's model as the operating system names it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def timed(device: torch.device, work: Callable[[], T]) -> tuple[float, T]:
    """Return the wall seconds of `work` until `device` has done all that it was given, and what `work` returned."""
    _wait(device)
    started = time.perf_counter()
    result = work()
    _wait(device)
    return time.perf_counter() - started, result


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matmul_peaks(device: torch.device) -> dict[str, float | None]:
    """Measure FLOP per second of products of large matrices by type; bfloat16 only on a GPU, as many CPUs emulate it.

    float32 products do not use TF32 (see `devices.leased`), so that gradients in TF32 can pass the peak of float32.
    """
    on_gpu = device.type == "cuda"
    size = 8192 if on_gpu else 1024
    return {
        "float32": matmul_peak(device, torch.float32, size),
        "bfloat16": matmul_peak(device, torch.bfloat16, size) if on_gpu else None,
    }


def matmul_peak(device: torch.device, dtype: torch.dtype, size: int, repeats: int = 5) -> float:
    """Measure FLOP per second of the fastest product of two `size` × `size` matrices, a multiply-add as two."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    left @ right  # the first product loads libraries
    return 2 * size**3 / min(timed(device, lambda: left @ right)[0] for _ in range(repeats))
