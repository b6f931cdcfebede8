"""Draw loss and accuracy over epochs, for each model of a dataset.

Reads one history per model and seed. `--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robustness.figures import style, training_curves
from robustness.storage.grouping import in_equal_parts
from robustness.storage.tables import read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the files that the figure is drawn from."""
    parser.add_argument("--histories", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.checked(options.spec)
    files = in_equal_parts(options.histories, [model["name"] for model in spec["models"]])
    histories = [(model, read_table(path)) for model, paths in files.items() for path in paths]
    return training_curves.training_curves(histories, spec)
