"""Declared columns: what is written has the names, types and lengths that the declarations promise."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from robustness.analysis.measures import measure
from robustness.outcome import Outcome
from robustness.storage.columns.attack import AttackRecords
from robustness.storage.columns.judged import JudgedRecords
from robustness.storage.columns.measures import MeasuredRecords
from robustness.storage.columns.predictions import Predictions

PREDICTIONS: dict[str, Any] = {
    "image": np.arange(2),
    "label": np.array([1, 0]),
    "prediction": np.array([1, 1]),
    "confidence": np.array([0.5, 0.75], np.float32),
}
RECORDS: dict[str, Any] = {
    **{name: np.zeros(2, np.int64) for name in ("image", "label", "label_before", "label_after", "iterations")},
    **{"zero_gradients": np.zeros(2, np.int64), "target": np.full(2, -1), "scale": np.ones(2)},
    **{"required_confidence": np.zeros(2), "confidence_after": np.ones(2, np.float32), "ended": [*Outcome][:2]},
}


def test_columns_have_the_order_of_their_declaration_whatever_that_of_the_program() -> None:
    columns = Predictions(**dict(reversed(PREDICTIONS.items()))).by_name()
    assert list(columns) == ["image", "label", "prediction", "confidence"]
    for name, column in columns.items():
        assert column is PREDICTIONS[name]


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("confidence", np.array([0.5, 0.75]), "'confidence' is to be Float32, not float64"),
        ("image", np.arange(2, dtype=np.int32), "'image' is to be Int64, not int32"),
        ("label", ["1", "0"], "'label' is to be Int64, not <U1"),
    ],
)
def test_a_column_of_another_type_is_refused(name: str, column: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Predictions(**PREDICTIONS | {name: column}).by_name()


def test_a_column_that_is_missing_or_not_declared_is_refused() -> None:
    with pytest.raises(TypeError, match="confidence"):
        Predictions(**{name: column for name, column in PREDICTIONS.items() if name != "confidence"})
    with pytest.raises(TypeError, match="colour"):
        Predictions(**PREDICTIONS, colour=np.zeros(2))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="columns have different lengths"):
        Predictions(**PREDICTIONS | {"label": np.array([1])}).by_name()


def test_an_outcome_that_does_not_exist_is_refused() -> None:
    assert AttackRecords(**RECORDS).by_name()["ended"].tolist() == ["success", "default_state"]
    read = RECORDS | {"ended": np.array(["cap", "skipped"], object)}  # as pandas has it
    assert AttackRecords(**read).by_name()["ended"].tolist() == ["cap", "skipped"]
    with pytest.raises(TypeError, match="'ended' is to be Outcomes"):
        AttackRecords(**RECORDS | {"ended": ["success", "succeeded"]}).by_name()


def test_text_may_be_empty() -> None:
    none: dict[str, Any] = {name: np.zeros(0, np.int64) for name in ("image", "judge_seed")}
    none |= {name: np.full(0, "text") for name in ("judge", "kind", "answer")}
    assert len(JudgedRecords(**none).by_name()["judge"]) == 0


@pytest.mark.parametrize("missing", [False, True])
def test_every_measure_is_declared_with_its_type(missing: bool) -> None:
    original, adversarial = np.zeros((2, 2, 1, 12, 12), np.float32)
    if missing:
        adversarial[0] = np.nan
    measured: dict[str, Any] = measure(original, adversarial, 0.1)
    inherited = {field.name for field in fields(AttackRecords)}
    assert list(measured) == [field.name for field in fields(MeasuredRecords) if field.name not in inherited]
    assert list(MeasuredRecords(**RECORDS, **measured).by_name())[-1] == "ssim"


def test_records_without_a_row_keep_the_types_of_their_columns() -> None:
    nothing = AttackRecords(**{name: column[:0] for name, column in RECORDS.items()}).by_name()
    some = AttackRecords(**RECORDS).by_name()
    for name, column in nothing.items():
        assert len(column) == 0
        assert column.dtype.kind == some[name].dtype.kind
