"""Draw what it took to turn images of each class into each other class, on one model.

Reads the table of the targeted attack and the table of trust checks; writes the figure as SVG and PNG. `--spec`:
dataset, models, architectures, footnote, model, required_confidence.
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
    parser.add_argument("--table", type=Path, required=True, help="targeted.csv")
    style.add_trust(parser)
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.with_trust(style.checked(options.spec, "model", "required_confidence"), options.trust)
    rows = tables.read_rows(options.table, text=("model", "class", "target"))
    style.save(heatmaps.targeted_matrix(rows, spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
