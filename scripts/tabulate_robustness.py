"""Tabulate how much change each attack needed on each of a dataset's models.

Reads the measures of every attack, model and seed; writes a CSV with one row per attack, model and
required confidence.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from robustness.analysis.accuracy_robustness import robustness
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument(
        "--measures", type=Path, nargs="+", required=True, metavar="FILE", help="attacks × models × seeds"
    )
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    pairs = list(product(spec["attacks"], spec["models"]))
    seeds = len(options.measures) // len(pairs)
    tables = {
        pair: [read_records(path) for path in options.measures[index * seeds : (index + 1) * seeds]]
        for index, pair in enumerate(pairs)
    }
    table = robustness(tables)
    # In full, since rows are found by it; the rest is rounded.
    table["required_confidence"] = table["required_confidence"].map(repr)
    write_text(options.table, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
