"""What these tests run in forks ends as, says and leaves what a process of Snakemake's own does."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from running import DIGITS, Copy

MODELS = f"{DIGITS}/tables/models.csv"


def words(said: str) -> list[str]:
    """The words, less dates, times and identifiers, sorted: Snakemake lists sets in another order each time."""
    said = re.sub(r"^ *(Date|Workflow ID): .*$|^\[.* \d{4}\]$", "", said, flags=re.MULTILINE)
    return sorted(re.findall(r"[^\s,;{}\[\]]+", said))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--dry-run", DIGITS), 0), (("--dry-run", "results/nothing"), 1), (("--no-such-option",), 2)],
    ids=["a plan", "an unknown target", "an unknown option"],
)
def test_a_fork_ends_and_speaks_as_a_process_of_its_own(fresh: Copy, arguments: tuple[str, ...], code: int) -> None:
    forked = fresh.run(*arguments)
    alone = subprocess.run(
        fresh.command(*arguments), cwd=fresh.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert forked.code == alone.returncode == code
    assert words(forked.said) == words(alone.stdout)


def test_a_fork_computes_what_a_process_of_its_own_computes(fresh: Copy, tmp_path: Path) -> None:
    one, other = fresh.duplicate(tmp_path / "one"), fresh.duplicate(tmp_path / "other")
    assert one.run(MODELS).code == 0
    assert subprocess.run(other.command(MODELS), cwd=other.folder, capture_output=True).returncode == 0
    assert one.path(MODELS).read_bytes() == other.path(MODELS).read_bytes()
    ours, theirs = one.recorded(MODELS), other.recorded(MODELS)
    for own in ("starttime", "endtime", "job_hash"):
        for record in (ours, theirs):
            record.pop(own)
    assert ours == theirs


def test_nothing_of_one_run_reaches_the_next(fresh: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fresh.duplicate(tmp_path)
    other.path("Snakefile").write_text('print(os.getcwd(), os.environ.get("OF_A_TEST"))\n', encoding="utf-8")
    monkeypatch.setenv("OF_A_TEST", "set")
    assert f"{os.path.realpath(tmp_path)} set" in other.run("--dry-run", config=None).said
    monkeypatch.delenv("OF_A_TEST")
    assert f"{os.path.realpath(tmp_path)} None" in other.run("--dry-run", config=None).said
    assert fresh.plan(MODELS)
