"""Draw a bar chart of robustness, one bar per model with its interval (report, Fig. 6, 7, 12, 13).

Reads the tables of robustness and of trust checks; writes the figure as SVG and PNG. `--spec`: dataset, models,
architectures, footnote, attack, required_confidence, measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import bars, style
from robustness.runtime import cli
from robustness.storage import tables


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="robustness.csv")
    style.add_trust(parser)
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.with_trust(style.checked(options.spec, "attack", "required_confidence", "measure"), options.trust)
    rows = tables.read_rows(options.table, text=("attack", "model"))
    style.save(bars.robustness_bars(rows, spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
