"""Per-image records: a round trip through Parquet, and files that cannot be read."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from flipped_bits import flips

from robustness.errors import UserError
from robustness.storage.format_version import FORMAT
from robustness.storage.records import read_arrays, read_header, read_records, write_records

COLUMNS = {
    "image": range(3),
    "ended": ["success", "cap", "skipped"],
    "confidence": np.array([0.1, 0.9, 1 / 3], np.float32),
    "label": np.array([7, 0, -1], np.int64),
}


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    write_records(tmp_path / "records", COLUMNS, {})
    table = read_records(tmp_path / "records")
    assert list(table.columns) == list(COLUMNS)
    assert table["image"].tolist() == [0, 1, 2]
    assert table["ended"].tolist() == COLUMNS["ended"]
    assert table["confidence"].dtype == np.float32
    assert np.array_equal(table["confidence"].to_numpy(), COLUMNS["confidence"])
    assert table["label"].tolist() == [7, 0, -1]


def test_records_are_written_without_pandas_as_pyarrow_itself_would(tmp_path: Path) -> None:
    columns = {"image": range(3), "kind": np.array(["noise", "", "ü"]), "ended": ["cap", "success", "cap"]}
    columns |= {"change": np.array([0.5, math.nan, 1e-30]), "confidence": np.arange(6, dtype=np.float32)[::2]}
    write_records(tmp_path / "records", columns, {})
    header = pyarrow.parquet.read_schema(tmp_path / "records").metadata
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata(header), tmp_path / "theirs")
    assert (tmp_path / "records").read_bytes() == (tmp_path / "theirs").read_bytes()
    code = "import sys; from pathlib import Path; import numpy as np;"
    code += "from robustness.storage.records import write_records;"
    code += "columns = {'image': np.arange(2), 'change': np.ones(2), 'ended': ['cap', 'success']};"
    code += "write_records(Path(sys.argv[1]), columns, {}); assert 'pandas' not in sys.modules"
    scripts = Path(__file__).parents[2] / "scripts"
    subprocess.run([sys.executable, "-c", code, tmp_path / "again"], cwd=scripts, check=True)


def test_columns_are_those_of_the_records_without_pandas(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_records(tmp_path / name, COLUMNS, {})
    table, columns = (read(tmp_path / "a", tmp_path / "b") for read in (read_records, read_arrays))
    assert list(columns) == list(table.columns)
    for name, column in columns.items():
        assert column.tolist() == table[name].tolist()
    code = "import sys; from pathlib import Path; from robustness.storage.records import read_arrays;"
    code += "read_arrays(Path(sys.argv[1])); assert 'pandas' not in sys.modules"
    scripts = Path(__file__).parents[2] / "scripts"
    subprocess.run([sys.executable, "-c", code, tmp_path / "a"], cwd=scripts, check=True)


def test_several_files_are_joined_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name, start in (("a", 5), ("b", 0)):
        write_records(tmp_path / name, {"image": range(start, start + 2)}, {"provenance": {"shard": name}})
    table = read_records(tmp_path / "a", tmp_path / "b")
    assert table["image"].tolist() == [5, 6, 0, 1]
    assert table.index.tolist() == [0, 1, 2, 3]


def test_the_metadata_is_in_the_file_as_json(tmp_path: Path) -> None:
    write_records(tmp_path / "records", COLUMNS, {"provenance": {"spec": {"alpha": 0.01}}})
    header = pyarrow.parquet.read_schema(tmp_path / "records").metadata
    assert json.loads(header[b"provenance"]) == {"spec": {"alpha": 0.01}}


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_records(tmp_path / name, COLUMNS, {"b": 1, "a": {"z": 1, "y": 2}})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_columns_of_different_lengths_write_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length"):
        write_records(tmp_path / "records", {"image": [1, 2], "label": [1]}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0, 3, 100, -10])
def test_a_damaged_file_is_named(tmp_path: Path, length: int) -> None:
    write_records(tmp_path / "records", COLUMNS, {})
    (tmp_path / "records").write_bytes((tmp_path / "records").read_bytes()[:length])
    with pytest.raises(UserError, match=rf"{tmp_path}/records is damaged .*delete it"):
        read_records(tmp_path / "records")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_records(tmp_path / "there", COLUMNS, {})
    with pytest.raises(UserError, match=r"/missing does not exist"):
        read_records(tmp_path / "there", tmp_path / "missing")


OLD = {"image": [0, 1], "ended": ["success", "cap"]}


def test_records_of_a_newer_format_are_named_with_what_to_do(tmp_path: Path) -> None:
    write_records(tmp_path / "records", COLUMNS, {"provenance": {"format": FORMAT + 1}})
    with pytest.raises(UserError, match=rf"/records has format {FORMAT + 1}, which a newer version"):
        read_records(tmp_path / "records")


def test_records_of_the_first_format_are_refused_when_they_lack_what_is_needed(tmp_path: Path) -> None:
    write_records(tmp_path / "records", OLD, {"provenance": {"format": 1}})
    with pytest.raises(UserError, match=r"/records has format 1, which an older version .*: delete it and run"):
        read_records(tmp_path / "records")


NOW = [OLD | {"required_confidence": [0.9, 0.9]}, {"image": [0, 1], "prediction": [3, 4]}]


@pytest.mark.parametrize("columns", NOW, ids=["attacked", "predictions"])
def test_records_of_the_first_format_are_read_when_they_have_what_is_needed(
    tmp_path: Path, columns: dict[str, list[object]]
) -> None:
    write_records(tmp_path / "records", columns, {"provenance": {"format": 1}})
    assert read_records(tmp_path / "records")["image"].tolist() == [0, 1]


def test_a_file_with_any_flipped_bit_is_refused_or_holds_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "records"
    write_records(path, COLUMNS, {"identity": {"dataset": "mnist"}, "provenance": {"format": FORMAT}})
    columns, header = read_arrays(path), read_header(path)
    said: list[str] = []
    for bit in flips(path):
        try:
            found = read_arrays(path)
            assert all(np.array_equal(found[name], column) for name, column in columns.items()), bit
            assert read_header(path) == header, bit
        except UserError as error:
            said.append(str(error))
    assert len(said) > 150
    assert all(f"{path} is damaged" in each or "/records has format" in each for each in said)
