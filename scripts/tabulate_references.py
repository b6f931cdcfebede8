"""Put what others measured on undefended models beside what our attacks needed.

Reads the measures of attacks, clean models and seeds; writes a CSV with a row per reference, model and attack of ours.
`--spec`: dataset, attacks, comparators (those of the attacks that are not ours, with their method), models (each with
name and architecture).
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from robustness.analysis.references import beside, references_of
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument(
        "--measures", type=Path, nargs="+", required=True, metavar="FILE", help="attacks × clean models × seeds"
    )
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    dataset, attacks, comparators, models = settings(options.spec, "dataset", "attacks", "comparators", "models")
    pairs = list(product(attacks, [model["name"] for model in models]))
    seeds = len(options.measures) // len(pairs)
    measures = {
        pair: [read_records(path) for path in options.measures[index * seeds : (index + 1) * seeds]]
        for index, pair in enumerate(pairs)
    }
    table = beside(references_of(dataset), models, measures, comparators)
    write_text(options.table, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
