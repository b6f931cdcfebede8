"""Draw how long the jobs of a run took: one bar for each stage, with one part for each model.

Reads the table of times. `--spec`: datasets (name, title, models), architectures, footnote.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import run_time
from robustness.runtime import cli
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"table": "run_time.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    cli.settings(options.spec, "datasets", "architectures", "footnote")
    rows = tables.read_rows(options.table, text=("dataset", "rule", "model", "device"))
    return run_time.run_time_bars(rows, options.spec)
