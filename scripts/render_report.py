"""Write the study as one page for a browser: what was asked, done and found, with every table and figure.

Reads the tables, figures, models' cards and records that `--spec` lists below the folder of results, report/*.rst and
the template; writes one HTML file that needs nothing else. `--spec`: scale, seeds, command, config, claims, datasets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.report.files import read
from robustness.report.page import page
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--results", type=Path, required=True, metavar="FOLDER")
    result.add_argument("--template", type=Path, required=True, metavar="FILE", help="report/study.html.j2")
    result.add_argument("--page", type=Path, required=True, metavar="HTML")
    return result


def main(options: argparse.Namespace) -> None:
    settings(options.spec, "scale", "seeds", "command", "config", "claims", "datasets")
    captions = options.template.parent
    material = read(options.results, options.spec, captions, captions.parent)
    write_text(options.page, page(material, options.spec, options.template))


if __name__ == "__main__":
    run(main, arguments())
