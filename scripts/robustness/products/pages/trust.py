"""Write the page of a dataset's trust checks.

Reads the table of checks and the page's template. `--spec`: dataset, models, footnote, images, scale.
"""

from __future__ import annotations

import argparse

from robustness.pages.trust_page import trust_page
from robustness.runtime.cli import settings
from robustness.trust import questions

INPUTS = {"table": "trust.csv"}


def write(options: argparse.Namespace) -> str:
    """Read the table and return the page as HTML."""
    settings(options.spec, "dataset", "models", "footnote", "images", "scale")
    return trust_page(questions.read(options.table), options.spec, options.template)
