"""Write the table of claims as a page for a browser, also on a phone.

Reads the table and its template. `--spec`: scale, seeds, papers_claims, datasets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.pages.claims_page import guide, page
from robustness.storage.tables import read_table


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the table that the page shows."""
    parser.add_argument("--table", type=Path, required=True, metavar="CSV")


def write(options: argparse.Namespace) -> str:
    """Read the table and return the page as HTML."""
    return page(read_table(options.table), options.spec, options.template, guide(options.template, options.page))
