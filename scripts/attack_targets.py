"""Attack a few images of each class toward other classes: the targeted attack of the paper's conclusion.

Reads weights, the test images and the model's predictions on them, by which the images are chosen; writes one record
per image, target and required confidence, with the change that it took. A killed job continues from the state
that it saved last; on SIGTERM it saves its state and ends.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robustness.analysis.measures import mean_change, norms
from robustness.attacks.batch_size import fitting_batch_size
from robustness.attacks.iterated_sign import AttackResult, attack
from robustness.attacks.spec import AttackSpec, read_spec
from robustness.attacks.state import Store
from robustness.attacks.targets import Pairs, pairs
from robustness.compute import devices
from robustness.data.pixels import from_bytes
from robustness.models import weights
from robustness.models.frozen import frozen
from robustness.outcome import NUMBERED
from robustness.runtime import preemption
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.columns.targeted import TargetedRecords
from robustness.storage.identity import Identity, add_options, check_inputs, contents
from robustness.storage.provenance import code_digest, digest_of, file_digest, stamp
from robustness.storage.records import read_columns, read_header, write_records
from robustness.storage.tensors import read_tensors

SLICE = 256
"""How many images the sizes of changes are computed of at a time."""


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    result.add_argument("--records", type=Path, required=True, metavar="FILE")
    result.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="where the state is saved")
    result.add_argument("--save-every", type=float, default=60.0, metavar="SECONDS")
    add_options(result, "dataset", "model", "attack", "seed")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--batch-size", type=int, help="images attacked at a time; changes no result")
    return result


def main(options: argparse.Namespace) -> None:
    title, seed, values, each = settings(options.spec, "title", "seed", "attack", "images_per_class")
    classes = weights.classes(options.weights)
    spec = read_spec(values, classes, title)
    made_from = contents(weights=options.weights, test=options.test)
    check_inputs(options.predictions, read_header(options.predictions), made_from)
    truth, predictions = read_columns(options.predictions, "label", "prediction")
    chosen = pairs(truth, predictions, classes, each, options.spec.get("targets_per_class"))
    pixels, labels = (array[chosen.images] for array in read_tensors(options.test, "images", "labels"))
    with devices.leased(options.threads) as device, preemption.noticed():
        model = frozen(weights.load(options.weights), device)
        batch_size = options.batch_size or fitting_batch_size(model, pixels.shape[1:], spec, device)
        inputs = (options.weights, options.test, options.predictions)
        shaped_by = (options.spec, code_digest(), *map(file_digest, inputs), device.type)
        store = Store(options.checkpoint, digest_of(*shaped_by), options.save_every)
        original = from_bytes(pixels)
        with Progress(title, len(labels), "images") as progress:
            result = attack(
                model,
                torch.from_numpy(original).to(device),
                torch.from_numpy(labels).to(device),
                torch.from_numpy(chosen.images).to(device),
                spec,
                seed=seed,
                batch_size=batch_size,
                targets=torch.from_numpy(chosen.targets),
                title=title,
                progress=lambda outcomes: progress.advance(len(outcomes)),
                store=store,
            )
        header = Identity.of(options).header(stamp(options.spec, devices.describe(device)), made_from)
    columns = _columns(result, spec, chosen, original, labels)
    write_records(options.records, columns.by_name(), header)
    store.remove()


def _columns(
    result: AttackResult,
    spec: AttackSpec,
    chosen: Pairs,
    original: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> TargetedRecords:
    """One row per image, target and required confidence, image by image."""
    levels = len(spec.levels)
    sizes = _sizes(original, result.adversarial.numpy())
    return TargetedRecords(
        image=chosen.images.repeat(levels),
        label=labels.repeat(levels),
        target=chosen.targets.repeat(levels),
        required_confidence=np.tile(spec.levels, len(labels)),
        label_after=result.label_after.flatten().numpy(),
        confidence_after=result.confidence_after.flatten().numpy(),
        ended=[NUMBERED[number] for number in result.outcome.flatten().tolist()],
        iterations=result.iterations.flatten().numpy(),
        mean_change=sizes["mean_change"],
        l2=sizes["l2"],
        linf=sizes["linf"],
    )


def _sizes(original: NDArray[np.float32], adversarial: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return the sizes of changes (N images × L levels, flat), a few images at a time: they are computed in float64."""
    parts = []
    for start in range(0, max(1, len(original)), SLICE):  # of no images, empty arrays
        after = adversarial[start : start + SLICE]
        before = original[start : start + SLICE].repeat(after.shape[1], axis=0)
        after = after.reshape(before.shape)
        parts.append(norms(before, after) | {"mean_change": mean_change(before, after)})
    return {name: np.concatenate([part[name] for part in parts]) for name in ("mean_change", "l2", "linf")}


if __name__ == "__main__":
    run(main, arguments())
