"""Say for each claim whether it holds: for these weights, and for the recipes that they come from.

Reads the measures of the attacks, the predictions and the judges' answers of every dataset, model and seed, and the
tables of trust checks; writes a CSV with one row per claim. `--spec`: claims (as the configuration states them),
attacks, datasets, judged.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas

from robustness.claims.stated import claims_of
from robustness.claims.study import Study
from robustness.claims.verdicts import table
from robustness.errors import UserError
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import write_text
from robustness.storage.grouping import check_alike, read_grouped
from robustness.storage.levels import at_level
from robustness.storage.tables import read_table


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    paths: dict[str, Any] = {"type": Path, "nargs": "*", "default": [], "metavar": "FILE"}
    result.add_argument("--measures", help="attacks × models of all datasets × seeds", **paths)
    result.add_argument("--predictions", help="models of all datasets × seeds", **paths)
    result.add_argument("--judged", help="models of the datasets of the spec's `judged` × seeds", **paths)
    result.add_argument("--trust", help="datasets", **paths)
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    models = [(dataset["name"], model) for dataset in spec["datasets"] for model in dataset["models"]]
    attacks = dict(spec["attacks"])
    check_alike([*options.predictions, *options.judged, *options.measures])
    predictions = read_grouped(options.predictions, "dataset", "model", expected=models)
    judging = [model for model in models if model[0] in spec["judged"]]
    judged = read_grouped(options.judged, "dataset", "model", expected=judging)
    trust = _by_dataset(options.trust, [dataset["name"] for dataset in spec["datasets"]])
    keys = [(attack, *model) for attack, model in product(attacks, models)]
    measures = read_grouped(options.measures, "attack", "dataset", "model", expected=keys)
    alphas = {dataset["name"]: dataset["alpha"] for dataset in spec["datasets"]}
    studies = {
        attack: Study(
            {model: [at_level(table, confidence) for table in measures[attack, *model]] for model in models},
            predictions,
            alphas,
            judged if attack == "original" else {},
            trust,
        )
        for attack, confidence in attacks.items()
    }
    answers = table(claims_of(spec["claims"]), studies.pop("original"), studies)
    write_text(options.table, answers.to_csv(index=False, float_format="%.6g"))


def _by_dataset(paths: Sequence[Path], datasets: Sequence[str]) -> dict[str, pandas.DataFrame]:
    """Return each dataset's table of trust checks; CSV has no header, so its folder, `<dataset>/tables`, names it."""
    path_of = {path.absolute().parents[1].name: path for path in paths}
    if path_of.keys() != set(datasets) or len(paths) != len(datasets):
        given = ", ".join(map(str, paths))
        raise UserError(f"--trust names {given}: give <dataset>/tables/trust.csv of each of {', '.join(datasets)}")
    return {name: read_table(path_of[name]) for name in datasets}


if __name__ == "__main__":
    run(main, arguments())
