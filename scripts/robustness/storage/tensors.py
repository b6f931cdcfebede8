"""Reads and writes the one format for tensors: safetensors, with provenance in the header.

Uses NumPy, so that scripts that do not need torch do not import it. Files are memory-mapped, so that a shard reads only
its rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.errors import UserError
from robustness.storage.atomic import replacing
from robustness.storage.format_version import check_format

_HEADER_KEY = "robustness"


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Write named arrays to a safetensors file, with `metadata` as JSON in its header; same input, same bytes."""
    from safetensors.numpy import save

    # One key for all of it: safetensors writes several keys in random order.
    header = {_HEADER_KEY: json.dumps(dict(metadata), sort_keys=True)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(contiguous, metadata=header))


def read_tensors(path: Path, *names: str, rows: slice = slice(None)) -> list[NDArray[Any]]:
    """Read the named arrays of a safetensors file, restricted to `rows` of their first axis.

    Raises `UserError` when the file is missing, damaged, of a format that is not read, or lacks a name.
    """
    with _opened(path) as tensors:
        present = set(tensors.keys())
        for name in names:
            if name not in present:
                raise UserError(
                    f"{path} has no '{name}' (it has {', '.join(sorted(present))}): delete it and run the "
                    "workflow again"
                )
        return [tensors.get_slice(name)[rows] for name in names]


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata that `write_tensors` stored in a file's header."""
    with _opened(path) as tensors:
        return _header(tensors)


def _header(tensors: Any) -> dict[str, Any]:
    return dict(json.loads((tensors.metadata() or {}).get(_HEADER_KEY, "{}")))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            check_format(path, _header(tensors).get("provenance"))
            yield tensors
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the workflow again") from None
