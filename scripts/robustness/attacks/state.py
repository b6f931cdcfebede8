"""Holds the state of an attack on each image: what is carried from step to step, saved at intervals, and found.

Arrays with one row per image, so that an attack can stop at any step and continue, in this process or in another. Reads
and writes one safetensors file, keyed by everything that shapes the result.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustness.errors import UserError
from robustness.runtime import preemption
from robustness.storage.atomic import remove
from robustness.storage.tensors import read_metadata, read_tensors, write_tensors

_LOG = logging.getLogger(__name__)

_UNMET = -1


@dataclass
class Trajectories:
    """The state of an attack on N images with L required confidences (`levels`).

    Carried from step to step: `x` float32 (N, C, H, W) on the model's device, the current pixels; `iteration`, the
    steps taken; `watched` float64, what stays the same in the default state; `unchanged`, for how many steps it has;
    `zero_gradients`, steps with a gradient of exactly zero; `met`, how many levels were reached; `over`, whether the
    attack has ended; `exact`, whether decisions need a pass in float32 in addition to the one for the gradient. Each
    (N,) on the CPU.

    Found: `label_before` (N,), and for each level (N, L): `adversarial` float32 (N, L, C, H, W), `outcome` (index
    into `outcome.NUMBERED`, −1 before), `iterations`, `label_after`, `confidence_after` float32, `zero_gradients_then`.

    `batches` holds the number of images in each step's batch, so far.
    """

    x: Tensor
    iteration: NDArray[np.int64]
    watched: NDArray[np.float64]
    unchanged: NDArray[np.int64]
    zero_gradients: NDArray[np.int64]
    met: NDArray[np.int64]
    over: NDArray[np.bool_]
    exact: NDArray[np.bool_]
    label_before: NDArray[np.int64]
    adversarial: NDArray[np.float32]
    outcome: NDArray[np.int64]
    iterations: NDArray[np.int64]
    label_after: NDArray[np.int64]
    confidence_after: NDArray[np.float32]
    zero_gradients_then: NDArray[np.int64]
    batches: list[int] = field(default_factory=list)

    @classmethod
    def start(cls, images: Tensor, levels: int) -> Trajectories:
        """Return the state before the first step, for `images` float32 (N, C, H, W) in [0, 1]."""
        count = len(images)

        def zeros(*shape: int) -> NDArray[np.int64]:
            return np.zeros(shape, np.int64)

        return cls(
            x=images.clone(),
            iteration=zeros(count),
            watched=np.full(count, np.nan),
            unchanged=zeros(count),
            zero_gradients=zeros(count),
            met=zeros(count),
            over=np.zeros(count, np.bool_),
            exact=np.zeros(count, np.bool_),
            label_before=zeros(count),
            adversarial=np.zeros((count, levels, *images.shape[1:]), np.float32),
            outcome=np.full((count, levels), _UNMET),
            iterations=zeros(count, levels),
            label_after=zeros(count, levels),
            confidence_after=np.zeros((count, levels), np.float32),
            zero_gradients_then=zeros(count, levels),
        )


class Store:
    """A file that holds the state of one attack, written at intervals of `interval` seconds or more.

    `key` is a digest of all that shapes the result: a file with another key is not read, so a changed attack starts
    anew. Saving never takes more than a fiftieth of the time.
    """

    def __init__(self, path: Path, key: str, interval: float) -> None:
        self.path, self.key, self.interval = path, key, interval
        self._next = time.monotonic() + interval

    def due(self) -> bool:
        """Return whether it is time for the next save: the interval is over, or the script was asked to end."""
        return preemption.requested() or time.monotonic() >= self._next

    def save(self, state: Trajectories) -> None:
        """Write the state, whole or not at all."""
        started = time.monotonic()
        arrays: dict[str, NDArray[Any]] = {name: getattr(state, name) for name in _ARRAYS}
        arrays["x"] = state.x.cpu().numpy()
        arrays["batches"] = np.array(state.batches, np.int64)
        write_tensors(self.path, arrays, {"key": self.key})
        finished = time.monotonic()
        self._next = finished + max(self.interval, 50 * (finished - started))

    def load(self, device: torch.device) -> Trajectories | None:
        """Return the state that was saved under the same key, or None."""
        if not self.path.exists():
            return None
        try:
            if read_metadata(self.path).get("key") != self.key:
                _LOG.info("%s belongs to another attack: this attack starts afresh", self.path)
                return None
            x, batches, *arrays = read_tensors(self.path, "x", "batches", *_ARRAYS)
        except UserError as error:
            _LOG.warning("%s: the attack starts afresh", error)
            return None
        _LOG.info("continuing after %d steps with the state in %s", len(batches), self.path)
        state = dict(zip(_ARRAYS, arrays, strict=True))
        return Trajectories(x=torch.from_numpy(x).to(device), batches=batches.tolist(), **state)

    def remove(self) -> None:
        """Delete the file, if there is one."""
        remove(self.path)


_ARRAYS = [field.name for field in fields(Trajectories) if field.name not in ("x", "batches")]
