"""Draw what judges see in each model's adversarial images, and in noise of the same size.

Reads the table of believability and the table of trust checks. `--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import believability, style
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "believability.csv", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec), options.trust)
    rows = tables.read_rows(options.table, text=("model",))
    return believability.judges_answers(rows, spec)
