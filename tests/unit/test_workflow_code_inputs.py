"""The params of a rule name its program, and change with the program's code and with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from made_study import GIVEN, job, of_models

from robustness.errors import UserError
from robustness.storage.code_digest import LIBRARY, described
from robustness.workflow import code_inputs
from robustness.workflow.code_inputs import src
from robustness.workflow.study import Study

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
    assert {"require_trust.py", "robustness/trust/questions.py"} <= set(named(found)[1])
    assert not any("robustness/runtime/" in name for name in named(found)[1])


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
    with pytest.raises(UserError, match=r"broken\.py, line 1 is not valid Python"):
        src(tmp_path, "broken")


def test_the_code_of_own_models_is_tracked_model_by_model(tmp_path: Path) -> None:
    (tmp_path / "my_networks.py").write_text("def small(): ...\n", encoding="utf-8")
    trained = {"architecture": "basic", "data": "clean"}
    config = of_models({"mine": GIVEN, "again": GIVEN | {"title": "Again"}, "basic": trained}).config
    study = Study({**config, "python_path": str(tmp_path)}, ROOT)
    (line,) = code_inputs.code_of_all_models(study, job())
    assert line.startswith("my_networks.py ")
    assert code_inputs.code_option(study, job(model="mine")) == ["--code", line]
    assert code_inputs.code_option(study, job(model="basic")) == []


def test_own_code_that_is_not_found_is_named_with_its_model(tmp_path: Path) -> None:
    config = of_models({"mine": GIVEN}).config
    study = Study({**config, "python_path": str(tmp_path)}, ROOT)
    with pytest.raises(UserError, match=r"datasets\.mnist\.models\.mine: the factory 'my_networks:small' names"):
        code_inputs.code_option(study, job(model="mine"))


def test_the_digest_of_templates_follows_their_content_and_not_their_place(tmp_path: Path) -> None:
    found = set()
    for folder, text in (("a", "x"), ("b", "x"), ("c", "y")):
        path = tmp_path / folder / "page.html.j2"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        found.add(code_inputs.digest_of([path]))
    assert len(found) == 2
    assert code_inputs.page_template(ROOT, "trust").is_file()
