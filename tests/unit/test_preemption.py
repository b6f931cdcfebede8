"""SIGTERM inside and outside of `noticed`."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from robustness.errors import UserError
from robustness.runtime import preemption


def asked_to_end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_inside_leaves_a_note_and_does_not_end_the_process() -> None:
    with preemption.noticed():
        assert not preemption.requested()
        asked_to_end()
        asked_to_end()  # schedulers say it more than once
        assert preemption.requested()


def test_afterwards_the_note_is_gone_and_the_signal_is_what_it_was() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with contextlib.suppress(ZeroDivisionError), preemption.noticed():
            asked_to_end()
            raise ZeroDivisionError
        assert not preemption.requested()
        assert heard == []
        asked_to_end()
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_stop_says_what_was_stopped_and_where_its_state_is() -> None:
    with pytest.raises(
        UserError, match=r"mnist/basic, step 3: stopped by SIGTERM.* what was computed is in results/state"
    ):
        preemption.stop("mnist/basic, step 3", Path("results/state"))
