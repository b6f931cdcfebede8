"""The tests' own Slurm: its daemons, its queue, and the processes of its jobs on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from running import Copy, restore_interrupt

SCRIPT = Path(__file__).with_name("cluster.sh")


class Unavailable(Exception):
    """Slurm cannot be started on this machine, and why."""


def until(what: str, happens: Callable[[], Any], seconds: float = 180) -> Any:
    """What `happens` returns as soon as it is true; an error that says what did not happen in time.

    The time is for a machine that does much else: whatever works ends long before.
    """
    deadline = time.monotonic() + seconds
    while not (answer := happens()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)
    return answer


@dataclass(frozen=True)
class Entry:
    """A job in Slurm's queue, finished ones included."""

    number: str
    state: str
    node: str
    partition: str
    comment: str


class Cluster:
    """Two nodes with a pretended GPU each, in partitions cpu and gpu; `urgent` preempts both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _daemons(self, *words: str) -> None:
        # Daemons hold on to their output: into a file, lest a pipe stays open.
        with (self.folder / "said").open("w+") as said:
            command = ["bash", str(SCRIPT), *words, str(self.folder)]
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=300).returncode
            said.seek(0)
            if code:
                raise Unavailable(said.read().strip().removeprefix("cluster.sh: "))

    def up(self) -> None:
        """Start what does not run."""
        self._daemons("up")

    def down(self) -> None:
        """End all jobs and daemons."""
        self._daemons("down")

    def start(self, name: str) -> None:
        """Start `slurmctld`, `node1` or `node2`."""
        self._daemons("start", name)

    def stop(self, name: str) -> None:
        """Stop `slurmctld`, `node1` or `node2`; jobs run on."""
        self._daemons("stop", name)

    def crash(self, node: str) -> None:
        """End a node with all that runs on it."""
        self._daemons("crash", node)

    def ask(self, *command: str) -> str:
        """What one of Slurm's programs prints."""
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def queue(self, *options: str) -> list[Entry]:
        """The jobs that are waiting or running; with `--states=all` those that ended minutes ago, too."""
        lines = self.ask("squeue", "--noheader", "--format=%i|%T|%N|%P|%k", *options).splitlines()
        return [Entry(*line.split("|")) for line in lines]

    def running(self, rule: str) -> list[Entry]:
        """The running jobs of a rule."""
        return [job for job in self.queue("--states=running") if job.comment.startswith(f"rule_{rule}_")]


def command(copy: Copy, *arguments: str, overlay: dict[str, Any] | None = None) -> list[str]:
    """The command of a person on the login node, for the tiny experiment: few and short jobs, looked at often."""
    words = copy.command(*arguments, overlay=overlay)
    at = words.index("--cores")
    often = ("--slurm-init-seconds-before-status-checks", "1", "--max-status-checks-per-second", "1")
    return [*words[:at], "--profile", "slurm", "--jobs", "4", *often, *words[at + 2 :]]


@dataclass
class Session:
    """A run of Snakemake on the login node."""

    process: subprocess.Popen[str]
    log: Path

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def ended(self, seconds: float = 600) -> int:
        """Snakemake's exit status, once it ended by itself."""
        return self.process.wait(seconds)

    def succeeded(self, seconds: float = 600) -> str:
        """What it said, having succeeded."""
        assert self.ended(seconds) == 0, self.said()
        return self.said()


@contextmanager
def session(copy: Copy, *arguments: str, overlay: dict[str, Any] | None = None) -> Iterator[Session]:
    """Start Snakemake on the cluster; at the end of the block it is gone, and so are its jobs."""
    log = copy.path(f"said-{time.monotonic_ns()}.txt")
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command(copy, *arguments, overlay=overlay),
            cwd=copy.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=restore_interrupt,
        )
    try:
        yield Session(process, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            subprocess.run(["scancel", "--full", "--user", str(os.getuid())], check=False)


# ---- processes ------------------------------------------------------------------------------------------------------


def scripts(copy: Copy, *words: str) -> list[psutil.Process]:
    """The processes of a copy's jobs that run a script whose command line holds all `words`."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if len(line) > 1 and line[1].startswith("scripts/") and Path(process.cwd()) == copy.folder.resolve():
                found += [process] if all(any(word in part for part in line) for word in words) else []
        except psutil.Error:
            continue
    return found


def minds_sigterm(process: psutil.Process) -> bool:
    """Whether a process has a handler for SIGTERM."""
    return _has_bit(process, "SigCgt")


def _has_bit(process: psutil.Process, field: str) -> bool:
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return bool(int(next(line.split()[1] for line in lines if line.startswith(f"{field}:")), 16) >> 14 & 1)


@contextmanager
def held(copy: Copy, *words: str, when: Callable[[psutil.Process], Any] = minds_sigterm) -> Iterator[psutil.Process]:
    """Let the job of a script stand still, from the moment `when` is true, to the end of the block.

    So a job of a second can be disturbed in its midst.
    """
    with all_held(copy, words, when=when) as processes:
        yield processes[0]


@contextmanager
def all_held(
    copy: Copy, *wanted: tuple[str, ...], when: Callable[[psutil.Process], Any] = minds_sigterm
) -> Iterator[list[psutil.Process]]:
    """Like `held`, of several scripts, whichever of them is there first; the block begins when all stand still."""
    still: dict[tuple[str, ...], psutil.Process] = {}

    def all_still() -> bool:
        for words in set(wanted) - set(still):
            try:
                process = next((each for each in scripts(copy, *words) if when(each)), None)
                if process is not None:
                    process.suspend()
                    still[words] = process
            except (psutil.Error, OSError):
                continue
        return len(still) == len(wanted)

    try:
        until(f"the scripts with {wanted}", all_still)
        yield [still[words] for words in wanted]
    finally:
        for process in still.values():
            if process.is_running():
                process.resume()


def told_to_end(process: psutil.Process) -> bool:
    """Whether a process that stands still was sent SIGTERM, or was woken, as some of Slurm's ways to end a job do."""
    try:
        return _has_bit(process, "ShdPnd") or process.status() != psutil.STATUS_STOPPED
    except (psutil.Error, OSError):
        return True
