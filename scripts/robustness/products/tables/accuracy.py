"""Tabulate the test accuracy of a dataset's models next to the paper's numbers (its Tables 1 and 2).

Reads the predictions of every model and seed. The table has one row per model.
"""

from __future__ import annotations

import argparse

from robustness.analysis.accuracy_robustness import accuracy
from robustness.storage.grouping import read_grouped

INPUTS = {"predictions": ["models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    published = options.spec["published_accuracy"]
    predictions = read_grouped(options.predictions, "model", expected=options.spec["models"])
    return accuracy(predictions, published).to_csv(index=False, float_format="%.4f")
