"""Draw loss and accuracy over epochs, for each model of a dataset.

Reads one history per model and seed. `--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robustness.errors import UserError
from robustness.figures import style, training_curves
from robustness.storage import tables as inputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the files that the figure is drawn from."""
    parser.add_argument("--histories", type=Path, nargs="+", required=True, help="history.csv, one per model and seed")
    parser.add_argument("--models", nargs="+", required=True, help="the model of each history, in the same order")


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    if len(options.models) != len(options.histories):
        raise UserError(f"--histories has {len(options.histories)} files and --models {len(options.models)} names")
    spec = style.checked(options.spec)
    tables = [inputs.read_table(path) for path in options.histories]
    return training_curves.training_curves(list(zip(options.models, tables, strict=True)), spec)
