"""Every figure and table is declared once, as its module and its caption are there, and no module is left over."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import ModuleType

import pytest
from made_study import made_study

import plot
import write_table
from robustness import products
from robustness.storage.code_digest import LIBRARY
from robustness.workflow.figures import FIGURES, Figure
from robustness.workflow.tables import TABLES, Table

ROOT = LIBRARY.parents[1]
OF_ALL_DATASETS = {"run_time"}
"""A figure and a table whose rules are written out, since they are of no dataset."""

each_figure = pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def module_of(kind: str, name: str) -> ModuleType:
    return importlib.import_module(f"{products.__name__}.{kind}.{name}")


def modules_in(kind: str) -> set[str]:
    package = importlib.import_module(f"{products.__name__}.{kind}")
    return {module.name for module in pkgutil.iter_modules(package.__path__)}


@pytest.mark.parametrize(("kind", "declared"), [("figures", FIGURES), ("tables", TABLES)])
def test_each_module_is_declared_once(kind: str, declared: tuple[Figure | Table, ...]) -> None:
    names = [each.name for each in declared]
    assert len(names) == len(set(names))
    assert modules_in(kind) == {*names} | OF_ALL_DATASETS


def test_only_what_a_configuration_has_can_be_asked_for() -> None:
    of = {figure.name: figure.constraints(made_study(sensitivity={"cifar": None}).studied) for figure in FIGURES}
    assert of["sensitivity"] == {"dataset": "mnist"}
    assert of["bars"] == {"dataset": "mnist|cifar", "measure": "mean_change|pixels_changed"}
    assert set(of["examples"]["label"].split("|")) == {"7", "1", "dog", "ship"}
    nowhere = {figure.name: figure.constraints(made_study(sensitivity=None).studied) for figure in FIGURES}
    assert re.fullmatch(nowhere["sensitivity"]["dataset"], "mnist") is None


@each_figure
def test_a_figure_is_drawn_from_what_its_module_asks_for(figure: Figure) -> None:
    options = {action.dest for action in plot.arguments(module_of("figures", figure.name))._actions if action.required}
    assert options == {*figure.inputs, "svg", "png"}


@each_table
def test_a_table_is_made_from_what_its_module_asks_for(table: Table) -> None:
    parser = write_table.arguments(module_of("tables", table.name))
    assert {action.dest for action in parser._actions if action.required} == {*table.inputs, "table"}


@pytest.mark.parametrize("declared", [*FIGURES, *TABLES], ids=lambda each: each.rule)
def test_what_is_declared_has_a_caption(declared: Figure | Table) -> None:
    assert (ROOT / "report" / f"{declared.caption}.rst").is_file()


@each_figure
def test_a_label_names_the_wildcard_and_no_other(figure: Figure) -> None:
    braces = f"{{{figure.wildcard}}}" if figure.wildcard else ""
    for text in (figure.label, figure.file, figure.job):
        assert text.count("{") == text.count(braces) * bool(braces)
        assert braces in text
