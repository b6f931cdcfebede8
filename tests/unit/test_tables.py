"""Tables are read as they were written, whatever models and classes are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.storage.tables import read_rows, read_table


@pytest.mark.parametrize("name", ["nan", "null", "NA", "01", "1e5", "True"])
def test_a_name_stays_the_text_that_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"model,class,value\n{name},{name},\nother,b,inf\nthird,c,nan\n", encoding="utf-8")
    table = read_table(path)
    assert table["model"].tolist() == [name, "other", "third"]
    assert table["class"].tolist() == [name, "b", "c"]
    assert table["value"].isna().tolist() == [True, False, True]
    assert read_rows(path, text=("model", "class"))[0]["model"] == name
