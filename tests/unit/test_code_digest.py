"""The digest of code changes with what the code does, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from robustness.errors import UserError
from robustness.storage import code_digest
from robustness.storage.code_digest import described, digest, imported
from robustness.storage.kept import SETTLED, Kept

CODE = '''"""Add numbers."""

from __future__ import annotations

STEP = 1
"""What is added."""


class Adder:
    """Adds."""

    def add(self, number: int, *, twice: bool = False) -> str:
        """The sum."""
        total = number + STEP * (2 if twice else 1)  # twice as much
        return f"{total:>{5}} = {number!r} + é"
'''


def names(lines: list[str]) -> list[str]:
    """The files in a description."""
    return [line.split(" ")[0] for line in lines]


def of(tmp_path: Path, text: str) -> str:
    """The digest of a file with that text."""
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    return digest(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # twice as much", ""),
        ("  # twice as much", "  # two times that"),
        ('"""The sum."""', '"""Another word for it."""'),
        ('        """The sum."""\n', ""),
        ('"""Add numbers."""\n', ""),
        ('"""What is added."""\n', ""),
        ("\n\nclass", "\n\n\n\n# ----\nclass"),
        ("(2 if twice else 1)", "(\n            2\n            if twice\n            else 1\n        )"),
        ('f"{total:>{5}} = {number!r} + é"', "f'{total:>{5}} = {number!r} + é'"),
        ("\n", "\r\n"),
    ],
)
def test_what_only_readers_see_changes_no_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in CODE
    assert of(tmp_path, CODE.replace(old, new)) == of(tmp_path, CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STEP = 1", "STEP = 2"),
        ("STEP = 1", "STEP = 1.0"),
        ("STEP = 1", "STEP = True"),
        ("STEP = 1", 'STEP = "1"'),
        ("STEP = 1", "STEP = -1"),
        ("number + STEP", "STEP + number"),
        ("number + STEP", "number - STEP"),
        ("twice: bool = False", "twice: bool = None"),
        ("twice: bool = False", "twice: bool"),
        ("*, twice", "twice"),
        ("number: int", "number: float"),
        ("{number!r}", "{number!s}"),
        (" + é", " + e"),
        ("class Adder:", "class Adder(object):"),
        ("        return", "        yield"),
        ("        return", "    return"),
    ],
)
def test_what_the_code_does_changes_its_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in CODE
    assert of(tmp_path, CODE.replace(old, new)) != of(tmp_path, CODE)


def test_text_that_is_a_value_counts(tmp_path: Path) -> None:
    assert of(tmp_path, 'WORDS = """a"""\n') != of(tmp_path, 'WORDS = """b"""\n')
    assert of(tmp_path, 'print("a")\n') != of(tmp_path, 'print("b")\n')
    assert of(tmp_path, 'b"a"\n') != of(tmp_path, 'b"b"\n')


def test_the_digest_is_the_same_under_every_version_of_python(tmp_path: Path) -> None:
    assert of(tmp_path, CODE) == "feb2d3038ee131d9"


def test_code_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"module\.py, line 2 is not valid Python \(.*\): fix it"):
        of(tmp_path, "x = 1\nx = = 1\n")


def test_modules_are_found_through_others_and_inside_of_functions(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def main():\n    from robustness.stats import intervals\n    import robustness.figures.bars\n")
    found = {str(path.relative_to(code_digest.LIBRARY)) for path in imported(script)}
    assert {"__init__.py", "stats/intervals.py", "figures/__init__.py", "figures/bars.py", "figures/style.py"} <= found


def test_a_description_names_each_file_and_not_where_it_lies(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from robustness.stats import intervals\n")
    assert names(described(script))[:2] == ["script.py", "robustness/__init__.py"]
    assert "robustness/stats/intervals.py" in names(described(script))


def test_what_shapes_no_result_and_what_only_that_imports_is_left_out(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from robustness.errors import UserError\nfrom robustness.runtime import cli, forkserver\n")
    assert names(described(script)) == ["script.py", "robustness/__init__.py"]
    script.write_text("from robustness.runtime import cli\nfrom robustness.storage import code_digest\n")
    found = [
        "robustness/__init__.py",
        *(f"robustness/storage/{name}.py" for name in ("__init__", "code_digest", "kept")),
    ]
    assert names(described(script)) == ["script.py", *found]


def test_a_module_is_described_with_its_packages_and_by_its_name_in_the_library(tmp_path: Path) -> None:
    names = [line.split(" ")[0] for line in described(code_digest.LIBRARY / "stats" / "censoring.py")]
    assert {"robustness/__init__.py", "robustness/stats/__init__.py", "robustness/stats/censoring.py"} <= set(names)
    script = tmp_path / "script.py"
    script.write_text("from robustness.stats import censoring\n")
    assert [line.split(" ")[0] for line in described(script)] == ["script.py", *names]


def test_no_result_can_depend_on_a_docstring() -> None:
    for path in code_digest.LIBRARY.parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for shown in ("parser(__doc__)", "parser(module.__doc__)", "description=__doc__"):  # by `--help` alone
            text = text.replace(shown, "")
        assert "__doc__" not in text, path
        assert "import inspect" not in text, path


def test_what_is_known_of_a_file_is_kept_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".snakemake").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "program.py"
    path.write_text("import json\n", encoding="utf-8")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from robustness.storage import code_digest as code;"
        "code._read = None if sys.argv[2] == 'kept' else code._read; print(*code.described(Path('program.py')))"
    )

    def described_anew(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, str(code_digest.LIBRARY.parent), how]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    time.sleep(SETTLED + 0.1)
    first = described_anew("read").stdout
    assert first
    assert described_anew("kept").stdout == first
    path.write_text("import yaml\n", encoding="utf-8")
    assert "NoneType" in described_anew("kept").stderr
    assert described_anew("read").stdout not in ("", first)


class Coarse:
    """Facts about files whose times only tell seconds, as on some file systems, looked at with a clock in the hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        (folder / ".snakemake").mkdir()
        monkeypatch.chdir(folder)
        self.changed, self.now = 1_000_000.0, 1_000_000.0
        self.found = 0
        self.kept = Kept("facts.json", Path(__file__))
        monkeypatch.setattr(Path, "stat", lambda _: self)
        monkeypatch.setattr(time, "time", lambda: self.now)
        self.st_size, self.st_mtime, self.st_ctime = 6, self.changed, self.changed
        self.st_mtime_ns = self.st_ctime_ns = int(self.changed * 10**9)

    def looked_up(self, seconds: float) -> int:
        """How often the fact had been found, after looking it up so many seconds after the file's change."""
        self.now = self.changed + seconds

        def find() -> int:
            self.found += 1
            return self.found

        return int(self.kept.of(Path("program.py"), find))


def test_a_file_that_has_just_changed_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        file = Coarse(patch, tmp_path)
        assert [file.looked_up(seconds) for seconds in (0.0, 0.5, 0.9)] == [1, 2, 3]


def test_a_file_that_changed_some_time_ago_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        file = Coarse(patch, tmp_path)
        assert [file.looked_up(SETTLED + seconds) for seconds in (0.1, 5.0, 500.0)] == [1, 1, 1]


@pytest.mark.parametrize("content", ["", "[]", '{"code": 1}', "\x00\xff"])
def test_a_damaged_file_of_what_is_known_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / ".snakemake" / "digests.json").write_text(content, encoding="latin-1")
    monkeypatch.chdir(tmp_path)
    assert Kept("digests.json", Path(__file__)).facts == {}


def test_what_only_a_type_checker_imports_is_no_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import typing\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import torch\n    from a import b\nelse:\n    import numpy\n"
        "if typing.TYPE_CHECKING:\n    import pandas\n"
        "if typing.IMPORTANT:\n    import yaml\n",
        encoding="utf-8",
    )
    assert {name for _, name in code_digest.imports(path)} == {"typing", "typing.TYPE_CHECKING", "numpy", "yaml"}
