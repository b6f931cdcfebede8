"""Jobs that would compute the same thing take turns: the first computes, the next finds what it left."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from robustness.runtime import usage

_LOG = logging.getLogger(__name__)


@contextmanager
def one_at_a_time(path: Path | None) -> Iterator[None]:
    """Hold the file `path` until the block ends, after waiting for another process that does; None: nothing is held.

    A process that is killed holds nothing any more. Nothing is left of the file. On a file system without locks nobody
    waits: the jobs compute the same twice.
    """
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _LOG.info("another job computes this attack along with its own: waiting for it")
        started = time.monotonic()
        lock.acquire()
        seconds = time.monotonic() - started
        usage.waited(seconds)
        _LOG.info("waited %.1f s for another job", seconds)
    except (NotImplementedError, OSError):
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever waits for a file that is gone makes a new one
        lock.release()
