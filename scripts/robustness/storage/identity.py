"""Defines the identity of a file of results: the dataset, model, attack and seed that its header names.

A header may also say, by digests, from which weights and test images the file was made: a file of an older run, or one
restored alone from a backup, has the right identity but does not belong.

For programs that write files. `storage.grouping` is for programs that read them, so that a change there trains no model
again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from robustness.errors import UserError
from robustness.storage.tensors import content_digest

AGAIN = "delete it and run the workflow again"
INPUTS = {"weights": "weights", "test": "test images"}
MADE_FROM = "made_from"
"""In a header: the digest of the content of each input, by its name (`weights`, `test`)."""


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

    def header(self, provenance: Mapping[str, Any], made_from: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the header of a file: identity, provenance, and the `contents` of the inputs that it was made from."""
        header = {"identity": asdict(self), "provenance": provenance}
        return header | {MADE_FROM: dict(made_from)} if made_from else header

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value is not None)


def contents(**inputs: Path) -> dict[str, str]:
    """Return the digest of the content of each safetensors file."""
    return {name: content_digest(path) for name, path in inputs.items()}


def check_inputs(path: Path, header: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    """Check that a file, whose header is given, was made from inputs with the `expected` contents.

    Raises `UserError` naming the file, and which input is another one, or that it does not say.
    """
    found = header.get(MADE_FROM, {})
    if not found:
        raise UserError(f"{path} does not say which weights and test images it was made from: {AGAIN}")
    for name, digest in expected.items():
        if found.get(name) != digest:
            raise UserError(f"{path} was made from other {INPUTS[name]} than those that are there now: {AGAIN}")


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options for the fields of an `Identity` that apply to the files that a program writes."""
    for name in names:
        kind = int if name == "seed" else str
        parser.add_argument(f"--{name}", type=kind, required=True, help=f"the {name} to name in the files' headers")
