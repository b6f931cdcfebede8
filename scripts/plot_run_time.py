"""Draw how long the jobs of a run took: a bar for each stage, a part of it for each model.

Reads the table of times; writes the figure as SVG and PNG. `--spec`: datasets (name, title, models), architectures,
footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import run_time, style
from robustness.runtime import cli
from robustness.storage import tables


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="run_time.csv")
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    cli.settings(options.spec, "datasets", "architectures", "footnote")
    rows = tables.read_rows(options.table, text=("dataset", "rule", "model", "device"))
    style.save(run_time.run_time_bars(rows, options.spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
