"""Draw how much change turned images of each class into each other class, on one model.

Reads the table of the targeted attack and the table of trust checks. `--spec`: dataset, models, architectures,
footnote, model, required_confidence.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import heatmaps, style
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "targeted.csv", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec, "model", "required_confidence"), options.trust)
    rows = tables.read_rows(options.table, text=("model", "class", "target"))
    return heatmaps.targeted_matrix(rows, spec)
