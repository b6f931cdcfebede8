"""Tabulate which model's changes fool which other models, and into the same mistake or another.

Reads the transferred images and the measures of one attack on every model and seed; writes a CSV with one row per
source model, target model and norm.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.analysis.transfer import transfer
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--transferred", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="the same")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    models, confidence = options.spec["models"], options.spec["required_confidence"]
    seeds = len(options.transferred) // len(models)
    transferred, censored = {}, {}
    for place, model in enumerate(models):
        of_model = slice(place * seeds, (place + 1) * seeds)
        transferred[model] = [read_records(path) for path in options.transferred[of_model]]
        measures = read_records(*options.measures[of_model])
        failed = measures["ended"].isin(["default_state", "cap"]) & (measures["required_confidence"] == confidence)
        censored[model] = int(failed.sum())
    table = transfer(transferred, censored)
    write_text(options.table, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
