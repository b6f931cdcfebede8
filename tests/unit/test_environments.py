"""The environments for conda hold what their scripts import, at the versions of pyproject.toml: no more, no less.

Which rule runs which script in which environment is asked of Snakemake. What a script imports is read from its syntax
tree and from those of the library's modules that it imports.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from snakemake_rules import running

from robustness.storage.code_digest import imported

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))

PACKAGES = {"PIL": "pillow", "adv_lib": "adv-lib", "skimage": "scikit-image", "sklearn": "scikit-learn"}
"""Packages whose modules have another name."""

ON_CONDA = {"matplotlib": "matplotlib-base", "seaborn": "seaborn-base", "torch": "pytorch"}
"""Packages that have another name on conda-forge; two of these are the ones without a graphical interface."""

BESIDE = {
    # A configuration names networks of torchvision's as models of one's own: docs/own-model.md does.
    "torch": {"torchvision"},
    "autoattack": {"pip", "torchvision"},
    # adv-lib is installed without its dependencies: these are the ones that it imports.
    "comparators": {"pip", "setuptools", "torchvision", "tqdm"},
}
"""What an environment holds beside what its scripts import."""

NOT_ON_CONDA = {"adv-lib", "pyautoattack"}
"""What a post-deploy script installs."""

STARTERS = {ROOT / "scripts" / "start_job.py"}
"""What starts the programs of rules, in whatever environment they run."""

OF_SNAKEMAKE = {"jsonschema", "pyyaml", "snakemake", "snakemake-executor-plugin-slurm"}
"""What the process needs that reads the rules; jobs need none of it."""


def on_conda(package: str) -> str:
    return ON_CONDA.get(package, package)


@cache
def programs_of(environment: str) -> dict[Path, frozenset[Path]]:
    """The programs of the rules that name the environment, each with the modules that rules name beside it."""
    found: dict[Path, frozenset[Path]] = {}
    for rule in running().values():
        if rule.environment == f"../envs/{environment}.yaml":
            _start, program, *modules = map(Path, rule.sources)
            found[program] = found.get(program, frozenset()) | set(modules)
    return found


@dataclass
class Code:
    """A file, or a function in one: what is imported when it runs, and what it names, which may then run as well."""

    packages: set[str]
    names: set[str]
    functions: dict[str, list[Code]]


def code_of(node: ast.AST) -> Code:
    """What a node of a syntax tree does itself, and what the functions in it would do; imports for types aside."""
    code = Code(set(), set(), {})
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        if isinstance(child, ast.FunctionDef):
            code.functions.setdefault(child.name, []).append(code_of(child))
            continue
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            code.packages |= {alias.name.partition(".")[0] for alias in child.names}
        elif isinstance(child, ast.ImportFrom) and child.module:
            code.packages.add(child.module.partition(".")[0])
            code.names |= {alias.name for alias in child.names}
        elif isinstance(child, ast.Name):
            code.names.add(child.id)
        elif isinstance(child, ast.Attribute):
            code.names.add(child.attr)
        waiting += ast.iter_child_nodes(child)
    # Methods that Python itself calls are named nowhere.
    code.names |= {name for name in code.functions if name.startswith("__")}
    return code


@cache
def file_code(path: Path) -> Code:
    return code_of(ast.parse(path.read_text(encoding="utf-8")))


def packages_of(program: Path, modules: frozenset[Path]) -> set[str]:
    """The packages that a program needs: what it and its modules import at once, and in functions that may be called.

    A function may be called where something that runs names it, or one of the same name.
    """
    sources = {program, *modules}
    waiting = [file_code(path) for path in sources.union(*map(imported, sources))]
    packages: set[str] = set()
    names: set[str] = set()
    dormant: dict[str, list[Code]] = {}
    while waiting:
        code = waiting.pop()
        packages |= code.packages
        names |= code.names
        for name, functions in code.functions.items():
            dormant.setdefault(name, []).extend(functions)
        for name in names & set(dormant):
            waiting += dormant.pop(name)
    return {PACKAGES.get(name, name) for name in packages - set(sys.stdlib_module_names) - {"robustness"}}


@cache
def needed(environment: str) -> frozenset[str]:
    """The packages that the environment's scripts need, themselves or through the library."""
    return frozenset(package for found in programs_of(environment).items() for package in packages_of(*found))


@cache
def held(environment: str) -> dict[str, str]:
    """The packages that an environment asks conda for, each with what it says of the version."""
    content = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8"))
    return {name: bounds for name, _, bounds in (line.partition(" ") for line in content["dependencies"])}


def pinned() -> dict[str, str]:
    """The packages of pyproject.toml, each with what it says of the version."""
    requirements = map(Requirement, PROJECT["dependencies"])
    return {requirement.name: str(requirement.specifier) for requirement in requirements}


names = pytest.mark.parametrize("environment", [path.stem for path in ENVIRONMENTS])


@names
def test_an_environment_holds_what_its_scripts_import_and_nothing_else(environment: str) -> None:
    wanted = {on_conda(package) for package in needed(environment) - NOT_ON_CONDA}
    assert set(held(environment)) == wanted | {"python"} | BESIDE.get(environment, set())


@names
def test_its_versions_are_those_of_the_project(environment: str) -> None:
    versions = {on_conda(name): bounds.replace("==", "=") for name, bounds in pinned().items()}
    for package, bounds in held(environment).items():
        if package not in {"python", "pip", "setuptools"}:
            assert bounds == versions[package], package


@names
def test_its_python_is_one_that_the_project_runs_on(environment: str) -> None:
    version = held(environment)["python"].removeprefix("=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


@names
def test_it_takes_packages_from_conda_forge_alone(environment: str) -> None:
    content = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8"))
    assert content["channels"] == ["conda-forge", "nodefaults"]
    assert set(content) == {"channels", "dependencies"}


def test_every_rule_that_runs_a_script_has_an_environment() -> None:
    used = {program for path in ENVIRONMENTS for program in programs_of(path.stem)}
    assert used | STARTERS == set((ROOT / "scripts").glob("*.py"))


def test_no_program_is_named_like_a_package_which_its_folder_would_hide_from_what_programs_import() -> None:
    programs = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert not programs & {*packages_distributions(), *sys.stdlib_module_names}


def test_every_package_of_the_project_is_needed_by_an_environment_or_by_snakemake() -> None:
    somewhere = {package for path in ENVIRONMENTS for package in held(path.stem)}
    assert {on_conda(name) for name in pinned()} - somewhere - NOT_ON_CONDA == {on_conda(name) for name in OF_SNAKEMAKE}


def test_the_package_that_conda_does_not_have_is_the_one_that_make_installs() -> None:
    script = (ROOT / "envs" / "comparators.post-deploy.sh").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (wanted,) = re.findall(r"adv-lib==\S+", script)
    assert re.findall(r"adv-lib==\S+", makefile) == [wanted]


def test_the_package_of_autoattack_is_the_one_of_the_project() -> None:
    script = (ROOT / "envs" / "autoattack.post-deploy.sh").read_text(encoding="utf-8")
    assert re.findall(r"pyautoattack(==\S+)", script) == [pinned()["pyautoattack"]]
