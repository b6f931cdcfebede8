"""Chooses the processor that a job computes on: a GPU that no other local job holds, or the CPU.

Snakemake counts GPUs but does not say which one a local job may use, so concurrent jobs on one machine lease one each,
by a lock file per device in the machine's temporary folder. On a cluster the scheduler has already chosen a job's GPUs,
and the lease is immediate.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from robustness.runtime import usage

_LOG = logging.getLogger(__name__)


@contextmanager
def leased(threads: int) -> Iterator[torch.device]:
    """Yield the device to compute on, held until the block ends; the CPU runs with `threads` threads.

    Waits while all visible GPUs are held by other jobs. On a GPU float32 means float32: PyTorch's own default is TF32
    for convolutions, and some vendors' containers use TF32 for everything. Code that may be coarser asks for it.
    """
    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        yield torch.device("cpu")
        return
    with ExitStack() as held:
        index = _lease(visible_gpus(), held)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        device = torch.device("cuda", index)
        held.callback(_emptied, device)
        yield device


def _emptied(device: torch.device) -> None:
    """Free the memory that PyTorch keeps for later; the next job measures what is free when its lease begins."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()


def visible_gpus() -> list[str]:
    """Return the unique identifier of each GPU that this process sees, in PyTorch's order.

    Numbers would not do: a scheduler may show every job on a machine its own GPU as number 0.
    """
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


def _lease(names: list[str], held: ExitStack) -> int:
    folder = Path(tempfile.gettempdir()) / f"image-robustness-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    started = time.monotonic()
    waited = False
    while True:
        for index, name in enumerate(names):
            lock = FileLock(folder / f"{name}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            held.callback(lock.release)
            if waited:
                seconds = time.monotonic() - started
                usage.waited(seconds)
                _LOG.info("waited %.1f s for a free GPU", seconds)
            return index
        waited = True
        time.sleep(0.2)


def describe(device: torch.device) -> str:
    """Return the device's name for provenance: the GPU's model, or `cpu` with the instructions that PyTorch uses there.

    With other instructions sums round in another order, and a training ends at other weights.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.backends.cpu.get_cpu_capability()})"
