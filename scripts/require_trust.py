"""Fail where a trust check failed, with a sentence that names the models and the checks.

Reads the table of checks; writes a file that says that all have passed, or nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.errors import UserError
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text
from robustness.trust import questions


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--page", type=Path, required=True, metavar="HTML", help="named in the error, not read")
    result.add_argument("--passed", type=Path, required=True, metavar="FILE", help="written if all checks passed")
    return result


def main(options: argparse.Namespace) -> None:
    (dataset,) = settings(options.spec, "dataset")
    table = questions.read(options.table)
    if failed := questions.failures(table):
        models = "; ".join(f"{model} ({words})" for model, words in failed.items())
        raise UserError(f"{dataset} is not trustworthy: {models}. {options.page} says why, and what to do")
    write_text(options.passed, f"All {len(table)} trust checks of {dataset} passed.\n")


if __name__ == "__main__":
    run(main, arguments())
