"""The library is packages in rows: each imports only what stands below it, and no module is too long to read."""

from __future__ import annotations

import ast
import runpy
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from robustness.storage.code_digest import LIBRARY, NO_RESULT, imported, imports, shaping

DRAWING = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "draw_packages.py"))
MODULES: dict[str, Path] = DRAWING["modules"]()
ROWS = DRAWING["ROWS"]
SCRIPTS = LIBRARY.parent

MOST_FLAT, MOST_LINES = 6, 400
COSTLY = (
    "prepare_data",
    "import_model",
    "train_model",
    "attack_shard",
    "attack_targets",
    "compare_shard",
    "bound_shard",
)
"""Programs that take most of a study's time, or come before those that do."""


def test_few_modules_stand_beside_the_packages() -> None:
    flat = [path.name for path in LIBRARY.glob("*.py") if path.name != "__init__.py"]
    assert len(flat) <= MOST_FLAT
    assert {name.removesuffix(".py") for name in flat} == set(ROWS[-1]), "docs/draw_packages.py names them in ROWS"


def test_every_package_has_its_row() -> None:
    packages = {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    named = [package for row in ROWS[:-1] for package in row]
    assert sorted(named) == sorted(packages), "docs/draw_packages.py names them in ROWS"


def test_packages_import_only_what_stands_below_them() -> None:
    assert DRAWING["upwards"](DRAWING["package_arrows"]()) == []


def test_an_arrow_that_points_up_or_sideways_is_found() -> None:
    arrows = {"figures": frozenset({"pages", "stats"}), "stats": frozenset({"figures"})}
    assert DRAWING["upwards"](arrows) == ["figures imports pages", "stats imports figures"]


def test_no_modules_import_each_other_in_a_circle() -> None:
    arrows = DRAWING["module_arrows"]()
    assert arrows["runtime.progress"] >= {"runtime.status", "runtime.terminal"}  # at the start, and in a function
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", MODULES.values(), ids=list(MODULES))
def test_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", [*LIBRARY.rglob("__init__.py")], ids=lambda path: path.parent.name)
def test_a_package_says_what_belongs_in_it_and_what_does_not(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(tree.body) == 1, "a package's file holds its docstring alone"
    words = ast.get_docstring(tree) or ""
    assert "Belongs here: " in words
    assert "Not here: " in words


@pytest.mark.parametrize("part", NO_RESULT, ids=lambda path: path.name)
def test_what_is_left_out_of_the_code_of_results_never_sees_an_array(part: Path) -> None:
    files = set(part.rglob("*.py")) if part.is_dir() else {part}
    assert files
    reached = files.union(*map(imported, files))
    packages = {name.split(".")[0] for path in reached for dots, name in imports(path) if not dots}
    assert packages <= sys.stdlib_module_names | {LIBRARY.name, "filelock"}


@pytest.mark.parametrize("program", COSTLY)
def test_another_way_to_write_numbers_repeats_nothing_that_takes_long(program: str) -> None:
    assert LIBRARY / "text.py" not in shaping(SCRIPTS / f"{program}.py")


def test_the_picture_of_the_packages_is_what_make_docs_draws() -> None:
    drawn = DRAWING["picture"](ROWS, DRAWING["package_arrows"](), MODULES)
    assert DRAWING["PICTURE"].read_text(encoding="utf-8") == drawn, "run `make docs`"


def test_the_picture_leaves_out_arrows_that_follow_from_others() -> None:
    arrows = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset("d")}
    assert DRAWING["needed"](arrows) == {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("d")}
