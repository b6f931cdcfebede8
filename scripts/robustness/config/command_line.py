"""Reads values that `--config` gives: Snakemake makes text of what is in a list or a mapping on the command line.

So `--config 'attacks={original: {confidence: 0.95}}'` sets a number, and `--config seeds=[0,1]` a list of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_given(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which the values that `--config` gave are numbers, null, true or false, if they can be.

    `config` has the values as text; `given` are the values of the command line alone. At the top level, where Snakemake
    reads numbers itself, only null is read.
    """
    return _laid_over(config, {name: None if value == "null" else _inside(value) for name, value in given.items()})


def _laid_over(config: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(config)
    for name, value in overlay.items():
        below = result.get(name)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[name] = _laid_over(below, value) if both else value  # type: ignore[arg-type]
    return result


_TEXT = ("classes", "example_classes", "target")
"""Keys of names of classes, which may be digits, whose quotes Snakemake has taken off."""


def _inside(value: Any) -> Any:
    """Return a value with the text in its lists and mappings read."""
    if isinstance(value, Mapping):
        kept = {name for name, inner in value.items() if name in _TEXT and inner != "null"}
        return {name: inner if name in kept else _each(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_each(inner) for inner in value]
    return value


def _each(inner: Any) -> Any:
    return _read(inner) if isinstance(inner, str) else _inside(inner)


def _read(text: str) -> Any:
    """Return what YAML makes of text, if it is a number, null, true or false; otherwise the text."""
    import yaml

    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return read if read is None or isinstance(read, bool | int | float) else text
