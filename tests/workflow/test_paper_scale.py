"""The one command that runs the paper scale on a GPU machine: its stages in tiny on a CPU, and what it refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from running import ROOT, Copy, copied

TINY = {"MORE": "tests/configs/paper-tiny.yaml", "RESULTS": "results/paper-tiny", "PYTHON": sys.executable}


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = copied(tmp_path / "copy")
    shutil.copytree(ROOT / "tools", made.path("tools"))
    for folder in ("wheels", "mirror"):
        made.path(folder).mkdir()
    made.path("cifar.tar.xz").touch()
    return made


def paper_scale(copy: Copy, *more: str, without: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    given = {"--wheels": "wheels", "--mirror": "mirror", "--cifar": "cifar.tar.xz"}
    flags = [word for name, value in given.items() if name != without for word in (name, value)]
    environment = os.environ | TINY | settings
    command = ["tools/paper_scale.sh", *flags, *more]
    return subprocess.run(
        command, cwd=copy.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("option", ["--wheels", "--mirror", "--cifar"])
def test_an_option_that_is_missing_is_named(copy: Copy, option: str) -> None:
    ended = paper_scale(copy, without=option)
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"paper_scale: {option} must name")


def test_a_python_without_pytorch_is_refused_before_anything_is_made(copy: Copy, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    ended = paper_scale(copy, PYTHON=str(bare))
    assert ended.returncode == 1
    assert "cannot import torch: name the Python that can" in ended.stdout
    assert not copy.path("results").exists()


def test_the_plan_has_mnist_first_then_the_resnet_then_the_deep_one(copy: Copy) -> None:
    ended = paper_scale(copy, "--plan")
    assert ended.returncode == 0, ended.stdout
    stages = [
        "1-mnist",
        "2-cifar-resnet",
        "3-cifar-deep-resnet",
        "4-run-time",
        "5-everything-else",
        "6-run-time-of-all",
    ]
    assert re.findall(r"^== (\S+)$", ended.stdout, re.MULTILINE) == stages
    python = copy.path("results/paper-venv/bin/python")
    seen = subprocess.run([python, "-c", "import torch; print(torch.__file__)"], capture_output=True, text=True)
    assert "paper-venv" not in seen.stdout  # the machine's own PyTorch, untouched
    assert seen.stdout.strip()


def test_the_whole_command_ends_with_archives_of_what_is_small_and_is_done_when_run_again(copy: Copy) -> None:
    ended = paper_scale(copy, "--output", "out", CORES="2")
    assert ended.returncode == 0, ended.stdout
    with tarfile.open(copy.path("out/5-everything-else.tar.gz")) as archive:
        names = archive.getnames()
    assert "results/paper-tiny/cifar/tables/robustness.csv" in names
    assert not [name for name in names if name.endswith(".safetensors")]
    assert copy.path("results/paper-tiny/run_time/run_time.svg").exists()
    again = paper_scale(copy, CORES="2")
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("Nothing to be done") >= 4, again.stdout
