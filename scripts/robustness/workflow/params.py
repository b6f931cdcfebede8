"""Turns settings into params of a rule, which Snakemake compares with the params of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol


class Wildcards(Protocol):
    """What functions read of a job's wildcards; no rule has all of them."""

    dataset: str
    model: str
    attack: str
    seed: str
    start: str
    stop: str
    label: str
    measure: str
    curves: str
    parameter: str
    value: str


class Untracked:
    """A param that is a word of the command line; Snakemake does not compare it, since it is not a plain value."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __str__(self) -> str:
        return self.word


def as_param(spec: Mapping[str, Any] | list[Any]) -> str:
    """Return a spec as one string: Snakemake compares params as a set, in which swapped values look equal."""
    return json.dumps(spec, sort_keys=True)
