"""Jobs that notice that the code or the configuration changed after their run was planned."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from robustness.errors import UserError
from robustness.runtime import planned
from robustness.storage.digests import digest_of_json

ROOT = Path(__file__).parents[2]
CONFIG = {"results": "results", "seeds": [0]}


@pytest.fixture(autouse=True)
def _running_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "scripts" / "measure_attack.py")])
    for name in (planned.CODE, planned.CONFIGURATION):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in sys.modules if name.startswith("robustness.products.")]:
        monkeypatch.delitem(sys.modules, name)  # of another test; a program imports its own product alone


def planned_with(monkeypatch: pytest.MonkeyPatch, changed: str = "") -> None:
    """The environment of a run; as if the file named `changed` had been another one then."""
    found = planned.environment(ROOT, CONFIG)
    pairs = [each.split("=") for each in found[planned.CODE].split()]
    written = " ".join(f"{name}={'0' * 8 if name == changed else digits}" for name, digits in pairs)
    assert written.count("=00000000") == bool(changed)
    monkeypatch.setenv(planned.CODE, written)
    monkeypatch.setenv(planned.CONFIGURATION, found[planned.CONFIGURATION])


def test_a_job_that_runs_the_planned_code_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    planned.check_code()
    planned_with(monkeypatch)
    planned.check_code()


@pytest.mark.parametrize("changed", ["measure_attack.py", "robustness/analysis/measures.py"])
def test_a_job_whose_code_changed_since_says_so(monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    planned_with(monkeypatch, changed)
    with pytest.raises(UserError, match=f"^scripts/{changed} changed after this run was planned.*same command again"):
        planned.check_code()


@pytest.mark.parametrize("changed", ["train_model.py", "robustness/figures/bars.py", "robustness/runtime/progress.py"])
def test_code_that_a_job_does_not_need_may_change(monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    planned_with(monkeypatch, changed)
    planned.check_code()


def test_a_job_that_reads_another_configuration_than_its_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(planned.CONFIGURATION, digest_of_json(CONFIG))
    assert planned.environment(ROOT, dict(reversed(CONFIG.items())))[planned.CONFIGURATION] == digest_of_json(CONFIG)
    with pytest.raises(UserError, match="the configuration changed after this run was planned"):
        planned.environment(ROOT, CONFIG | {"seeds": [0, 1]})
