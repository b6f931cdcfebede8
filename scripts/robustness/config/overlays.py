"""Lays overlays over config.yaml as Snakemake does, for programs that run without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from robustness.config.removals import without_removed
from robustness.config.validate import read_yaml


def merged(root: Path, overlays: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the config.yaml of the repository at `root` with `overlays` over it, without what they remove."""
    from snakemake.utils import update_config

    settings = read_yaml(root / "config.yaml")
    for overlay in overlays:
        update_config(settings, overlay)
    return without_removed(settings)
