"""Choose the step α of a dataset's attacks: attack a few images with smaller and smaller steps.

Reads the weights of each model, with one seed, and the first test images; writes the step, why it was chosen, and what
each step that was tried did to each model. All models get the same step, the smallest that one of them needs, so that
they stay comparable.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from robustness.analysis.measures import mean_change
from robustness.attacks import step
from robustness.attacks.batch_size import fitting_batch_size
from robustness.attacks.iterated_sign import attack
from robustness.attacks.spec import read_spec
from robustness.compute import devices
from robustness.data.pixels import from_bytes
from robustness.models import weights
from robustness.models.frozen import frozen
from robustness.outcome import SKIPPED, SUCCESS
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.atomic import write_json
from robustness.storage.grouping import one_for_each
from robustness.storage.identity import Identity, add_options
from robustness.storage.provenance import stamp
from robustness.storage.tensors import read_tensors


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, nargs="+", required=True, metavar="FILE", help="one per model")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--step", type=Path, required=True, metavar="JSON")
    add_options(result, "dataset", "seed")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    models, seed, values, images = settings(options.spec, "models", "seed", "attack", "images")
    paths = one_for_each(options.weights, "model", expected=models)
    pixels, labels = read_tensors(options.test, "images", "labels", rows=slice(images))
    original = from_bytes(pixels)
    title = f"{options.dataset}, step of the attack"
    with devices.leased(options.threads) as device, Progress(title, None, "images") as progress:
        truth, image_ids = torch.from_numpy(labels).to(device), torch.arange(len(labels)).to(device)

        @lru_cache(maxsize=1)  # models take turns
        def network(model: str) -> nn.Module:
            return frozen(weights.load(paths[model]), device)

        def attacked(model: str, alpha: float) -> step.Attacked:
            named = f"{title}, {model}, α = {alpha:g}"
            spec = read_spec({**values, "alpha": alpha}, weights.classes(paths[model]), named)
            result = attack(
                network(model),
                torch.from_numpy(original).to(device),
                truth,
                image_ids,
                spec,
                seed=seed,
                batch_size=fitting_batch_size(network(model), pixels.shape[1:], spec, device),
                title=named,
                progress=lambda outcomes: progress.advance(len(outcomes), f"{model}, α = {alpha:g}"),
            )
            outcome = result.outcome[:, -1].numpy()
            needed = np.where(outcome == SUCCESS, mean_change(original, result.adversarial[:, -1].numpy()), np.inf)
            change = np.where(outcome == SKIPPED, np.nan, needed)
            return step.Attacked(change, result.iterations[:, -1].numpy())

        chosen = step.choose(models, attacked)
        header = Identity.of(options).header(stamp(options.spec, devices.describe(device)))
    write_json(options.step, {**asdict(chosen), "images": len(labels), **header})


if __name__ == "__main__":
    run(main, arguments())
