"""Whatever is killed, and whenever: the same command ends with the same tables, and nothing lies about afterwards.

KILL_ROUNDS is the number of kills (6 unless set), KILL_SEED what their times and victims are drawn with.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import psutil
from running import DIGITS, Copy, fork_server

ROUNDS = int(os.environ.get("KILL_ROUNDS", "6"))
SEED = int(os.environ.get("KILL_SEED", "0"))
TABLES = f"{DIGITS}/tables"
VICTIMS = ("a job", "Snakemake", "everything")
LONGEST = 5.0  # seconds until a kill
OWN_SERVERS = 1 / 3  # the share of runs that fork their jobs from a server of their own, which is killed with them


def processes(copy: Copy, snakemake: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that Snakemake has started, and the jobs that run in its folder."""
    try:
        started = psutil.Process(snakemake.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    return [*started, *(each for each in processes_in(copy) if each.pid != snakemake.pid and each not in started)]


def processes_in(copy: Copy) -> list[psutil.Process]:
    """The processes whose current folder is the copy's."""
    return [each for each in psutil.process_iter(["cwd"]) if str(copy.folder) in (each.info["cwd"] or "")]


def kill(victim: str, copy: Copy, snakemake: subprocess.Popen[bytes], draw: random.Random) -> None:
    """SIGKILL, so that nobody can clean up."""
    running = processes(copy, snakemake)
    if victim == "a job" and running:
        running = [draw.choice(running)]
    elif victim == "Snakemake":
        running = []
    if victim != "a job":
        snakemake.kill()
    for process in running:
        if process.is_running():
            process.kill()


def started(copy: Copy, said: Path, *, has_own_server: bool = False) -> subprocess.Popen[bytes]:
    """A run of Snakemake that writes what it says to a file, with the jobs forked from the tests' server or its own."""
    environment = os.environ | ({} if has_own_server else fork_server())
    with said.open("wb") as file:
        return subprocess.Popen(
            copy.command(TABLES), cwd=copy.folder, env=environment, stdout=file, stderr=subprocess.STDOUT
        )


def wait_for_jobs_of(copy: Copy) -> None:
    """Wait for jobs that outlived their Snakemake."""
    deadline = time.monotonic() + 120
    while processes_in(copy):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def finish(copy: Copy, said: Path) -> None:
    """What a person does who reads what Snakemake says."""
    for _ in range(3):
        process = started(copy, said)
        if process.wait(timeout=300) == 0:
            return
        unlock_where_asked(copy, said)
    raise AssertionError(said.read_text(encoding="utf-8"))


def unlock_where_asked(copy: Copy, said: Path) -> bool:
    """Run `--unlock` if Snakemake asked for it."""
    asked = "--unlock" in said.read_text(encoding="utf-8")
    if asked:
        copy.run("--unlock").succeeded()
    return asked


def test_after_any_kills_the_tables_are_the_same_and_nothing_is_left_over(
    finished: Copy, fresh: Copy, tmp_path: Path
) -> None:
    draw = random.Random(SEED)
    said = tmp_path / "said"
    kills, number = 0, 0
    while kills < ROUNDS:
        number += 1
        copy = fresh.duplicate(tmp_path / f"workflow{number}")
        while kills < ROUNDS:
            process = started(copy, said, has_own_server=draw.random() < OWN_SERVERS)
            try:
                process.wait(timeout=draw.uniform(0, LONGEST))
                killed = False
            except subprocess.TimeoutExpired:
                kill(draw.choice(VICTIMS), copy, process, draw)
                process.wait(timeout=120)
                killed = True
            kills += killed
            if process.returncode == 0:
                break
            assert unlock_where_asked(copy, said) or killed, said.read_text(encoding="utf-8")
        finish(copy, said)
        wait_for_jobs_of(copy)
        for table in sorted(finished.path(TABLES).glob("*.csv")):
            assert copy.path(f"{TABLES}/{table.name}").read_bytes() == table.read_bytes(), table.name
        assert [path for path in copy.path("results").rglob(".*") if not path.name.endswith(".lock")] == []
        assert list(copy.path(DIGITS).glob("checkpoints/*")) == []
        assert copy.plan(TABLES) == []
