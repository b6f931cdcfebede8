"""Removes entries of a configuration that are null: an overlay says `resnet-clean: null` to be rid of what it inherits.

Snakemake lays an overlay over config.yaml key by key, so that a key can be replaced, but not left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from robustness.config.schema_problems import Key

REMOVABLE = (
    "sources.*",
    "architectures.*",
    "attacks.*",
    "datasets.*",
    "datasets.*.augmentation",
    "datasets.*.threat_models",
    "datasets.*.threat_models.*",
    "datasets.*.models.*",
    "datasets.*.models.*.*",
    "datasets.*.models.*.training.*",
    "sensitivity.*",
)
"""Places where null removes the key, with `*` for any name."""
MEANT = ("normalisation",)
"""Keys at such places whose null is a value of its own."""


def without_removed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without the entries that are null at `REMOVABLE` places."""
    return dict(_kept(config, ()))


def _kept(entry: Mapping[str, Any], key: Key) -> Iterator[tuple[str, Any]]:
    for name, value in entry.items():
        here = (*key, name)
        if value is None and name not in MEANT and _is_removable(here):
            continue
        yield name, dict(_kept(value, here)) if isinstance(value, Mapping) else value


def _is_removable(key: Key) -> bool:
    patterns = (pattern.split(".") for pattern in REMOVABLE)
    return any(
        len(pattern) == len(key) and all(part in ("*", own) for part, own in zip(pattern, key, strict=True))
        for pattern in patterns
    )
