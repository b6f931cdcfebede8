"""Jobs that are forked from one process: the same results as without, and nothing is left of the process."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from running import DIGITS, Copy

from robustness.runtime.forkserver import SWITCH

OWN_EACH_TIME = ("benchmarks", "logs")
"""Folders whose files hold times."""


DRAWN = ("architecture", "examples_7", "mean_change", "targeted_small-clean", "transfer")
"""Figures that stand for all, which one program draws; more than run without a process that forks."""

SERVER = "runtime.forkserver"
"""What the command of the process that forks jobs names."""


def contents(folder: Path) -> dict[str, bytes]:
    """What every file below a folder of results holds, less the times in it."""
    return {
        str(path.relative_to(folder)): without_seconds(path) if path.name == "history.csv" else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not set(OWN_EACH_TIME) & set(path.relative_to(folder).parts)
    }


def without_seconds(history: Path) -> bytes:
    """A history of training less its last column."""
    lines = [line.rpartition(b",") for line in history.read_bytes().splitlines()]
    assert lines[0][2] == b"seconds"
    return b"\n".join(before for before, _, _ in lines)


def server_of(snakemake: int) -> psutil.Process:
    """The process that jobs of this Snakemake are forked from, waited for."""
    return child_that_runs(snakemake, SERVER)


def child_that_runs(snakemake: int, script: str) -> psutil.Process:
    """A process below this Snakemake whose command names a script or module, waited for."""
    deadline = time.monotonic() + 120
    while not (found := children_that_run(snakemake, script)):
        assert time.monotonic() < deadline, f"no process runs {script}"
        time.sleep(0.05)
    return found[0]


def children_that_run(snakemake: int, script: str) -> list[psutil.Process]:
    """The processes below this Snakemake whose commands name a script or module."""
    return [process for process in psutil.Process(snakemake).children(recursive=True) if runs(process, script)]


def runs(process: psutil.Process, script: str) -> bool:
    """Whether a process's command names a script or module; one that has just ended names none."""
    with suppress(psutil.NoSuchProcess):
        return any(script in part for part in process.cmdline())
    return False


def test_forked_jobs_write_the_same_bytes_as_jobs_that_are_not(
    finished: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "no")
    plain, there = finished.duplicate(tmp_path), contents(finished.path(DIGITS))
    again = one_of_each_rule(plain)
    for name in again:
        plain.path(name).unlink()
    plain.run(*again).succeeded()
    assert {plain.recorded(name)["rule"] for name in again} >= {"prepare_data", "train_model", "attack_shard"}
    here = contents(plain.path(DIGITS))
    assert here.keys() == there.keys()
    assert [name for name in here if there[name] != here[name]] == []


def one_of_each_rule(copy: Copy) -> list[str]:
    """A file that each rule made, but of the rules that draw only those of `DRAWN`."""
    files = [f"{DIGITS}/{name}" for name in contents(copy.path(DIGITS))]
    drawn = [name for name in files if "/figures/" not in name or Path(name).stem in DRAWN]
    return list({copy.recorded(name)["rule"]: name for name in drawn}.values())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_run_goes_on_when_the_process_that_forks_dies(finished: Copy, tmp_path: Path, number: signal.Signals) -> None:
    copy = finished.duplicate(tmp_path)
    figures = f"{DIGITS}/figures"
    for name in DRAWN:
        copy.path(f"{figures}/{name}.svg").unlink()
    process = copy.start(figures)
    os.kill(server_of(process.pid).pid, number)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert contents(copy.path(figures)) == contents(finished.path(figures))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_process_that_forks_ends_with_snakemake_however_that_ends(
    finished: Copy, tmp_path: Path, number: signal.Signals
) -> None:
    copy = finished.duplicate(tmp_path)
    for path in copy.path(f"{DIGITS}/figures").iterdir():
        path.unlink()
    process = copy.start(f"{DIGITS}/figures")
    server = server_of(process.pid)
    # Where SIGTERM comes while Snakemake holds a lock, it waits for itself: so only when it waits for its first jobs.
    child_that_runs(process.pid, "start_job.py")
    time.sleep(0.3)
    process.send_signal(number)
    process.communicate(timeout=300)
    server.wait(timeout=60)


def test_a_run_of_few_jobs_forks_none(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path)
    copy.path(f"{DIGITS}/figures/mean_change.svg").unlink()
    process = copy.start(f"{DIGITS}/figures")
    while process.poll() is None:
        try:
            assert children_that_run(process.pid, SERVER) == []
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    process.communicate(timeout=300)
    assert process.returncode == 0
