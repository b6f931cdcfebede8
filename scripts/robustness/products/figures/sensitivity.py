"""Draw each claim's verdict over the values of the attack's step α and the noise level σ.

Reads the table of sensitivity and the table of trust checks. `--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import sensitivity, style
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "sensitivity.csv", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec), options.trust)
    rows = tables.read_rows(options.table, text=("parameter", "asks", "unit"))
    return sensitivity.over_values(rows, spec)
