"""Write one page of the study: one HTML file that loads nothing else.

`write_page.py NAME OPTION…`; `robustness/products/pages/NAME.py` says what the page shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from robustness.runtime.cli import add_inputs, parser, run_named
from robustness.storage.atomic import write_text


def arguments(module: ModuleType) -> argparse.ArgumentParser:
    result = parser(module.__doc__)
    add_inputs(result, module.INPUTS)
    result.add_argument("--template", type=Path, required=True, metavar="FILE", help="in report/")
    result.add_argument("--page", type=Path, required=True, metavar="HTML")
    result.set_defaults(write=module.write)
    return result


def main(options: argparse.Namespace) -> None:
    write_text(options.page, options.write(options))


if __name__ == "__main__":
    run_named("robustness.products.pages", main, arguments)
