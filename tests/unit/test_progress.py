"""A job's log has lines, whoever watches; a bar is drawn by the script alone only where nobody else prints."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from screen import pseudo_terminal

from robustness.runtime import progress, terminal
from robustness.runtime.progress import Progress
from robustness.runtime.status import FOLDER, Status, in_words, standing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_logged_when_the_interval_is_over_and_one_at_the_end(
    clock: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, "")
    with caplog.at_level(logging.INFO), Progress("mnist/basic", 400, "images") as shown:
        for _ in range(4):
            clock[0] += 20
            shown.advance(50, "40 success, 10 cap")
    assert caplog.messages == [
        "mnist/basic: 100 of 400 images (25 %), 2.5/s, about 2 min to go; 40 success, 10 cap",
        "mnist/basic: 200 of 400 images (50 %), 2.5/s, about 80 s to go; 40 success, 10 cap",
        "mnist/basic: 200 images in 80.0 s",
    ]


def test_what_an_earlier_process_did_counts_and_says_nothing_about_the_speed(
    clock: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, "")
    with caplog.at_level(logging.INFO), Progress("mnist/basic", 1000, "steps") as shown:
        shown.resume(900)
        clock[0] += 40
        shown.advance(40)
    assert caplog.messages[0] == "mnist/basic: 940 of 1,000 steps (94 %), 1/s, about 60 s to go"
    assert caplog.messages[1] == "mnist/basic: 40 steps in 40.0 s"


def test_bytes_are_counted_in_megabytes() -> None:
    status = Status("cifar", "B", 170_000_000, 34_000_000, 0, 4.0, "")
    assert standing(status) == "34.0 MB of 170.0 MB (20 %), 8.5 MB/s, about 16 s to go"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (99, "99 s"),
        (100, "2 min"),
        (5900, "98 min"),
        (12_000, "3 h 20 min"),
        (7199, "2 h"),
        (1e6, "278 h"),
    ],
)
def test_a_time_is_said_as_a_person_says_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@given(st.floats(0, 1e12))
def test_a_time_in_words_never_has_sixty_minutes(seconds: float) -> None:
    assert " 60 min" not in in_words(seconds)


def test_a_job_of_snakemake_draws_nothing_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    for folder in ("", str(tmp_path), str(tmp_path / "on another machine")):
        monkeypatch.setenv(FOLDER, folder)
        with Progress("mnist/basic", 10, "steps") as shown:
            shown.advance(5)
    assert terminal.getvalue() == ""


def test_a_script_that_was_started_by_hand_draws_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "INTERVAL", 0.01)
    monkeypatch.delenv(FOLDER, raising=False)
    with pseudo_terminal(monkeypatch) as (opened, reader):
        monkeypatch.setattr("sys.stderr", opened)
        drawn = ""
        with Progress("mnist/basic", 10, "steps") as shown:
            shown.resume(3)
            while "mnist/basic " not in drawn:
                shown.advance(0)
                drawn += os.read(reader, 65536).decode()
    assert FOLDER not in os.environ


def test_the_status_of_a_running_job_is_whole_and_goes_with_it(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with Progress("mnist/basic", 10, "steps") as shown:
        for _ in range(4):
            clock[0] += 10
            shown.advance(1, "note")
        (file,) = tmp_path.iterdir()
        assert file.name == f"{os.getpid()}.json"
        assert Status(**json.loads(file.read_text())) == Status("mnist/basic", "steps", 10, 4, 0, 40.0, "note")
    assert list(tmp_path.iterdir()) == []


def test_the_images_that_a_network_is_given_count_up_to_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")
    network = torch.nn.Identity()
    with Progress("judges", 12, "images") as shown:
        with shown.counting(network):
            network(torch.zeros(5, 3))
            assert shown.done == 5
            network(torch.zeros(8, 3))  # filled up to the smallest batch
        network(torch.zeros(5, 3))
    assert shown.done == 12


def test_a_network_that_fails_is_counted_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")
    network = torch.nn.Linear(3, 2)
    with Progress("judges", 12, "images") as shown:
        with pytest.raises(RuntimeError), shown.counting(network):
            network(torch.zeros(5, 4))
        network(torch.zeros(5, 3))
    assert shown.done == 0


def test_a_job_outlives_whoever_draws_its_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    monkeypatch.setattr(progress, "_BETWEEN_STATUSES", 0.0)
    with Progress("mnist/basic", 10, "steps") as shown:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        shown.advance(10)
    assert shown.done == 10
