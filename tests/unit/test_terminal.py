"""Bars stand in the last lines of a terminal, and nothing that others print is torn or lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screen import Screen, pseudo_terminal

from robustness.runtime import progress, terminal
from robustness.runtime.status import FOLDER, Status
from robustness.runtime.terminal import Bars, bar, frame, lines, released, reserved, statuses

HALF = Status(title="mnist/basic", unit="steps", total=200, done=100, resumed=0, seconds=10.0, note="")


def test_a_bar_is_as_full_as_the_job_is_done() -> None:
    text = bar(HALF, 100)
    assert text == f"mnist/basic {'█' * 15}{'░' * 15} 100 of 200 steps (50 %), 10/s, about 10 s to go"
    assert "█" not in bar(replace(HALF, done=0), 100)
    assert "░" not in bar(replace(HALF, done=200), 100)


def test_where_the_total_is_not_known_there_are_words_and_no_bar() -> None:
    assert bar(replace(HALF, total=None), 100) == "mnist/basic  100 steps, 10/s"


@given(
    width=st.integers(1, 120),
    done=st.integers(0, 10**9),
    total=st.none() | st.integers(0, 10**9),
    seconds=st.floats(1e-6, 1e9),
    note=st.sampled_from(["", "12 success, 3 cap"]),
)
def test_no_bar_is_wider_than_the_terminal(width: int, done: int, total: int | None, seconds: float, note: str) -> None:
    assert len(bar(Status("mnist/basic", "steps", total, done, 0, seconds, note), width)) <= width


def test_jobs_without_a_place_are_counted() -> None:
    jobs = [replace(HALF, title=f"job {n}") for n in range(7)]
    shown = lines(jobs, 80, 3)
    assert [line[:5] for line in shown[:2]] == ["job 0", "job 1"]
    assert shown[2:] == ["and 5 more jobs"]
    assert len(lines(jobs, 80, 7)) == 7


@given(
    events=st.lists(st.integers(1, 4) | st.text("abcdefgh", min_size=1, max_size=19), max_size=60),
    height=st.integers(8, 14),
)
def test_whatever_is_printed_meanwhile_stays_whole_and_in_order_above_the_bars(
    events: list[int | str], height: int
) -> None:
    screen, rows, printed = Screen(20, height), 0, []
    for number, event in enumerate(events):
        if isinstance(event, str):
            printed.append(event)
            screen.write(f"{event}\n")
            continue
        if event > rows:
            screen.write(reserved(rows, event, height))
            rows = event
        bars = [f"bar {n} frame {number}" for n in range(event)]
        screen.write(frame(bars, rows, height))
        assert screen.rows[height - rows :] == [*bars, *[""] * (rows - event)]
        assert screen.history + screen.rows[: screen.row] == printed
    if rows:
        screen.write(released(rows, height))
    screen.write("the last line\n")
    assert screen.text() == [*printed, "the last line"]


def test_only_jobs_that_still_run_are_shown(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid, title in ((os.getpid(), "runs"), (ended.pid, "was killed")):
        (tmp_path / f"{pid}.json").write_text(json.dumps(asdict(replace(HALF, title=title))))
    assert [status.title for status in statuses(tmp_path)] == ["runs"]
    assert not (tmp_path / f"{ended.pid}.json").exists()


def test_a_half_written_status_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / f"{os.getpid()}.json").write_text('{"title": "ru')
    assert statuses(tmp_path) == []


def test_the_bars_of_running_jobs_appear_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "INTERVAL", 0.01)
    monkeypatch.setenv(FOLDER, "")
    screen = Screen(80, 24)
    with pseudo_terminal(monkeypatch) as (opened, reader):
        bars = Bars(opened)
        bars.start()
        folder = Path(os.environ[FOLDER])
        with progress.Progress("mnist/basic", 200, "steps") as shown:
            shown.advance(50)
            deadline = time.monotonic() + 60
            while "25 %" not in screen.rows[-1]:
                assert time.monotonic() < deadline
                shown.advance(0)
                screen.write(os.read(reader, 65536).decode().replace("\r\n", "\n"))
                time.sleep(0.01)
        assert screen.rows[-1].startswith("mnist/basic █")
        bars.stop()
        os.set_blocking(reader, False)
        screen.write(os.read(reader, 1 << 20).decode().replace("\r\n", "\n"))
    assert screen.text() == []
    assert (screen.top, screen.bottom) == (0, 23)
    assert os.environ[FOLDER] == ""
    assert not folder.exists()


@pytest.mark.parametrize(("term", "height"), [("dumb", 24), ("xterm", 5)])
def test_a_terminal_that_cannot_hold_them_gets_no_bars(monkeypatch: pytest.MonkeyPatch, term: str, height: int) -> None:
    monkeypatch.setenv(FOLDER, "")
    with pseudo_terminal(monkeypatch, height=height) as (opened, _):
        monkeypatch.setenv("TERM", term)
        bars = Bars(opened)
        bars.start()
        assert os.environ[FOLDER] == ""
        bars.stop()


def test_a_terminal_that_is_closed_ends_the_bars_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "INTERVAL", 0.01)
    monkeypatch.setenv(FOLDER, "")

    def closed(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with pseudo_terminal(monkeypatch) as (opened, _):
        bars = Bars(opened)
        bars.start()
        monkeypatch.setattr(terminal.os, "write", closed)
        with progress.Progress("mnist/basic", 200, "steps"):
            deadline = time.monotonic() + 60
            while any(thread.name == "bars" for thread in threading.enumerate()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        bars.stop()
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_gets_no_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")
    with (tmp_path / "said").open("w") as file:
        bars = Bars(file)
        bars.start()
        bars.stop()
    assert os.environ[FOLDER] == ""
    assert (tmp_path / "said").read_text() == ""
