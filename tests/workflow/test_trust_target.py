"""A failed trust check is shown and marked, and stops the target that asks for trust, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import DIGITS, Copy

COARSE: dict[str, Any] = {"datasets": {"digits": {"alpha": 0.4}}}
TABLE, PAGE, PASSED = f"{DIGITS}/tables/trust.csv", f"{DIGITS}/trust.html", f"{DIGITS}/trust/passed.txt"


@pytest.fixture(scope="module")
def coarse(finished: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The experiment with a step that is far too coarse, so that halving it changes the result."""
    copy = finished.duplicate(tmp_path_factory.mktemp("coarse"))
    copy.run(DIGITS, overlay=COARSE).succeeded()
    return copy


def test_every_model_has_its_checks_in_the_table(finished: Copy) -> None:
    table = pd.read_csv(finished.path(TABLE))
    assert list(table.columns) == ["model", "seed", "check", "value", "limit", "passed", "images", "why"]
    assert table.groupby("model")["check"].nunique().to_dict() == {"resnet-noisy": 12, "small-clean": 12}


def test_a_failed_check_is_in_the_table_on_the_page_and_on_the_figures(coarse: Copy) -> None:
    table = pd.read_csv(coarse.path(TABLE))
    assert "half_step" in set(table.loc[~table["passed"], "check"])
    assert "✗ failed" in coarse.path(PAGE).read_text(encoding="utf-8")
    for name in ("mean_change", "pixels_changed", "examples_7", "differences_7"):
        assert "Not trustworthy" in coarse.path(f"{DIGITS}/figures/{name}.svg").read_text(encoding="utf-8"), name


def test_the_target_fails_with_a_sentence_that_names_models_and_checks_and_leaves_the_files(coarse: Copy) -> None:
    before = {name: coarse.path(name).read_bytes() for name in (TABLE, PAGE)}
    answer = coarse.run(f"{DIGITS}/trust", overlay=COARSE)
    assert answer.code == 1
    assert "digits is not trustworthy: " in answer.said
    assert "the step decides the change" in answer.said
    assert PAGE in answer.said
    assert "Traceback" not in answer.said
    assert {name: coarse.path(name).read_bytes() for name in before} == before
    assert not coarse.path(PASSED).exists()


def test_the_target_succeeds_where_every_check_passed(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path)
    table = copy.path(TABLE)
    table.write_text(table.read_text(encoding="utf-8").replace(",false,", ",true,"), encoding="utf-8")
    copy.run("--touch", TABLE, PAGE).succeeded()
    copy.run(f"{DIGITS}/trust").succeeded()
    assert copy.path(PASSED).read_text(encoding="utf-8").startswith("All 24 trust checks of digits passed")
