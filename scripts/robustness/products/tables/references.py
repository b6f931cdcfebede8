"""Tabulate what others measured on undefended models next to what our attacks needed.

Reads the measures of every untargeted attack of ours on every clean model and seed. The table has a row per reference,
model and attack. `--spec`: dataset, attacks, models (each with name and architecture).
"""

from __future__ import annotations

import argparse
from itertools import product

from robustness.analysis.references import beside, references_of
from robustness.runtime.cli import settings
from robustness.storage.grouping import read_grouped

INPUTS = {"measures": ["attacks × clean models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    dataset, attacks, models = settings(options.spec, "dataset", "attacks", "models")
    pairs = list(product(attacks, [model["name"] for model in models]))
    measures = read_grouped(options.measures, "attack", "model", expected=pairs)
    table = beside(references_of(dataset), models, measures)
    return table.to_csv(index=False, float_format="%.6g")
