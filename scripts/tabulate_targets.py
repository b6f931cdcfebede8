"""Tabulate what it took to turn images of each class into each other class, on each of a dataset's models.

Reads the records of the targeted attack on every model and seed; writes a CSV with one row per model, true class,
target class and required confidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.analysis.targeted import targeted
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--records", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    models = options.spec["models"]
    seeds = len(options.records) // len(models)
    records = {
        model: [read_records(path) for path in options.records[place * seeds : (place + 1) * seeds]]
        for place, model in enumerate(models)
    }
    table = targeted(records, options.spec["classes"])
    table["required_confidence"] = table["required_confidence"].map(repr)
    write_text(options.table, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
