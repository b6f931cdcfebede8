"""A script that is asked to end (SIGTERM) does so at its next safe point, with its state saved.

A scheduler sends the signal some seconds before it kills a job: at the end of the job's time, or when it needs the
machine for another. Inside `noticed` the signal only leaves a note. Loops that take long ask `requested` after each
step; where it is, they save what they have and call `stop`.
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
    """The script ended because it was asked to, not because something is wrong; running it again goes on."""


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
    """Whether the script was asked to end."""
    return _request.is_set()


def stop(what: str, state: object) -> NoReturn:
    """End `what`, whose state was saved in the file `state`."""
    raise Interrupted(
        f"{what}: stopped by SIGTERM, as at the end of a job's time; {state} holds what was computed, and the same "
        "command goes on from there"
    )
