"""Lets jobs that would compute the same thing take turns: the first computes it, the next finds it computed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from robustness.runtime import usage

_LOG = logging.getLogger(__name__)
_NEVER_SOFT: dict[str, Any] = (
    {"fallback_to_soft": False} if "fallback_to_soft" in signature(FileLock.__init__).parameters else {}
)
"""Newer versions of filelock take a soft lock where there is no other, which outlives a process that is killed."""


@contextmanager
def one_at_a_time(path: Path | None) -> Iterator[None]:
    """Lock the file `path` until the block ends; wait first if another process has it locked. None: lock nothing.

    A process that is killed no longer holds its lock. The file is deleted at the end. On a file system without locks
    no job waits: the jobs compute the same thing twice.
    """
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, **_NEVER_SOFT)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _LOG.info("another job computes this attack along with its own: waiting for it")
        started = time.monotonic()
        lock.acquire()
        seconds = time.monotonic() - started
        usage.waited(seconds)
        _LOG.info("waited %.1f s for another job", seconds)
    except (NotImplementedError, OSError) as error:
        _LOG.info("cannot lock %s (%s): jobs that compute the same attack do not wait for each other", path, error)
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is locked: a job that waits for a deleted file makes a new one
        lock.release()
