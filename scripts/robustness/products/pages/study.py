"""Write the study as one page for a browser: what was asked, done and found, with every table and figure.

Reads the template, report/*.rst, and the tables, figures, models' cards and records that `--spec` lists below the
folder of results. `--spec`: scale, seeds, command, config, papers_claims,
datasets.
"""

from __future__ import annotations

import argparse

from robustness.pages.claims_page import guide
from robustness.pages.files import read
from robustness.pages.page import page
from robustness.runtime.cli import settings

INPUTS = {"results": "the folder of results"}


def write(options: argparse.Namespace) -> str:
    """Read the files and return the page as HTML."""
    settings(options.spec, "scale", "seeds", "command", "config", "papers_claims", "datasets")
    captions = options.template.parent
    material = read(options.results, options.spec, captions, captions.parent)
    return page(material, options.spec, options.template, guide(options.template, options.page))
