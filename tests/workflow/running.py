"""A copy of the workflow in a temporary folder, the tiny experiment run in it once, and ways to ask Snakemake."""

from __future__ import annotations

import atexit
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from robustness.runtime.forkserver import ADDRESS, FEW, SWITCH, ForkServer, modules_for

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "claims",
    "rules",
    "scripts",
    "schemas",
    "scales",
    "envs",
    "report",
    "profiles",
    "slurm",
    "tests/configs",
)
TINY = "tests/configs/tiny.yaml"
DIGITS = "results/tiny/digits"


@cache
def server() -> subprocess.Popen[str]:
    """The process whose forks run Snakemake; it ends with this one."""
    command = [sys.executable, Path(__file__).with_name("snakemake_server.py")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@cache
def fork_server() -> dict[str, str]:
    """The environment variable with the address of the fork server of all runs that this process of the tests makes.

    Each run starts its own for many jobs and none for few; here all share one, which imports what jobs do only once.
    It imports nothing of this project, so that each job takes the modules of its own folder.
    """
    if sys.platform != "linux":
        return {}
    programs = sorted((ROOT / "scripts").glob("*.py"))
    optional = "adv_lib"  # starts slowly, and is not always installed
    named = modules_for([(program,) for program in programs for _ in range(FEW + 1)])
    shared = ForkServer()
    shared.start([name for name in named if name.split(".")[0] != optional])
    atexit.register(shared.stop)
    return {ADDRESS: os.environ.pop(ADDRESS)}


def restore_interrupt() -> None:
    """Let SIGINT end this process, whatever it inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Job:
    """One job of a dry-run."""

    rule: str
    wildcards: dict[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """How Snakemake ended, and all that it and its jobs said."""

    code: int
    said: str

    def succeeded(self) -> Answer:
        assert self.code == 0, self.said
        return self


@dataclass
class Copy:
    """A copy of the workflow's files that a test may change, with what was computed in it."""

    folder: Path

    def command(self, *arguments: str, overlay: dict[str, Any] | None = None, config: str | None = TINY) -> list[str]:
        """The command line of Snakemake with the tiny configuration and `overlay` over it."""
        files = [config] if config else []
        if overlay is not None:
            path = self.folder / f"overlay-{os.getpid()}-{len(list(self.folder.glob('overlay-*')))}.yaml"
            path.write_text(yaml.safe_dump(overlay), encoding="utf-8")
            files.append(path.name)
        configuration = ["--configfile", *files] if files else []
        return [sys.executable, "-m", "snakemake", "--cores", "2", *configuration, *_after_options(arguments)]

    def run(self, *arguments: str, overlay: dict[str, Any] | None = None, config: str | None = TINY) -> Answer:
        """Run Snakemake to its end, in a fork of `server`; after ten minutes it is ended."""
        _python, _module, _snakemake, *words = self.command(*arguments, overlay=overlay, config=config)
        with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as said:
            environment = os.environ | ({} if os.environ.get(SWITCH) == "no" else fork_server())
            request = {"arguments": words, "folder": str(self.folder), "said": said.name, "seconds": 600}
            requests, answers = server().stdin, server().stdout
            assert requests is not None
            assert answers is not None
            print(json.dumps(request | {"environment": environment}), file=requests, flush=True)
            return Answer(int(answers.readline()), said.read())

    def start(self, *arguments: str, overlay: dict[str, Any] | None = None) -> subprocess.Popen[str]:
        """Start Snakemake as a terminal does: its jobs are in its process group."""
        return subprocess.Popen(
            self.command(*arguments, overlay=overlay),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell that runs the tests in the background makes its children ignore Ctrl-C.
            preexec_fn=restore_interrupt,
        )

    def plan(self, *arguments: str, overlay: dict[str, Any] | None = None, config: str | None = TINY) -> list[Job]:
        """The jobs that Snakemake would run, without those that only name a group of files."""
        answer = self.run("--dry-run", *(arguments or [DIGITS]), overlay=overlay, config=config).succeeded()
        jobs = [job for job in parsed(answer.said) if "/" not in job.rule and job.rule != "all"]
        assert jobs or "Nothing to be done" in answer.said, answer.said
        return jobs

    def duplicate(self, folder: Path) -> Copy:
        """Another copy, with what was computed and what Snakemake knows of it."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Copy(folder)

    def recorded(self, output: str) -> dict[str, Any]:
        """What Snakemake noted when it made an output."""
        name = base64.b64encode(output.encode()).decode()
        return dict(json.loads((self.folder / ".snakemake" / "metadata" / name).read_text(encoding="utf-8")))

    def path(self, name: str) -> Path:
        return self.folder / name


def _after_options(arguments: tuple[str, ...]) -> list[str]:
    """Options as they are, and targets after `--`, so that no option takes a target for its value."""
    first_target = next((n for n, word in enumerate(arguments) if _is_target(word)), len(arguments))
    return [*arguments[:first_target], "--", *arguments[first_target:]]


def _is_target(word: str) -> bool:
    return word.startswith("results/") or word in ("all", "fetch")


def parsed(said: str) -> list[Job]:
    """The jobs in the text of a dry-run."""
    jobs = []
    for block in re.split(r"^(?=(?:local)?(?:rule|checkpoint) \S+:$)", said, flags=re.MULTILINE)[1:]:
        head, *lines = block.splitlines()
        entries: dict[str, str] = {}
        for line in lines:
            if not line.startswith("    "):
                break
            key, _, value = line.strip().partition(": ")
            entries[key] = value
        pairs = [pair.partition("=") for pair in entries.get("wildcards", "").split(", ") if pair]
        wildcards = {name: value for name, _, value in pairs}
        jobs.append(Job(head.split(" ", 1)[1][:-1], wildcards, entries.get("reason", "")))
    return jobs


def counts(jobs: list[Job]) -> dict[str, int]:
    """How many jobs of each rule there are."""
    return dict(Counter(job.rule for job in jobs))


@contextmanager
def changed(path: Path, text: str = "\nCHANGED_BY_A_TEST = True\n") -> Iterator[None]:
    """Append `text` to a file until the end of the block; then its content and its times are what they were."""
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(content + text.encode())
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def missing(*paths: Path) -> Iterator[None]:
    """Take files away until the end of the block."""
    for path in paths:
        path.rename(path.with_name(f"{path.name}.away"))
    try:
        yield
    finally:
        for path in paths:
            path.with_name(f"{path.name}.away").rename(path)


def copied(folder: Path) -> Copy:
    """The workflow's files, and nothing that was computed, in `folder`."""
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return Copy(folder)
