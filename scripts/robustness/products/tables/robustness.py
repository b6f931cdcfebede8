"""Tabulate how much change each attack needed on each of a dataset's models.

Reads the measures of every attack, model and seed. The table has one row per attack, model and required confidence.
"""

from __future__ import annotations

import argparse
from itertools import product

from robustness.analysis.accuracy_robustness import robustness
from robustness.storage.grouping import read_grouped

INPUTS = {"measures": ["attacks × models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    pairs = list(product(options.spec["attacks"], options.spec["models"]))
    table = robustness(read_grouped(options.measures, "attack", "model", expected=pairs))
    # With all digits, since rows are found by it; the other columns are rounded.
    table["required_confidence"] = table["required_confidence"].map(repr)
    return table.to_csv(index=False, float_format="%.6g")
