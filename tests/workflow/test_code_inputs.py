"""Each rule declares exactly the library modules that its script imports: none missing, none too many.

What a rule declares is read from a dry-run. What a script imports is found by importing it in a fresh Python, and then
everything that the imported modules would import later, inside of functions.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
from running import ROOT, Copy

# Prints what is imported at the start, and the library's files with those that are imported in functions.
PROBE = """
import ast, importlib, json, sys
from pathlib import Path

root = Path(sys.argv[1])
sys.path.insert(0, str(root / "scripts"))
importlib.import_module(sys.argv[2])
at_start = sorted({name.partition(".")[0] for name in sys.modules})

def library():
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "robustness"]
    return {Path(module.__file__) for module in modules}

seen, waiting = set(), {root / "scripts" / f"{sys.argv[2]}.py"} | library()
while waiting:
    for path in waiting:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            for name in names:
                if name.partition(".")[0] == "robustness":
                    try:
                        importlib.import_module(name)
                    except ModuleNotFoundError as error:
                        if error.name != name:  # otherwise it is a name in a module
                            raise
    seen |= waiting
    waiting = library() - seen
print(json.dumps({"at_start": at_start, "files": sorted(str(path.relative_to(root)) for path in seen)}))
"""

SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))


@cache
def probed() -> dict[str, dict[str, Any]]:
    """What each script imports."""

    def probe(script: str) -> dict[str, Any]:
        command = [sys.executable, "-c", PROBE, str(ROOT), script]
        return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SCRIPTS, pool.map(probe, SCRIPTS), strict=True))


@pytest.fixture(scope="module")
def declared(fresh: Copy) -> dict[str, set[str]]:
    """The files below scripts/ that the rules have as inputs, by script (the first of them).

    With comparators, without which their rules have nothing to do.
    """
    found: dict[str, set[str]] = {}
    targets = ("results/mnist", "results/cifar", "results/mnist/speed")
    for job in fresh.plan(*targets, config="scales/comparators.yaml"):
        code = [name for name in job.inputs if name.startswith("scripts/")]
        if code:
            found.setdefault(code[0].removeprefix("scripts/").removesuffix(".py"), set()).update(code)
    return found


def test_every_script_is_run_by_a_rule(declared: dict[str, set[str]]) -> None:
    assert sorted(declared) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_rule_declares_exactly_what_its_script_imports(script: str, declared: dict[str, set[str]]) -> None:
    assert declared[script] == set(probed()[script]["files"])


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name.startswith(("plot_", "tabulate_"))])
def test_a_script_of_figures_or_tables_does_not_import_torch(script: str) -> None:
    assert not {"torch", "torchvision"} & set(probed()[script]["at_start"])


def test_an_attack_job_imports_nothing_that_is_slow_and_unneeded() -> None:
    slow = {"torchvision", "pandas", "seaborn", "matplotlib", "scipy", "sklearn", "torchmetrics"}
    assert not slow & set(probed()["attack_shard"]["at_start"])
