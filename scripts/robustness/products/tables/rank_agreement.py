"""Tabulate whether two confidence levels, or two measures of change, rank a dataset's models alike.

Reads the measures of one attack on every model and seed. The table has one row for each pair that is compared.
"""

from __future__ import annotations

import argparse

from robustness.analysis.rank_correlation import rank_agreement
from robustness.storage.grouping import read_grouped

INPUTS = {"measures": ["models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    tables = read_grouped(options.measures, "model", expected=options.spec["models"])
    return rank_agreement(tables).to_csv(index=False, float_format="%.4g")
