"""Tabulate which model's changes fool which other models, and whether into the same mistake or another.

Reads the transferred images and the measures of one attack on every model and seed. The table has one row per source
model, target model and norm.
"""

from __future__ import annotations

import argparse

from robustness.analysis.transfer import transfer
from robustness.outcome import CENSORED
from robustness.storage.grouping import check_alike, read_grouped
from robustness.storage.levels import at_level

INPUTS = {"transferred": ["models × seeds"], "measures": ["the same"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    models, confidence = options.spec["models"], options.spec["required_confidence"]
    check_alike([*options.measures, *options.transferred])
    measures = read_grouped(options.measures, "model", expected=models)
    censored = {
        model: sum(int(at_level(table, confidence)["ended"].isin(CENSORED).sum()) for table in tables)
        for model, tables in measures.items()
    }
    table = transfer(read_grouped(options.transferred, "model", expected=models), censored)
    return table.to_csv(index=False, float_format="%.6g")
