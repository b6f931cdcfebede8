"""Tabulate how close our attacks come to the smallest change that a library's attacks find.

Reads the measures of our attacks and of the comparators on every model and seed. The table has one row per attack,
model and norm.
"""

from __future__ import annotations

import argparse
from itertools import product

from robustness.analysis.comparison import comparison
from robustness.storage.grouping import read_grouped

INPUTS = {"measures": ["attacks × models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    spec = options.spec
    methods = dict(spec["comparators"])
    pairs = list(product([*spec["attacks"], *methods], spec["models"]))
    tables = read_grouped(options.measures, "attack", "model", expected=pairs)
    ours = {pair: tables[pair] for pair in pairs if pair[0] in spec["attacks"]}
    theirs = {pair: tables[pair] for pair in pairs if pair[0] in methods}
    return comparison(ours, theirs, methods).to_csv(index=False, float_format="%.6g")
