"""Reads and writes the one format for tensors: safetensors, with provenance in the header.

Uses NumPy, so that scripts that do not need torch do not import it. Files are memory-mapped, so that a shard reads only
its rows; each block of rows has a digest, so that damage is found when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.errors import UserError
from robustness.storage import digests
from robustness.storage.atomic import replacing
from robustness.storage.format_version import check_format

_HEADER_KEY = "robustness"
_BLOCK_BYTES = 1 << 20
_BLOCKS = "blocks"
"""In the header, for each array by its name: its type, how many rows share a digest, and the digests."""
_DIGEST = "digest"
"""In the header: the digest of everything else in it, and of the arrays' shapes."""


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Write named arrays to a safetensors file, with `metadata` as JSON in its header; same input, same bytes."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    header: dict[str, Any] = {**metadata, _BLOCKS: {name: _blocks(array) for name, array in contiguous.items()}}
    header[_DIGEST] = _digest(header, {name: array.shape for name, array in contiguous.items()})
    with replacing(path) as temporary:
        # One key for all of it: safetensors writes several keys in random order.
        temporary.write_bytes(save(contiguous, metadata={_HEADER_KEY: json.dumps(header, sort_keys=True)}))


def read_tensors(path: Path, *names: str, rows: slice = slice(None)) -> list[NDArray[Any]]:
    """Read the named arrays of a safetensors file, restricted to consecutive `rows` of their first axis.

    Raises `UserError` when the file is missing, damaged, of a format that is not read, or lacks a name.
    """
    with _opened(path) as (tensors, header):
        present = set(tensors.keys())
        for name in names:
            if name not in present:
                raise UserError(
                    f"{path} has no '{name}' (it has {', '.join(sorted(present))}): delete it and run the "
                    "workflow again"
                )
        return [_rows(path, tensors.get_slice(name), rows, *header[_BLOCKS][name]) for name in names]


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata that `write_tensors` stored in a file's header; raises what `read_tensors` raises."""
    with _opened(path) as (_tensors, header):
        return {name: value for name, value in header.items() if name not in (_BLOCKS, _DIGEST)}


def content_digest(path: Path) -> str:
    """Return what identifies a file's arrays, from its header alone; raises what `read_tensors` raises.

    Where and with what the arrays were made does not matter.
    """
    with _opened(path) as (_tensors, header):
        return digests.digest_of_json(header[_BLOCKS])


def _blocks(array: NDArray[Any]) -> list[Any]:
    """Return an array's type, how many rows share a digest, and the digests.

    A block is about a megabyte: to read one row, a program reads the whole block.
    """
    rows = max(1, _BLOCK_BYTES * len(array) // array.nbytes) if array.nbytes else 1
    return [array.dtype.name, rows, _digests(array, rows)]


def _digests(array: NDArray[Any], rows: int) -> list[str]:
    """Return a digest for each `rows` rows of an array (N, …); none for an array without values."""
    if not array.nbytes:
        return []
    # As bytes first: a memoryview cannot be had of every type.
    flat = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    return [digests.digest(flat[start : start + rows].data) for start in range(0, len(array), rows)]


def _rows(path: Path, stored: Any, rows: slice, dtype: str, step: int, written: list[str]) -> NDArray[Any]:
    """Read rows of an array, after a check of the blocks that hold them: each has `step` rows."""
    length = stored.get_shape()[0]
    start, stop, _ = rows.indices(length)
    first, last = start // step, -(-stop // step)
    read: NDArray[Any] = stored[first * step : min(last * step, length)]
    digests.check(path, [read.dtype.name, *_digests(read, step)], [dtype, *written[first:last]], "data")
    return read[start - first * step : stop - first * step]


def _digest(header: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> str:
    known = {name: value for name, value in header.items() if name != _DIGEST}
    return digests.digest_of_json([known, {name: list(shape) for name, shape in shapes.items()}])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Open a file, and yield it with its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            header = dict(json.loads((tensors.metadata() or {}).get(_HEADER_KEY, "{}")))
            check_format(path, header.get("provenance"))
            shapes = {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
            digests.check(path, _digest(header, shapes), header.get(_DIGEST, ""), "header")
            yield tensors, header
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise digests.is_damaged(path, error) from None
