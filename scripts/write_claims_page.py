"""Write the table of the report's claims as a page that can be read in a browser, on a phone too.

Reads the table and a Jinja template; writes one HTML file that needs nothing else. `--spec`: scale, seeds, datasets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.report.claims_page import page
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.tables import read_table


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--template", type=Path, required=True, metavar="FILE", help="report/claims.html.j2")
    result.add_argument("--page", type=Path, required=True, metavar="HTML")
    return result


def main(options: argparse.Namespace) -> None:
    write_text(options.page, page(read_table(options.table), options.spec, options.template))


if __name__ == "__main__":
    run(main, arguments())
