"""Each rule tracks exactly the library modules that its script imports and that can shape a result.

What a rule tracks is read from the rules, and from what Snakemake recorded of a finished run. What a script imports is
found by importing it in a fresh Python, and then everything that the imported modules would import later, inside of
functions.
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

from robustness.storage.code_digest import NO_RESULT, described

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
STARTERS = ["serve_jobs", "start_job"]
"""Scripts that start the scripts of rules."""


@cache
def probed() -> dict[str, dict[str, Any]]:
    """What each script imports."""

    def probe(script: str) -> dict[str, Any]:
        command = [sys.executable, "-c", PROBE, str(ROOT), script]
        return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SCRIPTS, pool.map(probe, SCRIPTS), strict=True))


def rules() -> dict[str, str]:
    """The text of every rule that runs a command, by its name."""
    files = sorted((ROOT / "rules").glob("*.smk"))
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    blocks = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)[1:]
    return {name: block for name, block in zip(blocks[::2], blocks[1::2], strict=True) if "    shell:" in block}


def tracked(script: str) -> set[str]:
    """The files whose digests a rule has among its params when it names that script."""
    name, *modules = (line.split(" ")[0] for line in described(ROOT / "scripts" / f"{script}.py"))
    return {f"scripts/{each}" for each in (name, *modules)}


@pytest.mark.parametrize("rule", rules())
def test_a_rule_runs_the_script_that_it_tracks(rule: str) -> None:
    block = rules()[rule]
    assert len(re.findall(r'    params:\n        \*src\("\w+"\),\n', block)) == block.count("src(") == 1
    assert re.search(r'    shell:\n        "exec python -IS \{params\[0\]:q\} \{params\[1\]:q\} ', block)
    assert block.count(".py") == 0


def test_every_script_is_run_by_a_rule() -> None:
    assert sorted([*re.findall(r'src\("(\w+)"\)', "".join(rules().values())), *STARTERS]) == SCRIPTS


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in STARTERS])
def test_a_rule_tracks_exactly_what_its_script_imports(script: str) -> None:
    files = set(probed()[script]["files"])
    no_result = {str(path.relative_to(ROOT)) for path in NO_RESULT}
    assert tracked(script) == {file for file in files if not no_result & {file, *map(str, Path(file).parents)}}


def test_snakemake_recorded_the_code_of_a_finished_job(finished: Copy) -> None:
    recorded = finished.recorded(f"{DIGITS}/attacks/report/small-clean/seed0/0-10.parquet")["params"]
    expected = described(finished.path("scripts/attack_shard.py"))
    assert {repr(line) for line in expected} <= set(recorded)
    assert not any(str(finished.folder) in each or "scripts/" in each for each in recorded)


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name.startswith(("plot_", "tabulate_"))])
def test_a_script_of_figures_or_tables_does_not_import_torch(script: str) -> None:
    assert not {"torch", "torchvision"} & set(probed()[script]["at_start"])


@pytest.mark.parametrize("script", ["attack_shard", "check_trust"])
def test_an_attack_job_imports_nothing_that_is_slow_and_unneeded(script: str) -> None:
    slow = {"torchvision", "pandas", "seaborn", "matplotlib", "scipy", "sklearn", "torchmetrics"}
    assert not slow & set(probed()[script]["at_start"])
