"""Defines the identity of a file of results: the dataset, model, attack and seed that its header names.

For programs that write files. `storage.grouping` is for programs that read them, so that a change there trains no model
again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Identity:
    """What a file holds the results of; None where a field does not apply, as `attack` for weights."""

    dataset: str
    model: str | None = None
    attack: str | None = None
    seed: int | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Identity:
        """Return the identity that the options of `add_options` give."""
        given: dict[str, Any] = {field.name: getattr(options, field.name, None) for field in fields(cls)}
        return cls(**given)

    def header(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """Return the header of a file: its identity, and where it came from."""
        return {"identity": asdict(self), "provenance": provenance}

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value is not None)


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options for the fields of an `Identity` that apply to the files that a program writes."""
    for name in names:
        kind = int if name == "seed" else str
        parser.add_argument(f"--{name}", type=kind, required=True, help=f"the {name} to name in the files' headers")
