"""A failed trust check is shown and marked, and stops the target that asks for trust, and no other."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from running import DIGITS, Answer, Copy

TABLE, PAGE, PASSED = f"{DIGITS}/tables/trust.csv", f"{DIGITS}/trust.html", f"{DIGITS}/trust/passed.txt"
MARKED = [f"{DIGITS}/figures/{name}.svg" for name in ("mean_change", "pixels_changed", "examples_7", "differences_7")]


def with_verdicts(copy: Copy, *failed: str) -> Answer:
    """Write another table of checks, in which one model fails those named and all others pass; then make the rest."""
    table = pd.read_csv(copy.path(TABLE))
    table["passed"] = ~((table["model"] == "small-clean") & table["check"].isin(failed))
    table["passed"] = table["passed"].map({True: "true", False: "false"})
    table.to_csv(copy.path(TABLE), index=False)
    return copy.run(DIGITS).succeeded()


@pytest.fixture(scope="module")
def doubted(finished: Copy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Copy, Answer]:
    """The experiment with a model that failed two checks, and what was said in the end."""
    copy = finished.duplicate(tmp_path_factory.mktemp("doubted"))
    return copy, with_verdicts(copy, "half_step", "beats_noise")


def test_every_model_has_its_checks_in_the_table(finished: Copy) -> None:
    table = pd.read_csv(finished.path(TABLE))
    assert list(table.columns) == ["model", "seed", "check", "value", "limit", "passed", "images", "why"]
    assert table.groupby("model")["check"].nunique().to_dict() == {"resnet-noisy": 14, "small-clean": 14}


def test_a_failed_check_is_on_the_page_on_the_figures_and_in_the_last_words(doubted: tuple[Copy, Answer]) -> None:
    copy, answer = doubted
    assert "✗ 2 of 14 failed" in copy.path(PAGE).read_text(encoding="utf-8")
    for name in MARKED:
        assert "Not trustworthy" in copy.path(name).read_text(encoding="utf-8"), name
    words = "small-clean (the step decides the change, noise does as well)"
    assert f"Not trustworthy in digits: {words}. See {PAGE}" in answer.said


def test_the_target_fails_with_a_sentence_that_names_models_and_checks_and_leaves_the_files(
    doubted: tuple[Copy, Answer],
) -> None:
    copy, _ = doubted
    before = {name: copy.path(name).read_bytes() for name in (TABLE, PAGE)}
    answer = copy.run(f"{DIGITS}/trust")
    assert answer.code == 1
    sentence = "digits is not trustworthy: small-clean (the step decides the change, noise does as well)."
    assert f"{sentence} {PAGE} says why" in answer.said
    assert "Traceback" not in answer.said
    assert {name: copy.path(name).read_bytes() for name in before} == before
    assert not copy.path(PASSED).exists()
    assert copy.plan() == []  # of the rest, nothing is left to do


def test_the_target_succeeds_where_every_check_passed(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path)
    assert "Not trustworthy" not in with_verdicts(copy).said
    copy.run(f"{DIGITS}/trust").succeeded()
    assert copy.path(PASSED).read_text(encoding="utf-8") == "All 28 trust checks of digits passed.\n"
    for name in MARKED:
        assert "Not trustworthy" not in copy.path(name).read_text(encoding="utf-8"), name
