"""Draw the robust accuracy over the budget: one line per model, one panel per norm.

Reads the table of robust accuracies and the table of trust checks. `--spec`: dataset, models, architectures, footnote,
norms.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import robust_accuracy, style
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "robust_accuracy.csv", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec, "norms"), options.trust)
    rows = tables.read_rows(options.table, text=("model", "norm"))
    return robust_accuracy.robust_accuracy(rows, spec)
