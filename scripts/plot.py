"""Draw one figure of the study, as SVG and PNG.

`plot.py NAME OPTION…`; `robustness/products/figures/NAME.py` says what the figure shows and from which files.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from robustness.figures import style
from robustness.runtime.cli import add_inputs, parser, run_named


def arguments(module: ModuleType) -> argparse.ArgumentParser:
    result = parser(module.__doc__)
    add_inputs(result, module.INPUTS)
    result.add_argument("--svg", type=Path, required=True, help="vector figure to write")
    result.add_argument("--png", type=Path, required=True, help="the same figure as pixels")
    result.set_defaults(draw=module.draw)
    return result


def main(options: argparse.Namespace) -> None:
    style.save(options.draw(options), options.svg, options.png)


if __name__ == "__main__":
    run_named("robustness.products.figures", main, arguments)
