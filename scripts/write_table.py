"""Write one table of the study, as CSV.

`write_table.py NAME OPTION…`; `robustness/products/tables/NAME.py` says what the table holds and from which files.
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
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.set_defaults(tabulate=module.tabulate)
    return result


def main(options: argparse.Namespace) -> None:
    write_text(options.table, options.tabulate(options))


if __name__ == "__main__":
    run_named("robustness.products.tables", main, arguments)
