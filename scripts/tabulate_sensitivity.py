"""Put the verdicts at all swept values of a dataset into one table.

Reads a table of verdicts for each value; writes a CSV with one row per parameter, claim and value. `--spec`: configured
(the value of each parameter that everything else is computed with).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.claims.sensitivity import over_values
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text
from robustness.storage.tables import read_table


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--verdicts", type=Path, nargs="+", required=True, metavar="CSV", help="one for each value")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    (configured,) = settings(options.spec, "configured")
    table = over_values([read_table(path) for path in options.verdicts], configured)
    write_text(options.table, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
