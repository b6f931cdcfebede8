"""Tabulate how often judges see the new class in each model's adversarial images, and in noise of the same size.

Reads the judges' answers and the measures of one attack on every model and seed. The table has one row per model.
"""

from __future__ import annotations

import argparse

from robustness.analysis.believability import believability
from robustness.storage.grouping import check_alike, read_grouped

INPUTS = {"judged": ["models × seeds"], "measures": ["the same"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    models = options.spec["models"]
    check_alike([*options.judged, *options.measures])
    judged, measures = (read_grouped(paths, "model", expected=models) for paths in (options.judged, options.measures))
    table = believability(judged, measures, options.spec["required_confidence"])
    return table.to_csv(index=False, float_format="%.6g")
