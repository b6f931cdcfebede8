"""Tabulate the robust accuracy of a dataset's models: the share of images that AutoAttack and our attacks do not fool.

Reads AutoAttack's records of every model, seed and range of images, and the measures of each of our attacks on every
model and seed. The table has one row per model, norm and budget.
"""

from __future__ import annotations

import argparse
from itertools import product

import pandas

from robustness.analysis.robust_accuracy import robust_accuracy
from robustness.storage.grouping import check_alike, grouped, identity_of, read_grouped
from robustness.storage.records import read_records

INPUTS = {"bounds": ["models × seeds × ranges"], "measures": ["attacks × models × seeds"]}


def tabulate(options: argparse.Namespace) -> str:
    """Read the files and return the table as CSV."""
    spec = options.spec
    check_alike([*options.bounds, *options.measures])
    seeds = list(dict.fromkeys(identity_of(path).seed for path in options.bounds))
    networks = list(product(spec["models"], seeds))
    shards = grouped(options.bounds, "model", "seed", expected=networks, shards=True)
    found = {
        model: [pandas.concat([read_records(path) for path in shards[model, seed]]) for seed in seeds]
        for model in spec["models"]
    }
    triples = [(attack, *network) for attack in spec["attacks"] for network in networks]
    measures = read_grouped(options.measures, "attack", "model", "seed", expected=triples)
    ours = {
        model: [[table for attack in spec["attacks"] for table in measures[attack, model, seed]] for seed in seeds]
        for model in spec["models"]
    }
    table = robust_accuracy(found, ours, spec["budgets"], spec["autoattack"])
    # Budgets have all their digits, since the decimals of 8/255 do not end; shares are rounded like accuracies.
    table["budget"] = table["budget"].map(repr)
    return table.to_csv(index=False, float_format="%.4f")
