"""Draw the residual blocks, with the identity and with a convolution as shortcut (report, Fig. 3).

Reads the description of the traced architectures (JSON); writes the figure as SVG and PNG. `--spec`: dataset,
models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import style
from robustness.figures.networks import skip_connection
from robustness.runtime import cli
from robustness.storage import tables


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--architectures", type=Path, required=True, help="architectures.json")
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.checked(options.spec)
    described = tables.read_architectures(options.architectures)
    style.save(skip_connection.skip_connection(described, spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
