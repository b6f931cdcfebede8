"""Tabulate how much change turned images of each class into each other class, on each of a dataset's models.

Reads the records of the targeted attack on every model and seed. The table has one row per model, true class, target
class and required confidence.
"""

from __future__ import annotations

import argparse

from robustness.analysis.targeted import targeted
from robustness.storage.grouping import read_grouped

INPUTS = {"records": ["models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    records = read_grouped(options.records, "model", expected=options.spec["models"])
    table = targeted(records, options.spec["classes"])
    table["required_confidence"] = table["required_confidence"].map(repr)
    return table.to_csv(index=False, float_format="%.6g")
