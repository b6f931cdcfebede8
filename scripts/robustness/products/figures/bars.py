"""Draw a bar chart of robustness: one bar per model, with its interval (paper, Fig. 6, 7, 12, 13).

Reads the tables of robustness and of trust checks. `--spec`: dataset, models, architectures, footnote, attack,
required_confidence, measure.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import bars, style
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "robustness.csv", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec, "attack", "required_confidence", "measure"), options.trust)
    rows = tables.read_rows(options.table, text=("attack", "model"))
    return bars.robustness_bars(rows, spec)
