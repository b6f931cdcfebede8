"""Tabulate how long the jobs of a run took, by rule, attack and model.

Reads the times that Snakemake wrote for each job (`benchmark:`), the jobs' logs and the models' cards. The table is
about everything computed so far: jobs that a later run did not repeat keep their times.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from robustness.benchmarking.job_times import COLUMNS, devices_of, run_times
from robustness.errors import UserError
from robustness.runtime.cli import settings


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the files that the table is made from."""
    parser.add_argument("--results", type=Path, required=True, metavar="FOLDER", help="with a folder for each dataset")


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    datasets, attacks, benchmarks = settings(options.spec, "datasets", "attacks", "benchmarks")
    rows = []
    for dataset, models in datasets:
        folder = options.results / dataset
        device = devices_of([path for name in models for path in sorted(folder.glob(f"models/{name}/*/model.json"))])
        rows += run_times(options.results, dataset, models, attacks, benchmarks, device)
    if not rows:
        raise UserError(f"{options.results} holds no times of jobs: run the workflow first")
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()} for row in rows
    )
    return table.getvalue()
