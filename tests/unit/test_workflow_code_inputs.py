"""The params of a rule name its program, and change with the program's code and with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from robustness.errors import UserError
from robustness.storage.code_digest import LIBRARY, described
from robustness.workflow.code_inputs import src

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


def named(params: Sequence[Path | str]) -> tuple[list[Path], list[str]]:
    """The paths among params, as absolute ones, and the names of the files that digests are of."""
    paths = [Path(param).absolute().resolve() for param in params if isinstance(param, Path)]
    return paths, [param.split(" ")[0] for param in params if isinstance(param, str)]


def test_a_program_comes_after_what_starts_it_and_before_the_digests_of_all_that_it_imports() -> None:
    found = src(ROOT, "require_trust")
    assert named(found)[0] == [SCRIPTS / "start_job.py", SCRIPTS / "require_trust.py"]
    assert found[2:] == described(SCRIPTS / "require_trust.py")
    assert {"require_trust.py", "robustness/trust/questions.py", "robustness/errors.py"} <= set(named(found)[1])


def test_a_module_that_a_program_imports_by_name_is_tracked_with_all_that_it_imports() -> None:
    module = LIBRARY / "products" / "figures" / "bars.py"
    paths, digests = named(src(ROOT, "plot", "products/figures/bars"))
    assert paths == [SCRIPTS / "start_job.py", SCRIPTS / "plot.py", module]
    assert len(digests) == len(set(digests))
    alone, figure = named(src(ROOT, "plot"))[1], named(described(module))[1]
    own = {
        "robustness/products/figures/__init__.py",
        "robustness/products/figures/bars.py",
        "robustness/figures/bars.py",
    }
    assert own <= set(digests) - set(alone)
    assert set(digests) == set(alone) | set(figure)


def test_only_the_module_that_is_named_is_tracked() -> None:
    bars, examples = (named(src(ROOT, "plot", f"products/figures/{name}"))[1] for name in ("bars", "examples"))
    assert not {"robustness/figures/images.py", "robustness/products/figures/examples.py"} & set(bars)
    assert not {"robustness/figures/bars.py", "robustness/products/figures/bars.py"} & set(examples)


def test_code_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "broken.py").write_text("x = = 1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.py, line 1 is no Python"):
        src(tmp_path, "broken")
