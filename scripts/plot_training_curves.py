"""Draw loss and accuracy over epochs, for each model of a dataset.

Reads one history per model and seed; writes the figure as SVG and PNG. `--spec`: dataset, models, architectures,
footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.errors import UserError
from robustness.figures import style, training_curves
from robustness.runtime import cli
from robustness.storage import tables as inputs


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--histories", type=Path, nargs="+", required=True, help="history.csv, one per model and seed")
    parser.add_argument("--models", nargs="+", required=True, help="the model of each history, in the same order")
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    if len(options.models) != len(options.histories):
        raise UserError(f"--histories has {len(options.histories)} files and --models {len(options.models)} names")
    spec = style.checked(options.spec)
    tables = [inputs.read_table(path) for path in options.histories]
    figure = training_curves.training_curves(list(zip(options.models, tables, strict=True)), spec)
    style.save(figure, options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
