"""Tabulate how long the jobs of a run took, by rule, attack and model.

Reads the times that Snakemake wrote for each job (`benchmark:`), what jobs wrote next to their logs, and the models'
cards. The table is about everything computed so far: jobs that a later run did not repeat keep their times.
"""

from __future__ import annotations

import argparse

from robustness.benchmarking.job_times import devices_of, run_times
from robustness.errors import UserError
from robustness.runtime.cli import settings
from robustness.storage.tables import as_csv

INPUTS = {"results": "with a folder for each dataset"}


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
    return as_csv(rows)
