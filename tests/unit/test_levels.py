"""Required confidences are found by the very number that the configuration has."""

from __future__ import annotations

import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustness.storage.levels import ARGMAX, at_level, highest_shared, is_level
from robustness.storage.records import read_arrays, write_records
from robustness.storage.tables import read_rows


@given(level=st.floats(0, 1, exclude_max=True))
def test_a_level_is_found_after_every_format_it_goes_through(
    tmp_path_factory: pytest.TempPathFactory, level: float
) -> None:
    folder = tmp_path_factory.mktemp("levels")
    asked = json.loads(json.dumps({"required_confidence": level}))["required_confidence"]
    write_records(folder / "records", {"required_confidence": np.array([level, 2.0])}, {})
    assert is_level(read_arrays(folder / "records")["required_confidence"], asked).tolist() == [True, False]
    (folder / "table.csv").write_text(f"required_confidence\n{level!r}\n", encoding="utf-8")
    (row,) = read_rows(folder / "table.csv", ())
    assert is_level(row["required_confidence"], asked)


def test_a_level_that_differs_in_its_last_bit_is_another_one() -> None:
    sum_of_three = 0.1 + 0.1 + 0.1
    table = pandas.DataFrame({"required_confidence": [0.3, sum_of_three, ARGMAX], "image": [0, 1, 2]})
    assert at_level(table, 0.3)["image"].tolist() == [0]
    assert at_level(table, sum_of_three)["image"].tolist() == [1]
    assert at_level(table, 0)["image"].tolist() == [2]


def test_the_highest_level_that_two_attacks_share_is_compared() -> None:
    assert highest_shared(np.array([0.0, 0.9, 0.5]), np.array([0.5, 0.0, 0.99])) == 0.5
    with pytest.raises(ValueError, match="empty"):
        highest_shared(np.array([0.9]), np.array([0.99]))
