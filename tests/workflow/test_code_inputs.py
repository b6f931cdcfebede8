"""Each rule tracks exactly the library modules that its script imports and that can shape a result.

What a rule tracks is asked of Snakemake, before a run and after one. What a script imports is found by importing it in
a fresh Python, and then everything that the imported modules would import later, inside of functions.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from running import DIGITS, ROOT, Copy
from snakemake_rules import Rule, rules, running

from robustness.config.cross_checks import TAKEN
from robustness.storage.code_digest import NO_RESULT, described
from robustness.storage.code_digest import imported as imported_by

# For each line of modules that it reads: prints what they import at the start, and the library's files with those that
# are imported in functions. Each line is a fork, so that packages that many scripts import are imported once.
PROBE = """
import ast, importlib, json, os, sys
from pathlib import Path

root = Path(sys.argv[1])
sys.path.insert(0, str(root / "scripts"))
for name in sys.argv[2:]:
    importlib.import_module(name)

def library():
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "robustness"]
    return {Path(module.__file__) for module in modules}

def probe(names):
    for name in names:
        importlib.import_module(name)
    at_start = sorted({name.partition(".")[0] for name in sys.modules})
    seen, waiting = set(), {root / "scripts" / f"{names[0]}.py"} | library()
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
    print(json.dumps({"at_start": at_start, "files": sorted(str(path.relative_to(root)) for path in seen)}), flush=True)

for line in sys.stdin:
    child = os.fork()
    if not child:
        probe(line.split())
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{line.strip()} cannot be imported")
"""

SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
STARTERS = ["start_job"]
"""The script that starts the scripts of rules."""
DRAWN = ("plot", "write_table")
"""How the scripts of figures and tables begin, which import no PyTorch."""
ATTACKS = ("attack_shard", "check_trust")


Names = tuple[str, ...]
"""A script, then the modules of the library that it imports by name, as a rule gives them."""


def names_of(rule: Rule) -> Names:
    """The names of what a rule runs, as Python imports them."""
    paths = [Path(path).relative_to(ROOT / "scripts").with_suffix("") for path in rule.sources[1:]]
    return tuple(".".join(path.parts) for path in paths)


@cache
def probed() -> dict[Names, dict[str, Any]]:
    """What is imported by each script with the modules that a rule names beside it."""

    wanted = sorted({*map(names_of, running().values()), *((name,) for name in STARTERS)})
    drawn = [names for names in wanted if names[0].startswith(DRAWN)]
    alone = [names for names in wanted if names[0] in ATTACKS]
    others = [names for names in wanted if names not in [*drawn, *alone]]
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(
            probe, [others, drawn, *([names] for names in alone)], [("torch", "pandas"), ("pandas",), (), ()]
        )
    return {names: found for part in parts for names, found in part.items()}


def probe(wanted: list[Names], before: Names) -> dict[Names, dict[str, Any]]:
    """What each of `wanted` imports, in forks of a process that has imported `before`."""
    lines = "".join(f"{' '.join(names)}\n" for names in wanted)
    command = [sys.executable, "-c", PROBE, str(ROOT), *before]
    said = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    return dict(zip(wanted, map(json.loads, said.splitlines()), strict=True))


def of_script(script: str) -> dict[Names, dict[str, Any]]:
    """What is imported by a script, with each choice of modules that a rule names beside it."""
    found = {names: imported for names, imported in probed().items() if names[0] == script}
    assert found, f"no rule runs {script}"
    return found


def files_named(lines: list[str]) -> list[str]:
    """The files whose digests are among some lines, or among a rule's params."""
    return [f"scripts/{line.split(' ')[0]}" for line in lines if re.fullmatch(r"\S+\.py [0-9a-f]{16}", line)]


def test_a_rule_runs_the_script_that_it_tracks() -> None:
    for name, rule in running().items():
        start, script, *modules = map(Path, rule.sources)
        assert start == ROOT / "scripts" / "start_job.py", name
        assert script.parent == ROOT / "scripts", name
        assert all(module.is_relative_to(ROOT / "scripts" / "robustness") for module in modules), name
        lines = described(script, *modules)
        assert rule.params[: len(lines)] == tuple(lines), name
        assert rule.shell is not None
        assert rule.shell.startswith("exec python -IS {params[0]:q} {params[1]:q} "), name
        others = [*rule.params[len(lines) :], *rule.files, rule.shell]
        assert not any(".py" in each for each in others), name


def test_every_script_is_run_by_a_rule() -> None:
    assert sorted({*(rule.program.stem for rule in running().values()), *STARTERS}) == SCRIPTS


def test_no_two_rules_run_the_same() -> None:
    alone = [rule.program.stem for rule in running().values() if len(rule.sources) == 2]
    assert len(alone) == len(set(alone))


def test_every_rule_says_what_it_does() -> None:
    assert [name for name, rule in rules().items() if not rule.docstring] == []


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in STARTERS])
def test_a_rule_tracks_exactly_what_its_script_imports(script: str) -> None:
    tracking = {names_of(rule): files_named(list(rule.params)) for rule in running().values()}
    tracking |= {(name,): files_named(described(ROOT / "scripts" / f"{name}.py")) for name in STARTERS}
    no_result = {str(path.relative_to(ROOT)) for path in NO_RESULT}
    aside = [file for path in NO_RESULT for file in (path.rglob("*.py") if path.is_dir() else [path])]
    through = {str(file.relative_to(ROOT)) for path in aside for file in imported_by(path)}
    for names, imported in of_script(script).items():
        shaping = [file for file in imported["files"] if not no_result & {file, *map(str, Path(file).parents)}]
        # What only code without a result imports, as it does the digests of code, shapes no result either.
        expected = [file for file in shaping if file not in through or file in tracking[names]]
        assert sorted(tracking[names]) == expected


def test_snakemake_recorded_the_code_of_a_finished_job(finished: Copy) -> None:
    recorded = finished.recorded(f"{DIGITS}/attacks/original/small-clean/seed0/0-10.parquet")["params"]
    expected = described(finished.path("scripts/attack_shard.py"))
    assert {repr(line) for line in expected} <= set(recorded)
    assert not any(str(finished.folder) in each or "scripts/" in each for each in recorded)


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name.startswith(DRAWN)])
def test_a_script_of_figures_or_tables_does_not_import_torch(script: str) -> None:
    for imported in of_script(script).values():
        assert not {"torch", "torchvision"} & set(imported["at_start"])


@pytest.mark.parametrize("script", ATTACKS)
def test_an_attack_job_imports_nothing_that_is_slow_and_unneeded(script: str) -> None:
    slow = {"torchvision", "pandas", "seaborn", "matplotlib", "scipy", "sklearn", "torchmetrics"}
    for imported in of_script(script).values():
        assert not slow & set(imported["at_start"])


def test_the_folders_of_results_are_those_that_the_workflow_writes_to() -> None:
    files = [file for rule in running().values() for file in (*rule.outputs, *rule.logs, rule.benchmark) if file]
    places = [ROOT / "config.yaml", ROOT / "slurm" / "config.yaml"]
    text = "".join(path.read_text(encoding="utf-8") for path in places)
    written = {found[1] for file in files if (found := re.match(r"results/(\w+)/", file))}
    assert written | set(re.findall(r": results/(\w+)(?=[/\"\s])", text)) == set(TAKEN)


def test_the_library_of_rules_needs_neither_snakemake_nor_what_takes_long_to_import() -> None:
    folder = ROOT / "scripts" / "robustness" / "workflow"
    names = [f"robustness.workflow.{path.stem}" for path in sorted(folder.glob("[a-z]*.py"))]
    assert len(names) > 10
    program = f"import sys, {', '.join(names)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=True).stdout.split()
    assert "robustness" in found
    assert not {"snakemake", "torch", "numpy", "pandas", "scipy", "matplotlib", "jsonschema", "yaml"} & set(found)
