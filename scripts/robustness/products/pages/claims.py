"""Write the table of claims as a page for a browser, also on a phone.

Reads the table and its template. `--spec`: scale, seeds, papers_claims, datasets.
"""

from __future__ import annotations

import argparse

from robustness.pages.claims_page import guide, page
from robustness.storage.tables import read_table

INPUTS = {"table": "claims.csv"}


def write(options: argparse.Namespace) -> str:
    """Read the table and return the page as HTML."""
    return page(read_table(options.table), options.spec, options.template, guide(options.template, options.page))
