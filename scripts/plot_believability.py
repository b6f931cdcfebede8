"""Draw what judges answer to each model's adversarial images, and to noise of the same size.

Reads the table of believability and the table of trust checks; writes the figure as SVG and PNG. `--spec`: dataset,
models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness import command
from robustness.figures import believability, inputs, style


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="believability.csv")
    style.add_trust(parser)
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.with_trust(style.checked(options.spec), options.trust)
    rows = inputs.read_rows(options.table, text=("model",))
    style.save(believability.judges_answers(rows, spec), options.svg, options.png)


if __name__ == "__main__":
    command.run(main, arguments())
