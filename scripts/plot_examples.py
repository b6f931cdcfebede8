"""Draw attacked examples of one class: the original and each model's result with its guess (report, Fig. 4, 5, 8, 10).

Reads the file of examples and the table of trust checks; writes the figure as SVG and PNG. `--spec`: dataset, models,
architectures, footnote, class.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import images, style
from robustness.runtime import cli


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--examples", type=Path, required=True, help="safetensors file of attacked examples")
    style.add_trust(parser)
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.with_trust(style.checked(options.spec, "class"), options.trust)
    style.save(images.examples(images.read_examples(options.examples), spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
