"""`make test-fast` leaves out what is slow: found by what a file imports, and refused where that does not show it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fast import is_fast

TESTS = Path(__file__).parents[1]


def run_fast(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What pytest does with `--fast` in a folder with tests of its own, in a process of its own."""
    paths = os.pathsep.join(map(str, (TESTS, TESTS.parent / "scripts")))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "--fast", "-q", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_file_that_imports_something_slow_itself_or_through_the_library_is_left_out(tmp_path: Path) -> None:
    imports = {
        "plain": "import json",
        "torch": "import torch",
        "in_a_function": "def draw():\n    from matplotlib import pyplot",
        "through_the_library": "from robustness.training import train",
        "through_a_helper": "import helper",
    }
    unit = tmp_path / "unit"
    unit.mkdir()
    (unit / "helper.py").write_text("import subprocess\n", encoding="utf-8")
    for name, line in imports.items():
        text = f"{line}\n\n\ndef test_it():\n    pass\n"
        (unit / f"test_{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "test_plain.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    found = run_fast(tmp_path, "--collect-only").stdout
    assert [line for line in found.splitlines() if "::" in line] == ["unit/test_plain.py::test_it"], found


@pytest.mark.parametrize(
    "line",
    [
        "importlib.import_module('tor' + 'ch')",
        "os.fork() or os._exit(0)",
        "importlib.import_module('sub' + 'process').run('ls')",
    ],
)
def test_what_is_slow_fails_where_no_import_shows_it(tmp_path: Path, line: str) -> None:
    unit = tmp_path / "unit"
    unit.mkdir()
    (unit / "test_it.py").write_text(f"import importlib, os\n\n\ndef test_it():\n    {line}\n", encoding="utf-8")
    ended = run_fast(tmp_path)
    assert ended.returncode == 1
    assert "a fast test does what is slow" in ended.stdout


def test_files_about_numbers_alone_are_fast_and_those_about_networks_are_not() -> None:
    found = {path.relative_to(TESTS).as_posix(): is_fast(path) for path in TESTS.rglob("test_*.py")}
    assert found["unit/test_measures.py"]
    assert found["unit/test_validate.py"]
    slow = [path for path in found if path.startswith(("workflow/", "slurm/"))]
    assert not any(
        found[path] for path in [*slow, "unit/test_architectures.py", "unit/test_figures.py", "unit/test_fast.py"]
    )
