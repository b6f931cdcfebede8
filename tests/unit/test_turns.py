"""Jobs that would compute the same thing take turns, where the file system has locks."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from pathlib import Path

import pytest

from robustness.runtime.turns import one_at_a_time


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    path, order = tmp_path / "folder" / "attack.lock", []
    begun = threading.Event()

    def first() -> None:
        with one_at_a_time(path):
            begun.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(60)
    with one_at_a_time(path):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert not path.exists()


def test_on_a_file_system_without_locks_nobody_waits_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", missing)
    path = tmp_path / "attack.lock"
    with one_at_a_time(path), one_at_a_time(path):
        assert "cannot lock" in caplog.text
