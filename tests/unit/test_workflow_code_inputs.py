"""The params of a rule name its program, and change with the program's code and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.errors import UserError
from robustness.storage.code_digest import LIBRARY, described
from robustness.workflow.code_inputs import src

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


def named(params: list[Path | str]) -> tuple[list[Path], list[str]]:
    """The paths among params, as absolute ones, and the names of the files that digests are of."""
    paths = [Path(param).absolute().resolve() for param in params if isinstance(param, Path)]
    return paths, [param.split(" ")[0] for param in params if isinstance(param, str)]


def test_a_program_comes_after_what_starts_it_and_before_the_digests_of_all_that_it_imports() -> None:
    found = src(ROOT, "plot_bars")
    assert named(found)[0] == [SCRIPTS / "start_job.py", SCRIPTS / "plot_bars.py"]
    assert found[2:] == described(SCRIPTS / "plot_bars.py")
    assert {"plot_bars.py", "robustness/figures/bars.py", "robustness/figures/style.py"} <= set(named(found)[1])


def test_a_module_that_a_program_imports_by_name_is_tracked_with_all_that_it_imports() -> None:
    paths, digests = named(src(ROOT, "require_trust", "figures/bars"))
    assert paths == [SCRIPTS / "start_job.py", SCRIPTS / "require_trust.py", LIBRARY / "figures" / "bars.py"]
    assert len(digests) == len(set(digests))
    alone, figure = named(src(ROOT, "require_trust"))[1], named(src(ROOT, "plot_bars"))[1]
    assert {"robustness/figures/__init__.py", "robustness/figures/bars.py"} <= set(digests) - set(alone)
    assert set(alone) < set(digests) <= set(alone) | set(figure)


def test_only_the_module_that_is_named_is_tracked() -> None:
    bars, images = (named(src(ROOT, "require_trust", f"figures/{name}"))[1] for name in ("bars", "images"))
    assert "robustness/figures/images.py" not in bars
    assert "robustness/figures/bars.py" not in images


def test_code_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "broken.py").write_text("x = = 1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.py, line 1 is no Python"):
        src(tmp_path, "broken")
