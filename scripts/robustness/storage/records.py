"""Reads and writes per-image records: rows for images in Parquet, with provenance in the file's metadata.

Uses only pyarrow, since attack jobs write records and must not pay for importing pandas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from robustness.errors import UserError
from robustness.storage.atomic import replacing
from robustness.storage.format_version import check_format

if TYPE_CHECKING:
    import pandas


def write_records(path: Path, columns: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Write equally long columns (arrays or lists); `metadata` values are stored as JSON."""
    table = pyarrow.table({name: _written(np.asarray(column)) for name, column in columns.items()})
    header = {key: json.dumps(value, sort_keys=True) for key, value in metadata.items()}
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table.replace_schema_metadata(header), temporary)


def _written(column: NDArray[Any]) -> pyarrow.Array:
    """Make a column from its bytes in memory: for anything else pyarrow would import pandas to look at it."""
    if column.dtype.kind == "U":
        texts = [text.encode() for text in column.tolist()]
        ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
        return pyarrow.StringArray.from_buffers(len(texts), pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(texts)))
    if column.dtype.kind in "if":
        values = pyarrow.py_buffer(np.ascontiguousarray(column))
        return pyarrow.Array.from_buffers(pyarrow.from_numpy_dtype(column.dtype), len(column), [None, values])
    return pyarrow.array(column)


def read_records(*paths: Path) -> pandas.DataFrame:
    """Read the rows of one or more files as one pandas table, in the order of the paths.

    Raises `UserError` naming the file that is missing, damaged or of a format that is not read.
    """
    return _read(paths).to_pandas()


def read_arrays(*paths: Path) -> dict[str, NDArray[Any]]:
    """Read what `read_records` reads, but as arrays by name, without importing pandas; raises the same.

    Text becomes fixed in width.
    """
    table = _read(paths)
    return {name: _array(table[name]) for name in table.column_names}


def read_columns(path: Path, *names: str) -> list[NDArray[Any]]:
    """Read the named columns of a file as arrays, without pandas.

    Raises `UserError` when the file is missing or damaged, or lacks a name.
    """
    table = _read([path])
    for name in names:
        if name not in table.column_names:
            raise UserError(f"{path} has no column '{name}': delete it and run the workflow again")
    return [_array(table[name]) for name in names]


def read_stamp(path: Path) -> dict[str, Any]:
    """Read the provenance of a file of records; raises `UserError` when the file is missing or damaged."""
    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
        return dict(json.loads(metadata.get(b"provenance", b"{}")))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (OSError, ValueError, pyarrow.ArrowInvalid) as error:
        raise UserError(f"{path} cannot be read ({error}): delete it and run the workflow again") from None


def _array(column: pyarrow.ChunkedArray) -> NDArray[Any]:
    # pyarrow's own way to NumPy imports pandas.
    return np.asarray(column.to_pylist())


def _read(paths: Sequence[Path]) -> pyarrow.Table:
    tables = []
    for path in paths:
        try:
            # As does its `read_table`.
            table = pyarrow.parquet.ParquetFile(path).read()
        except (OSError, pyarrow.ArrowInvalid) as error:
            raise UserError(f"{path} cannot be read ({error}): delete it and run the workflow again") from None
        header = (table.schema.metadata or {}).get(b"provenance", b"{}")
        # For a while format 1 had today's columns, and predictions never changed theirs: only what lacks one is old.
        lacking = "ended" in table.column_names and "required_confidence" not in table.column_names
        check_format(path, json.loads(header), oldest=2 if lacking else 1)
        tables.append(table.replace_schema_metadata(None))
    return pyarrow.concat_tables(tables)
