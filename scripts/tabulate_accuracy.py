"""Tabulate the test accuracy of a dataset's models beside the report's figures (its Tables 1 and 2).

Reads the predictions of every model and seed; writes a CSV with one row per model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.analysis.accuracy_robustness import accuracy
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--predictions", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    published = options.spec["published_accuracy"]
    seeds = len(options.predictions) // len(published)
    tables = {
        model: [read_records(path) for path in options.predictions[index * seeds : (index + 1) * seeds]]
        for index, model in enumerate(options.spec["models"])
    }
    write_text(options.table, accuracy(tables, published).to_csv(index=False, float_format="%.4f"))


if __name__ == "__main__":
    run(main, arguments())
