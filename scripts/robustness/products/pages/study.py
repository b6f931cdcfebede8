"""Write the study as one page for a browser: what was asked, done and found, with every table and figure.

Reads the template, report/*.rst, and the tables, figures, models' cards and records that `--spec` lists below the
folder of results. `--spec`: scale, seeds, command, config, papers_claims,
datasets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.pages.claims_page import guide
from robustness.pages.files import read
from robustness.pages.page import page
from robustness.runtime.cli import settings


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the folder that holds what the page shows."""
    parser.add_argument("--results", type=Path, required=True, metavar="FOLDER")


def write(options: argparse.Namespace) -> str:
    """Read the files and return the page as HTML."""
    settings(options.spec, "scale", "seeds", "command", "config", "papers_claims", "datasets")
    captions = options.template.parent
    material = read(options.results, options.spec, captions, captions.parent)
    return page(material, options.spec, options.template, guide(options.template, options.page))
