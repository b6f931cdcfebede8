"""Draw robustness curves: the share of attacked images that a change of at most so much fools, a line per model.

Reads the measures of one attack on every model and seed and the table of trust checks; writes the figure as SVG and
PNG. `--spec`: dataset, models, architectures, footnote, panels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import robustness_curves, style
from robustness.runtime import cli
from robustness.storage.records import read_columns


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    style.add_trust(parser)
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.with_trust(style.checked(options.spec, "panels"), options.trust)
    seeds = len(options.measures) // len(spec["models"])
    names = ["image", "ended", "required_confidence", *dict.fromkeys(panel["measure"] for panel in spec["panels"])]
    tables = {
        model["name"]: [
            dict(zip(names, read_columns(path, *names), strict=True))
            for path in options.measures[index * seeds : (index + 1) * seeds]
        ]
        for index, model in enumerate(spec["models"])
    }
    style.save(robustness_curves.robustness_curves(tables, spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
