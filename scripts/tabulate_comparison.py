"""Tabulate how near our attacks come to the smallest change that a library's attacks find.

Reads the measures of our attacks and of the comparators on every model and seed; writes a CSV with one row per attack,
model and norm.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from robustness.analysis.comparison import comparison
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument(
        "--measures",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="attacks × models × seeds",
    )
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    methods = dict(spec["comparators"])
    pairs = list(product([*spec["attacks"], *methods], spec["models"]))
    seeds = len(options.measures) // len(pairs)
    tables = {
        pair: [read_records(path) for path in options.measures[index * seeds : (index + 1) * seeds]]
        for index, pair in enumerate(pairs)
    }
    ours = {pair: tables[pair] for pair in pairs if pair[0] in spec["attacks"]}
    theirs = {pair: tables[pair] for pair in pairs if pair[0] in methods}
    write_text(options.table, comparison(ours, theirs, methods).to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
