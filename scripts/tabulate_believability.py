"""Tabulate how often judges see the new class in each model's adversarial images, and in noise of the same size.

Reads the judges' answers and the measures of one attack on every model and seed; writes a CSV with one row per model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.analysis.believability import believability
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--judged", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="the same")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    models = options.spec["models"]
    seeds = len(options.judged) // len(models)
    judged, measures = (
        {
            model: [read_records(path) for path in paths[place * seeds : (place + 1) * seeds]]
            for place, model in enumerate(models)
        }
        for paths in (options.judged, options.measures)
    )
    table = believability(judged, measures, options.spec["required_confidence"])
    write_text(options.table, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
