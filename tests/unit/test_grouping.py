"""Files that belong together are found by the order in which they are listed, and none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustness.errors import UserError
from robustness.storage.grouping import by_key, records_by_key
from robustness.storage.records import write_records


@given(st.integers(1, 5), st.integers(0, 4))
def test_each_key_has_its_files_in_order(keys: int, seeds: int) -> None:
    paths = [Path(f"{key}-{seed}") for key in range(keys) for seed in range(seeds)]
    found = by_key(paths, range(keys))
    assert found == {key: [Path(f"{key}-{seed}") for seed in range(seeds)] for key in range(keys)}


@pytest.mark.parametrize(("files", "keys"), [(5, 2), (1, 0), (3, 4)])
def test_files_that_cannot_be_shared_equally_are_refused(files: int, keys: int) -> None:
    with pytest.raises(UserError, match=f"{files} files cannot be shared equally among {keys}"):
        by_key([Path("a")] * files, range(keys))


def test_no_files_for_no_key_are_none() -> None:
    assert by_key([], []) == {}


def test_records_are_read_of_each_file(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(4)]
    for number, path in enumerate(paths):
        write_records(path, {"image": [number]}, {})
    found = records_by_key(paths, ["a", "b"])
    assert {key: [table["image"].tolist() for table in tables] for key, tables in found.items()} == {
        "a": [[0], [1]],
        "b": [[2], [3]],
    }
