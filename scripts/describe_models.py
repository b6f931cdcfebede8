"""Describe a dataset's models without training them.

Writes a table (model, parameters, layers, skip_connections, gflops per image) and, for the architecture figures, every
architecture's operations as JSON. The paper's networks are built on torch's `meta` device, so even the largest takes no
memory; the user's own are built normally, since their code may not support that device.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from robustness.models.architectures import build
from robustness.models.describe import operations, summarise
from robustness.models.image_shape import ImageShape
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_json, write_text
from robustness.storage.identity import Identity, add_options
from robustness.storage.provenance import stamp
from robustness.storage.tables import as_csv


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--architectures", type=Path, required=True, metavar="JSON")
    add_options(result, "dataset")
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    image = ImageShape(*spec["image"])
    described: dict[str, dict[str, Any]] = {}
    for name, architecture in spec["architectures"].items():
        with torch.device("meta") if architecture["family"] != "factory" else nullcontext():
            model = build(architecture, image, spec["classes"])
        described[name] = {
            "title": architecture["title"],
            "family": architecture["family"],
            **asdict(summarise(model, image)),
            "operations": operations(model, image),
        }
    columns = ("parameters", "layers", "skip_connections", "gflops")
    rows = [
        {"model": model, "architecture": name, **{column: described[name][column] for column in columns}}
        for model, name in spec["models"]
    ]
    write_text(options.table, as_csv(rows))
    write_json(options.architectures, {"architectures": described} | Identity.of(options).header(stamp(spec)))


if __name__ == "__main__":
    run(main, arguments())
