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
from robustness.storage import digests
from robustness.storage.atomic import replacing
from robustness.storage.format_version import check_format

if TYPE_CHECKING:
    import pandas


_UNREADABLE = (OSError, ValueError, TypeError, KeyError, pyarrow.ArrowException)
_CONTENT, _HEADER = b"content_digest", b"header_digest"
"""In the metadata of a file: the digest of all its columns, and of the rest of the metadata."""


def write_records(path: Path, columns: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Write equally long columns (arrays or lists); `metadata` values are stored as JSON."""
    table = pyarrow.table({name: _written(np.asarray(column)) for name, column in columns.items()})
    header = {key.encode(): json.dumps(value, sort_keys=True).encode() for key, value in metadata.items()}
    header[_CONTENT] = _content_digest(table).encode()
    header[_HEADER] = _header_digest(header).encode()
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


def read_header(path: Path) -> dict[str, Any]:
    """Read the metadata of a file of records, as `write_records` was given it.

    Raises `UserError` when the file is missing or damaged.
    """
    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
        return _checked_header(path, metadata)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from None


def content_digest(path: Path) -> str:
    """Return what identifies a file's content, from its header alone; raises what `read_header` raises."""
    return str(read_header(path)[_CONTENT.decode()])


def _content_digest(table: pyarrow.Table) -> str:
    """Return a digest of a table's names, types and values, without pandas."""
    parts: list[bytes | memoryview] = []
    for name in table.column_names:
        column = table[name]
        parts.append(f"{name} {column.type} {len(column)} {column.null_count} ".encode())
        for chunk in column.chunks:
            if pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type):
                values, width = memoryview(chunk.buffers()[1]).cast("B"), column.type.bit_width // 8
                parts.append(values[chunk.offset * width : (chunk.offset + len(chunk)) * width])
            else:
                parts.append(json.dumps(chunk.to_pylist()).encode())
    return digests.digest(*parts)


def _header_digest(header: Mapping[bytes, bytes]) -> str:
    rest = {name.decode(): value.decode() for name, value in header.items() if name != _HEADER}
    return digests.digest_of_json(rest)


def _checked_header(path: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Return the metadata of a file as Python values, after the check of their digest."""
    header = {name: value for name, value in metadata.items() if name != b"ARROW:schema"}
    digests.check(path, _header_digest(header), header.get(_HEADER, b"").decode(), "header")
    digest_names = (_CONTENT, _HEADER)
    return {
        name.decode(): value.decode() if name in digest_names else json.loads(value) for name, value in header.items()
    }


def _array(column: pyarrow.ChunkedArray) -> NDArray[Any]:
    # pyarrow's own way to NumPy imports pandas.
    return np.asarray(column.to_pylist())


def _unreadable(path: Path, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path} does not exist: run the workflow to make it")
    return digests.is_damaged(path, error)


def _read(paths: Sequence[Path]) -> pyarrow.Table:
    tables = []
    for path in paths:
        try:
            # As does its `read_table`.
            table = pyarrow.parquet.ParquetFile(path).read()
            header = _checked_header(path, table.schema.metadata or {})
            digests.check(path, _content_digest(table), header[_CONTENT.decode()], "content")
        except _UNREADABLE as error:
            raise _unreadable(path, error) from None
        # For a while format 1 had today's columns, and predictions never changed theirs: only what lacks one is old.
        lacking = "ended" in table.column_names and "required_confidence" not in table.column_names
        check_format(path, header.get("provenance", {}), oldest=2 if lacking else 1)
        tables.append(table.replace_schema_metadata(None))
    return pyarrow.concat_tables(tables)
