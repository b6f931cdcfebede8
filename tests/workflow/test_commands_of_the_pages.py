"""The demo's commands on the first pages work as they are typed, one after the other."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from running import ROOT, Copy

PAGES = ("README.md", "docs/scaling.md")


def typed(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]


def test_the_demos_commands_can_be_typed_in_their_order(fresh: Copy, tmp_path: Path) -> None:
    copy = fresh.duplicate(tmp_path / "workflow")
    done = set()
    for line in (line for page in PAGES for line in typed(page)):
        if line.startswith("echo "):
            subprocess.run(line, shell=True, cwd=copy.folder, check=True)
        found = re.search(r"snakemake (.*) --configfile (scales/demo.yaml.*)", line)
        if found and found[0] not in done:
            done.add(found[0])
            words = [word for word in shlex.split(found[1]) if word.startswith("results/")]
            copy.run("--dry-run", "--configfile", *shlex.split(found[2]), *words, config=None).succeeded()
    assert len(done) > 3
