"""A progress bar where a person watches a terminal, and lines in the log where nobody does."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

_LOG = logging.getLogger(__name__)


class Progress:
    """Counts `total` things done; use as a context manager.

    On a terminal it is a tqdm bar; otherwise it logs a line when `interval` seconds have passed since the last one.
    """

    def __init__(self, title: str, total: int, unit: str, interval: float = 30.0) -> None:
        self.title, self.total, self.unit, self.interval = title, total, unit, interval
        self.done = 0
        self._started = self._logged = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(desc=self.title, total=self.total, unit=f" {self.unit}", leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        seconds = time.monotonic() - self._started
        _LOG.info("%s: %d %s in %.1f s", self.title, self.done, self.unit, seconds)

    def advance(self, count: int, note: str = "") -> None:
        """Say that `count` more are done; `note` is shown beside the count."""
        self.done += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._logged >= self.interval:
            self._logged = now
            rate = self.done / (now - self._started)
            _LOG.info("%s: %d of %d %s, %.0f/s %s", self.title, self.done, self.total, self.unit, rate, note)
