"""Show the changes that fooled one model to all models of its dataset, all brought to the same size.

Reads the images of an attack on the source model, the test images, the measures of the attack on all models, which
decide the size, and all models' weights of the same seed; writes one record per image, norm and
target model.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.analysis import cross_model
from robustness.analysis.clipping_aware_rescaling import NORMS, rescaled
from robustness.analysis.measures import norms
from robustness.analysis.transfer import common_size
from robustness.compute import devices
from robustness.errors import UserError
from robustness.outcome import Outcome
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.columns.transferred import TransferredRecords
from robustness.storage.grouping import check_made_from, common_identity, grouped, identity_of, one_for_each
from robustness.storage.identity import contents
from robustness.storage.levels import is_level
from robustness.storage.provenance import stamp
from robustness.storage.records import read_columns, write_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="shards, in order")
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="models × seeds")
    result.add_argument("--weights", type=Path, nargs="+", required=True, metavar="FILE", help="one per model")
    result.add_argument("--transferred", type=Path, required=True, metavar="FILE")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    models, source, confidence, seed = settings(options.spec, "models", "source", "required_confidence", "seed")
    identity = common_identity(options.adversarial)
    measures = grouped(options.measures, "model", expected=models)
    own = {identity_of(path): path for path in measures[source]}
    if identity not in own:
        raise UserError(
            f"{options.adversarial[0]} holds {identity}, but no file of measures does: give both of {source}"
        )
    fooled = cross_model.fooled_images(options.test, own[identity], options.adversarial, confidence)
    sizes = _sizes(measures, confidence)
    weights = one_for_each(options.weights, "model", expected=models)
    inputs = contents(weights=weights[source], test=options.test)
    check_made_from(inputs, *options.adversarial)
    direction = fooled.adversarial - fooled.original
    changed = {norm: rescaled(fooled.original, direction, sizes[norm], norm) for norm in NORMS}
    noise = {norm: cross_model.noise_like(fooled.original, sizes[norm], fooled.image, norm, seed) for norm in NORMS}
    shown = {"unchanged": fooled.original, **changed, **{f"{norm} noise": noise[norm] for norm in NORMS}}
    seen: dict[str, dict[str, NDArray[Any]]] = {}
    title, total = f"transfer from {source}, seed {seed}", len(models) * (1 + 2 * len(NORMS)) * len(fooled.image)
    with devices.leased(options.threads) as device, Progress(title, total, "images") as progress:
        for target, path in weights.items():
            network = cross_model.loaded(path, device)
            name = f"{identity.dataset}/{target}, seed {seed}"
            with progress.counting(network):
                seen[target] = {
                    kind: cross_model.classified(network, images, device, fooled.image, name)
                    for kind, images in shown.items()
                }
        provenance = stamp(options.spec, devices.describe(device))
    parts = [
        {
            "image": fooled.image,
            "label": fooled.label,
            "target": np.full(len(fooled.image), target),
            "norm": np.full(len(fooled.image), norm),
            "size": np.full(len(fooled.image), sizes[norm]),
            "size_reached": norms(fooled.original, changed[norm])[norm],
            "target_before": seen[target]["unchanged"],
            "source_after": seen[source][norm],
            "target_after": seen[target][norm],
            "noise_after": seen[target][f"{norm} noise"],
        }
        for norm in NORMS
        for target in models
    ]
    columns = TransferredRecords(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    write_records(options.transferred, columns.by_name(), identity.header(provenance, inputs))


def _sizes(measures: dict[str, list[Path]], confidence: float) -> dict[str, float]:
    """Return the common size in each norm, from the measures of every model's seeds."""
    needed: dict[str, list[NDArray[np.float64]]] = {norm: [] for norm in NORMS}
    for paths in measures.values():
        of_seeds = [_needed(path, confidence) for path in paths]
        for norm in NORMS:
            needed[norm].append(np.concatenate([each[norm] for each in of_seeds]))
    return {norm: common_size(each) for norm, each in needed.items()}


def _needed(measures: Path, confidence: float) -> dict[str, NDArray[np.float64]]:
    """Return the change that each attacked image needed, in each norm; infinite where the attack failed."""
    level, ended, *values = read_columns(measures, "required_confidence", "ended", *NORMS)
    attacked = is_level(level, confidence) & (ended != Outcome.SKIPPED)
    return {
        norm: np.where(ended == Outcome.SUCCESS, value, np.inf)[attacked]
        for norm, value in zip(NORMS, values, strict=True)
    }


if __name__ == "__main__":
    run(main, arguments())
