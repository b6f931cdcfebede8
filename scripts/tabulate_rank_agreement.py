"""Tabulate whether confidence levels, and measures of change, rank a dataset's models alike.

Reads the measures of one attack on every model and seed; writes a CSV with one row for each two that are compared.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.analysis.rank_correlation import rank_agreement
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    models = options.spec["models"]
    seeds = len(options.measures) // len(models)
    tables = {
        model: [read_records(path) for path in options.measures[index * seeds : (index + 1) * seeds]]
        for index, model in enumerate(models)
    }
    write_text(options.table, rank_agreement(tables).to_csv(index=False, float_format="%.4g"))


if __name__ == "__main__":
    run(main, arguments())
