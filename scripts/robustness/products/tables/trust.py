"""Join the trust checks of a dataset's models into one table.

Reads the checks of every model and seed, in order. The table has one row per model, seed and check.
"""

from __future__ import annotations

import argparse

from robustness.trust import questions

INPUTS = {"checks": ["models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    return questions.as_csv([row for path in options.checks for row in questions.read(path)])
