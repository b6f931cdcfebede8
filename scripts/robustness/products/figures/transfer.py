"""Draw whether the changes that fool one model fool another: models × models, at matched L∞ and L2.

Reads the table of transfer and the table of trust checks. `--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import heatmaps, style
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "transfer.csv", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec), options.trust)
    rows = tables.read_rows(options.table, text=("source", "target", "norm"))
    return heatmaps.transfer_matrices(rows, spec)
