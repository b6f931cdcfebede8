"""Write the page of a dataset's trust checks.

Reads the table of checks and the page's template; writes one HTML file that needs no other. `--spec`: dataset, models,
footnote, images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.report.trust_page import trust_page
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text
from robustness.trust import questions


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--template", type=Path, required=True, metavar="FILE", help="report/trust.html.j2")
    result.add_argument("--page", type=Path, required=True, metavar="HTML")
    return result


def main(options: argparse.Namespace) -> None:
    settings(options.spec, "dataset", "models", "footnote", "images")
    write_text(options.page, trust_page(questions.read(options.table), options.spec, options.template))


if __name__ == "__main__":
    run(main, arguments())
