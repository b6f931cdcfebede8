"""Judge the claims about a dataset at one value of a swept parameter: the attack's step α or the noise level σ.

Reads the measures of one attack on each of the dataset's models; writes a CSV with one row per claim. `--spec`:
claims (as the configuration states them), dataset, parameter, value, models (each with its name in the files of
measures), images, required_confidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.claims.stated import claims_of
from robustness.claims.swept import first_images, judged
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text
from robustness.storage.grouping import one_for_each
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="one for each model")
    result.add_argument("--verdicts", type=Path, required=True, metavar="CSV")
    return result


def main(options: argparse.Namespace) -> None:
    stated, dataset, parameter, value, models, images, confidence = settings(
        options.spec, "claims", "dataset", "parameter", "value", "models", "images", "required_confidence"
    )
    named = {recorded: model for model, recorded in models}
    measures = {
        named[recorded]: first_images(read_records(path), images, confidence)
        for recorded, path in one_for_each(options.measures, "model", expected=named).items()
    }
    table = judged(claims_of(stated), dataset, measures)
    table.insert(0, "parameter", parameter)
    table.insert(1, "value", value)
    write_text(options.verdicts, table.to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    run(main, arguments())
