"""Which of several files belong together, by the order in which they are listed; and the records in them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from robustness.errors import UserError
from robustness.storage.records import read_records

if TYPE_CHECKING:
    import pandas

Key = TypeVar("Key", bound=Hashable)


def by_key(paths: Sequence[Path], keys: Sequence[Key]) -> dict[Key, list[Path]]:
    """Return the files of each key (a model, or an attack and a model): as many for each as there are seeds, or shards.

    `paths` are listed key by key. Raises `UserError` where they cannot be shared equally.
    """
    count, rest = divmod(len(paths), max(1, len(keys)))
    if rest or (paths and not keys):
        raise UserError(f"{len(paths)} files cannot be shared equally among {len(keys)}: list as many for each")
    return {key: list(paths[place * count : (place + 1) * count]) for place, key in enumerate(keys)}


def records_by_key(paths: Sequence[Path], keys: Sequence[Key]) -> dict[Key, list[pandas.DataFrame]]:
    """Return the records of each key: a table for each of its files (`by_key`)."""
    return {key: [read_records(path) for path in files] for key, files in by_key(paths, keys).items()}
