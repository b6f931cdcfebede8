"""Shows how far a job is: by lines in its log and, where a person watches a terminal, by a bar.

Several jobs may share a terminal, and none of them knows where the others write. So a job that Snakemake started draws
nothing: it leaves a small file (`Status`) in the folder that the environment variable `FOLDER` names, and
`robustness.runtime.terminal` draws the bars of all jobs from it. A script that was started by hand draws its own bar.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from robustness.runtime.status import FOLDER, Status, drawn_elsewhere, standing, with_unit

if TYPE_CHECKING:
    from torch import nn

    from robustness.runtime.terminal import Bars

_LOG = logging.getLogger(__name__)

_BETWEEN_STATUSES = 0.25
"""Least seconds between two writes of the status; the bars are drawn twice a second."""


class Progress:
    """Counts how many of `total` things are done; use as a context manager.

    Logs a line when `interval` seconds have passed since the last one, and one at the end.
    """

    def __init__(self, title: str, total: int | None, unit: str, interval: float = 30.0) -> None:
        self.title, self.total, self.unit, self.interval = title, total, unit, interval
        self.done = self.resumed = 0
        self.note = ""
        self._started = self._logged = time.monotonic()
        self._written = float("-inf")
        self._file: Path | None = None
        self._own_bar: Bars | None = None

    def __enter__(self) -> Progress:
        if FOLDER not in os.environ and sys.stderr.isatty():
            from robustness.runtime.terminal import Bars

            self._own_bar = Bars(sys.stderr)
            self._own_bar.start()
        folder = drawn_elsewhere()
        self._file = folder / f"{os.getpid()}.json" if folder else None
        self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        if self._own_bar is not None:
            self._own_bar.stop()
        now = self.status()
        _LOG.info("%s: %s in %.1f s", self.title, with_unit(now.done - now.resumed, now.unit), now.seconds)

    def resume(self, count: int) -> None:
        """Note that `count` were done before this process began: they are done, but do not enter its speed."""
        self.done += count
        self.resumed += count

    def advance(self, count: int, note: str = "") -> None:
        """Note that `count` more are done; `note` is shown next to the count."""
        self.done += count
        self.note = note
        self._show()
        now = time.monotonic()
        if now - self._logged >= self.interval:
            self._logged = now
            _LOG.info("%s: %s", self.title, standing(self.status()))

    @contextmanager
    def counting(self, network: nn.Module) -> Iterator[None]:
        """Count the images that `network` is given inside the `with` block, up to the total: batches may be padded."""

        def given(module: object, inputs: object, outputs: Sized) -> None:
            self.advance(len(outputs) if self.total is None else min(len(outputs), self.total - self.done))

        hook = network.register_forward_hook(given)
        try:
            yield
        finally:
            hook.remove()

    def status(self) -> Status:
        """Return how far the job is now."""
        seconds = max(time.monotonic() - self._started, 1e-6)
        return Status(self.title, self.unit, self.total, self.done, self.resumed, seconds, self.note)

    def _show(self) -> None:
        now = time.monotonic()
        if self._file is None or now - self._written < _BETWEEN_STATUSES:
            return
        self._written = now
        written = self._file.with_suffix(".new")
        try:
            written.write_text(json.dumps(asdict(self.status())), encoding="utf-8")
            written.replace(self._file)
        except OSError:  # a bar is no reason to fail: the process that draws may have ended before this job
            self._file = None
