"""Lets a script that is asked to end (SIGTERM) save its state first.

A scheduler sends the signal some seconds before it kills a job: at the end of the job's time, or when it needs the
machine for another job. Inside `noticed` the signal only sets a flag. Long loops call `requested` after each step; if
it is true, they save what they have and call `stop`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from robustness.errors import UserError

_request = threading.Event()


class Interrupted(UserError):
    """Raised when a script ends because it was asked to; running it again continues its work."""


@contextmanager
def noticed() -> Iterator[None]:
    """Let SIGTERM make `requested` true until the block ends, instead of ending the process; main thread only."""
    _request.clear()
    before = signal.signal(signal.SIGTERM, lambda *_: _request.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _request.clear()


def requested() -> bool:
    """Return whether the script was asked to end."""
    return _request.is_set()


def stop(what: str, state: object) -> NoReturn:
    """End `what`, whose state was saved in the file `state`."""
    raise Interrupted(
        f"{what}: stopped by SIGTERM, as when a job's time is over; what was computed is in {state}: run the "
        "same command again to continue from there"
    )
