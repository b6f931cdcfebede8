"""Draw whether what fools one model fools another, models × models at matched L∞ and L2.

Reads the table of transfer and the table of trust checks; writes the figure as SVG and PNG. `--spec`: dataset, models,
architectures, footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import heatmaps, style
from robustness.runtime import cli
from robustness.storage import tables


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="transfer.csv")
    style.add_trust(parser)
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.with_trust(style.checked(options.spec), options.trust)
    rows = tables.read_rows(options.table, text=("source", "target", "norm"))
    style.save(heatmaps.transfer_matrices(rows, spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
