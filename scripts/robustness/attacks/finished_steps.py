"""Keeps what each finished step of AutoAttack led to, so that a killed job repeats no step but its last.

A step is one attack on a block of images at one budget. Steps draw no random numbers from each other
(`attacks.autoattack`), so a step that is looked up changes no later one. Reads and writes one small JSON file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from robustness.errors import UserError
from robustness.runtime import preemption
from robustness.storage.atomic import read_json, remove, write_json

_LOG = logging.getLogger(__name__)


class FinishedSteps:
    """The finished steps in the file `path`, which is written after each step.

    `key` is a digest of all that shapes the results: a file with another key is not read.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self._lengths = self._read()

    def outcome(self, step: str, attack: Callable[[], Tensor]) -> Tensor:
        """Return what a step led to, float64 (N,): from the file, or from `attack`, and then the file has it."""
        if step not in self._lengths:
            self._lengths[step] = attack().tolist()
            self._save()
        return torch.tensor(self._lengths[step], dtype=torch.float64)

    def stop_if_asked(self, title: str) -> None:
        """End the job `title` within a step, with `Interrupted`, where the script was asked to end."""
        if preemption.requested():
            self._save()
            preemption.stop(f"{title}, after {len(self._lengths)} finished steps", self.path)

    def remove(self) -> None:
        """Delete the file, if there is one."""
        remove(self.path)

    def _save(self) -> None:
        write_json(self.path, {"key": self.key, "steps": self._lengths})

    def _read(self) -> dict[str, list[float]]:
        if not self.path.exists():
            return {}
        try:
            saved = read_json(self.path)
        except UserError as error:
            _LOG.warning("%s: AutoAttack starts afresh", error)
            return {}
        if saved.get("key") != self.key:
            _LOG.info("%s belongs to another attack: AutoAttack starts afresh", self.path)
            return {}
        steps: dict[str, list[float]] = saved["steps"]
        _LOG.info("continuing after %d steps, which are in %s", len(steps), self.path)
        return steps
