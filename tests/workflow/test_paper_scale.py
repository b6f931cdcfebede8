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


def prepared(folder: Path) -> Copy:
    """A copy of the workflow with the script and what it asks for."""
    made = copied(folder)
    shutil.copytree(ROOT / "tools", made.path("tools"))
    for name in ("wheels", "mirror"):
        made.path(name).mkdir()
    made.path("cifar.tar.xz").touch()
    return made


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return prepared(tmp_path / "copy")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the environment that the script's first call makes."""
    made = prepared(tmp_path_factory.mktemp("installed"))
    ended = paper_scale(made, "--plan", "--last", "1")
    assert ended.returncode == 0, ended.stdout
    return made.path("results/paper-venv")


@pytest.fixture
def installed(copy: Copy, environment: Path) -> Copy:
    """A copy in which the script was called before."""
    shutil.copytree(environment, copy.path("results/paper-venv"), symlinks=True)
    return copy


def paper_scale(
    copy: Copy, *more: str, without: str = "", here: Path | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    given = {"--wheels": "wheels", "--mirror": "mirror", "--cifar": "cifar.tar.xz"}
    flags = [word for name, value in given.items() if name != without for word in (name, value)]
    environment = os.environ | TINY | settings
    command = [copy.path("tools/paper_scale.sh"), *flags, *more]
    return subprocess.run(
        command, cwd=here or copy.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def made_python(folder: Path, script: str) -> str:
    """The path of a made Python, which is a shell's script."""
    made = folder / "python"
    made.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    made.chmod(0o755)
    return str(made)


@pytest.mark.parametrize("option", ["--wheels", "--mirror", "--cifar"])
def test_an_option_that_is_missing_is_named(copy: Copy, option: str) -> None:
    ended = paper_scale(copy, without=option)
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"paper_scale: {option} must name")


def test_a_python_without_pytorch_is_refused_before_anything_is_made(copy: Copy, tmp_path: Path) -> None:
    ended = paper_scale(copy, PYTHON=made_python(tmp_path, f'exec "{sys.executable}" -I -S "$@"'))
    assert ended.returncode == 1
    assert "cannot import torch: name the Python that can" in ended.stdout
    assert not copy.path("results").exists()


def test_names_are_those_of_the_folder_that_the_command_is_called_from(copy: Copy, tmp_path: Path) -> None:
    here = tmp_path / "elsewhere"
    here.mkdir()
    for name in ("wheels", "mirror", "cifar.tar.xz"):
        copy.path(name).rename(here / name)
    made_python(here, f'exec "{sys.executable}" "$@"')
    copy.path("results/paper-tiny").mkdir(parents=True)
    ended = paper_scale(copy, "--output", "out", "--last", "1", here=here, PYTHON="./python", MORE="missing.yaml")
    assert "not everything could be made (1-mnist)" in ended.stdout
    assert (here / "out" / "1-mnist.tar.gz").exists()
    assert not copy.path("out").exists()


def test_a_python_without_pip_is_refused_before_anything_is_made(copy: Copy, tmp_path: Path) -> None:
    bare = made_python(tmp_path, f'case "$*" in "-m pip"*) exit 1 ;; esac\nexec "{sys.executable}" "$@"')
    ended = paper_scale(copy, PYTHON=bare)
    assert (ended.returncode, ended.stdout) == (1, f"paper_scale: '{bare}' has no pip\n")
    assert not copy.path("results").exists()


def test_what_the_machine_tells_pip_does_not_count(copy: Copy, tmp_path: Path) -> None:
    constraint, settings = tmp_path / "constraint.txt", tmp_path / "pip.conf"
    constraint.write_text("numpy==1.0\n", encoding="utf-8")
    settings.write_text(f"[install]\nconstraint = {constraint}\n", encoding="utf-8")
    told = {"PIP_CONSTRAINT": str(constraint), "PIP_TARGET": str(tmp_path / "target"), "PIP_CONFIG_FILE": str(settings)}
    ended = paper_scale(copy, "--plan", "--last", "1", **told)
    assert ended.returncode == 0, ended.stdout
    assert copy.path("results/paper-venv/installed").exists()


def test_the_plan_has_mnist_first_then_the_resnet_then_the_deep_one(installed: Copy) -> None:
    ended = paper_scale(installed, "--plan")
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
    python = installed.path("results/paper-venv/bin/python")
    seen = subprocess.run([python, "-c", "import torch; print(torch.__file__)"], capture_output=True, text=True)
    assert "paper-venv" not in seen.stdout  # the machine's own PyTorch, untouched
    assert seen.stdout.strip()


def test_each_stage_has_all_seeds_that_are_asked_for(installed: Copy) -> None:
    ended = paper_scale(installed, "--plan", "--last", "3", SEEDS="[2, 5]")
    assert ended.returncode == 0, ended.stdout
    stages = re.findall(r"^== (\S+)\n(.*?)(?=^== )", ended.stdout, re.MULTILINE | re.DOTALL)
    jobs = {name: re.findall(r"^(train_model|attack_shard) +(\d+)$", said, re.MULTILINE) for name, said in stages}
    planned = {name: {rule: int(number) for rule, number in found} for name, found in jobs.items()}
    assert planned == {  # of models and, for attacks, twice as many
        "1-mnist": {"train_model": 4 * 2, "attack_shard": 8 * 2},
        "2-cifar-resnet": {"train_model": 2 * 2, "attack_shard": 4 * 2},
        "3-cifar-deep-resnet": {"train_model": 4 * 2, "attack_shard": 8 * 2},
    }


def test_an_archive_holds_pages_and_what_is_small(installed: Copy) -> None:
    results = installed.path("results/paper-tiny")
    results.mkdir(parents=True)
    sizes = {"study.html": 9 << 20, "a.csv": 100, "b.csv": (3 << 20) // 2, "c.csv": 3 << 20, "d.html": 21 << 20}
    for name, size in (sizes | {"weights.safetensors": 100}).items():
        results.joinpath(name).write_bytes(bytes(size))
    paper_scale(installed, "--output", "out", "--last", "1", MORE="missing.yaml")
    with tarfile.open(installed.path("out/1-mnist.tar.gz")) as archive:
        names = sorted(Path(name).name for name in archive.getnames())
    assert names == ["a.csv", "b.csv", "study.html"]


def test_a_stage_ends_with_an_archive_of_what_is_small_and_nothing_of_it_is_computed_again(installed: Copy) -> None:
    ended = paper_scale(installed, "--output", "out", "--last", "1", CORES="2")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^== 1-mnist: done in \d+ s, \d+ s since the start$", ended.stdout, re.MULTILINE)
    with tarfile.open(installed.path("out/1-mnist.tar.gz")) as archive:
        names = archive.getnames()
    assert "results/paper-tiny/mnist/tables/robustness.csv" in names
    assert not [name for name in names if name.endswith(".safetensors")]
    results = installed.path("results/paper-tiny")
    made = {path: path.stat().st_mtime_ns for path in results.rglob("*.safetensors")}
    assert len(made) == 3 + 4 + 8  # data, weights and attacked images
    again = paper_scale(installed, "--last", "1", CORES="2")
    assert again.returncode == 0, again.stdout
    assert made == {path: path.stat().st_mtime_ns for path in results.rglob("*.safetensors")}


def test_a_stage_that_fails_before_there_are_results_stops_no_other(installed: Copy) -> None:
    ended = paper_scale(installed, "--output", "out", "--last", "2", MORE="missing.yaml")
    assert ended.returncode == 1
    assert re.findall(r"^== (\S+): FAILED after", ended.stdout, re.MULTILINE) == ["1-mnist", "2-cifar-resnet"]
    assert "paper_scale: not everything could be made (1-mnist 2-cifar-resnet): the same command" in ended.stdout


def test_an_archive_that_cannot_be_written_is_named_and_stops_no_stage(installed: Copy) -> None:
    installed.path("results/paper-tiny").mkdir(parents=True)
    ended = paper_scale(installed, "--output", "cifar.tar.xz/out", "--last", "2", MORE="missing.yaml")
    assert ended.returncode == 1
    assert "(1-mnist 1-mnist-archive 2-cifar-resnet 2-cifar-resnet-archive): the same command" in ended.stdout


def test_a_stage_that_does_not_exist_is_refused(copy: Copy) -> None:
    ended = paper_scale(copy, "--last", "8")
    assert (ended.returncode, ended.stdout) == (1, "paper_scale: --last must name a stage from 1 to 7, not '8'\n")
