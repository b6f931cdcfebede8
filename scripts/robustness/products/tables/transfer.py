"""Tabulate which model's changes fool which other models, and into the same mistake or another.

Reads the transferred images and the measures of one attack on every model and seed. The table has one row per source
model, target model and norm.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.analysis.transfer import transfer
from robustness.storage.grouping import by_key, records_by_key
from robustness.storage.records import read_records


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the files that the table is made from."""
    parser.add_argument("--transferred", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    parser.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="the same")


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    models, confidence = options.spec["models"], options.spec["required_confidence"]
    censored = {}
    for model, paths in by_key(options.measures, models).items():
        measures = read_records(*paths)
        failed = measures["ended"].isin(["default_state", "cap"]) & (measures["required_confidence"] == confidence)
        censored[model] = int(failed.sum())
    table = transfer(records_by_key(options.transferred, models), censored)
    return table.to_csv(index=False, float_format="%.6g")
