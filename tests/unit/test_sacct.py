"""The stand-in for sacct that lets Snakemake find its jobs again after slurmctld was away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

STAND_IN = Path(__file__).parents[2] / "slurm" / "bin"
QUESTION = ["-X", "--parsable2", "--format=JobIdRaw,State", "--name", "run-7"]


def asked(folder: Path, *question: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """What the stand-in answers where these programs, given as shell scripts, are installed."""
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    path = os.pathsep.join([str(STAND_IN), str(folder), "/usr/bin", "/bin"])
    return subprocess.run(["sacct", *question], env={"PATH": path}, capture_output=True, text=True, timeout=60)


def test_where_accounts_are_kept_the_real_one_answers(tmp_path: Path) -> None:
    answer = asked(tmp_path, *QUESTION, sacct='echo "$@"', squeue="echo wrong")
    assert (answer.returncode, answer.stdout.split()) == (0, QUESTION)


def test_where_none_are_kept_squeue_answers_in_the_same_format(tmp_path: Path) -> None:
    answer = asked(tmp_path, *QUESTION, sacct="exit 1", squeue='echo "$@"')
    assert answer.returncode == 0
    assert answer.stdout.split() == ["--noheader", "--states=all", "--format=%i|%T", "--name", "run-7"]


def test_while_neither_answers_it_fails(tmp_path: Path) -> None:
    assert asked(tmp_path, *QUESTION, sacct="exit 1", squeue="exit 3").returncode == 3


def test_another_question_that_the_real_one_cannot_answer_fails_as_it_does(tmp_path: Path) -> None:
    assert asked(tmp_path, "-n", "-j", "4", sacct="exit 5", squeue="echo wrong").returncode == 5
