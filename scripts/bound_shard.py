"""Attack one model on one range of test images with AutoAttack, within the budgets of its dataset's threat models.

Reads weights and only its rows of the prepared test images; writes one record per norm, budget and image: which attack
fooled the model within the budget, if any did. A killed shard, or one that SIGTERM ended, continues after its last
finished step: one attack on 50 images at one budget.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robustness.attacks.autoattack import Bounds, bounds, possible
from robustness.attacks.finished_steps import FinishedSteps
from robustness.compute import devices
from robustness.data.pixels import from_bytes
from robustness.models import weights
from robustness.models.frozen import frozen
from robustness.runtime import preemption
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.columns.bounded import BoundRecords
from robustness.storage.identity import Identity, add_options, contents
from robustness.storage.provenance import code_digest, digest_of, file_digest, stamp
from robustness.storage.records import write_records
from robustness.storage.tensors import read_tensors


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--start", type=int, required=True, help="first test image")
    result.add_argument("--stop", type=int, required=True, help="one past the last test image")
    result.add_argument("--records", type=Path, required=True, metavar="FILE")
    result.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="where finished steps are saved")
    add_options(result, "dataset", "model", "seed")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    title, seed, budgets, attacks, targets = settings(options.spec, "title", "seed", "budgets", "attacks", "targets")
    title = f"{title}, test images {options.start} to {options.stop - 1}"
    pixels, labels = read_tensors(options.test, "images", "labels", rows=slice(options.start, options.stop))
    with devices.leased(options.threads) as device, preemption.noticed():
        model = frozen(weights.load(options.weights), device)
        digests = (code_digest(), file_digest(options.weights), file_digest(options.test), device.type)
        steps = FinishedSteps(options.checkpoint, digest_of(options.spec, *digests))
        model.register_forward_pre_hook(lambda *_: steps.stop_if_asked(title))
        chosen = possible(attacks, weights.classes(options.weights), title)
        images, truth = (torch.from_numpy(each).to(device) for each in (from_bytes(pixels), labels))
        with Progress(title, len(labels) * sum(map(len, budgets.values())), "images") as progress:
            found = {
                norm: bounds(
                    model,
                    images,
                    truth,
                    norm,
                    of_norm,
                    chosen,
                    targets=targets,
                    first=options.start,
                    seed=seed,
                    title=title,
                    progress=progress.advance,
                    outcome=steps.outcome,
                )
                for norm, of_norm in budgets.items()
            }
        made_from = contents(weights=options.weights, test=options.test)
        header = Identity.of(options).header(stamp(options.spec, devices.describe(device)), made_from)
    columns = _columns(found, budgets, np.arange(options.start, options.stop), labels)
    write_records(options.records, columns.by_name(), header)
    steps.remove()


def _columns(
    found: dict[str, Bounds], budgets: dict[str, list[float]], image_ids: NDArray[np.int64], labels: NDArray[np.int64]
) -> BoundRecords:
    """One row per norm, budget and image, in this order."""
    pairs = [(norm, budget) for norm, of_norm in budgets.items() for budget in of_norm]
    images = len(image_ids)
    return BoundRecords(
        image=np.tile(image_ids, len(pairs)),
        label=np.tile(labels, len(pairs)),
        label_before=np.concatenate(
            [np.tile(found[norm].label_before.numpy(), len(budgets[norm])) for norm in budgets]
        ),
        norm=np.array([norm for norm, _ in pairs]).repeat(images),
        budget=np.array([budget for _, budget in pairs], np.float64).repeat(images),
        decided_by=np.array([name for norm in budgets for names in found[norm].decided_by for name in names]),
        distance=np.concatenate([found[norm].distance.numpy().ravel() for norm in budgets]),
    )


if __name__ == "__main__":
    run(main, arguments())
