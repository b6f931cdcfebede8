"""Join the verdicts at all swept values of a dataset into one table.

Reads a table of verdicts for each value. The table has one row per parameter, claim and value. `--spec`: configured
(for each parameter, the value that everything else is computed with).
"""

from __future__ import annotations

import argparse

from robustness.claims.sensitivity import over_values
from robustness.runtime.cli import settings
from robustness.storage.tables import read_table

INPUTS = {"verdicts": ["one for each value"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    (configured,) = settings(options.spec, "configured")
    table = over_values([read_table(path) for path in options.verdicts], configured)
    return table.to_csv(index=False, float_format="%.6g")
