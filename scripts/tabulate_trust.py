"""Put the trust checks of a dataset's models into one table.

Reads the checks of every model and seed, in order; writes a CSV with one row per model, seed and check.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.trust import questions


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--checks", type=Path, nargs="+", required=True, metavar="CSV", help="models × seeds")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    write_text(options.table, questions.as_csv([row for path in options.checks for row in questions.read(path)]))


if __name__ == "__main__":
    run(main, arguments())
