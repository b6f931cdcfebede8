"""Groups files of results by what their headers say, never by their place in a list.

A list that is cut by its length loses files in silence, and a list in another order swaps models. Reads headers, and
the image numbers of shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robustness.errors import UserError
from robustness.storage.atomic import read_json
from robustness.storage.identity import AGAIN, INPUTS, MADE_FROM, Identity, check_inputs
from robustness.storage.records import read_columns, read_header, read_records
from robustness.storage.tensors import read_metadata, read_tensors
from robustness.text import listed

if TYPE_CHECKING:
    import pandas


def identity_of(path: Path) -> Identity:
    """Read from a Parquet, safetensors or JSON file's header what it holds the results of.

    Raises `UserError` when the file is missing or damaged, or does not say.
    """
    return _identity(path, _header(path))


def common_identity(paths: Sequence[Path]) -> Identity:
    """Return the identity that all files share.

    Raises `UserError` naming the first file with another one, or the first that was made from other inputs.
    """
    headers = {path: _header(path) for path in paths}
    first = _identity(paths[0], headers[paths[0]])
    for path, header in headers.items():
        if (found := _identity(path, header)) != first:
            raise UserError(f"{path} holds {found}, but {paths[0]} holds {first}: give files of only one of them")
    _check_alike(headers)
    return first


def made_from(path: Path) -> dict[str, str]:
    """Read from a file's header the digests of the inputs that it was made from, by their names.

    Raises `UserError` when the file is missing or damaged, or does not say.
    """
    header = _header(path)
    check_inputs(path, header, {})
    found: dict[str, str] = header[MADE_FROM]
    return found


def check_made_from(expected: Mapping[str, str], *paths: Path) -> None:
    """Check that files were made from inputs with the `expected` contents; raise `UserError` naming a file if not."""
    for path in paths:
        check_inputs(path, _header(path), expected)


def check_alike(paths: Iterable[Path]) -> None:
    """Check that the files of a dataset were made from the same test images, and those of a network from one network.

    Files that are made from neither (weights, examples) are passed over. Raises `UserError` naming two files that were
    made from different ones.
    """
    _check_alike({path: _header(path) for path in paths})


def _check_alike(headers: Mapping[Path, Mapping[str, Any]]) -> None:
    first: dict[tuple[str, Identity], tuple[str, Path]] = {}
    for path, header in headers.items():
        identity = _identity(path, header)
        owners = {"test": Identity(identity.dataset), "weights": replace(identity, attack=None)}
        for name, digest in header.get(MADE_FROM, {}).items():
            other, before = first.setdefault((name, owners[name]), (digest, path))
            if other != digest:
                raise UserError(
                    f"{before} and {path} were made from different {INPUTS[name]} of {owners[name]}: delete both and "
                    "run the workflow again"
                )


def grouped(paths: Sequence[Path], *names: str, expected: Iterable[Any], shards: bool = False) -> dict[Any, list[Path]]:
    """Return the files of each of the `expected` keys, in the order of the keys, whatever the order of `paths`.

    A key is the tuple of the values that a file's identity has for `names`, or the one value where there is one name.
    The files of a key differ in the other fields (most often in the seed), or with `shards` in their range of images.
    Each key has a file for the same values of these fields, each once, in the order in which `paths` first has them, so
    that the files of two keys at the same place belong together.

    Raises `UserError` naming a file that is given twice or not expected, or a key and what it lacks, and what
    `check_alike` raises.
    """
    wanted = list(expected)
    found: dict[Any, dict[str, Path]] = {_plain(key): {} for key in wanted}
    order: dict[str, None] = {}
    headers = {path: _header(path) for path in paths}
    for path in paths:
        identity = _identity(path, headers[path])
        values = asdict(identity)
        key = _plain([values.pop(name) for name in names])
        if key not in found:
            expectation = "; ".join(_in_words(names, each) for each in found) or "no file at all"
            raise UserError(f"{path} holds {identity}, which is not expected here: expected is {expectation}")
        other = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
        if shards:
            other += " images {} to {}".format(*_first_and_last_image(path))
        if other in found[key]:
            raise UserError(f"{path} holds {identity}, as {found[key][other]} does: give each file once")
        found[key][other] = path
        order[other] = None
    _check_alike(headers)
    for key, files in found.items():
        lacking = [other for other in order if other not in files]
        if lacking or not files:
            one = ", ".join([_in_words(names, key), *lacking[:1]])
            raise UserError(f"no file of {one} is given: run the workflow again, or give the files of all")
    return {key: [found[key][other] for other in order] for key in found}


def one_for_each(paths: Sequence[Path], *names: str, expected: Iterable[Any]) -> dict[Any, Path]:
    """Group files as `grouped` does, where each key has one file; raises `UserError` also where one has several."""
    chosen = {}
    for key, (path, *more) in grouped(paths, *names, expected=expected).items():
        if more:
            raise UserError(f"{path} and {more[0]} both hold {_in_words(names, key)}: give one of them")
        chosen[key] = path
    return chosen


def read_grouped(paths: Sequence[Path], *names: str, expected: Iterable[Any]) -> dict[Any, list[pandas.DataFrame]]:
    """Read the records in the files of each key: a table for each file of `grouped`."""
    files_of = grouped(paths, *names, expected=expected)
    return {key: [read_records(path) for path in files] for key, files in files_of.items()}


def check_rows(records: Path, *images: Path) -> None:
    """Check that records belong to the images of one or more shards, row by row; raise `UserError` if not."""
    common_identity([records, *images])
    names = ("image", "required_confidence")
    shards = [read_tensors(path, *names) for path in images]
    for place, of_records in enumerate(read_columns(records, *names)):
        if not np.array_equal(of_records, np.concatenate([shard[place] for shard in shards])):
            raise UserError(
                f"{records} and {listed([str(path) for path in images])} hold other images, or these in another order: "
                "delete them and run the workflow again"
            )


def _identity(path: Path, header: Mapping[str, Any]) -> Identity:
    try:
        return Identity(**header["identity"])
    except (KeyError, TypeError):
        raise UserError(f"{path} does not say which dataset and model it belongs to: {AGAIN}") from None


def _header(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        header: dict[str, Any] = read_json(path)
        return header
    return read_header(path) if _is_parquet(path) else read_metadata(path)


def _plain(key: Any) -> Any:
    """Return a key as a tuple, or its one value."""
    if isinstance(key, str | int):
        return key
    return tuple(key) if len(key) > 1 else key[0]


def _in_words(names: Sequence[str], key: Any) -> str:
    values = key if isinstance(key, tuple) else (key,)
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _first_and_last_image(path: Path) -> tuple[int, int]:
    (image,) = read_columns(path, "image") if _is_parquet(path) else read_tensors(path, "image")
    return int(image.min()), int(image.max())


def _is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
