"""Find the noise level with which training a model gives its published accuracy on the test images.

Trains the model as its own job does, with one noise level after the other, and counts the test images that it then
classifies correctly: the paper adds no noise to them. Writes the level with an interval, and each level that was tried.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from robustness.compute import devices
from robustness.models import architectures, placement
from robustness.models.image_shape import ImageShape
from robustness.runtime import preemption
from robustness.runtime.cli import parser, run, settings
from robustness.stats.intervals import wilson
from robustness.storage.atomic import remove, write_json
from robustness.storage.identity import Identity, add_options
from robustness.storage.provenance import code_digest, digest_of, file_digest, stamp
from robustness.storage.tensors import read_tensors
from robustness.training.loop import Images, Recipe, evaluate, train
from robustness.training.noise_level import calibrated


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--train", type=Path, required=True, metavar="FILE")
    result.add_argument("--validation", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="where the state of a training is saved"
    )
    result.add_argument("--level", type=Path, required=True, metavar="JSON")
    add_options(result, "dataset", "model", "seed")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    title, published, noise = settings(spec, "title", "published_accuracy", "augmentation")
    tried: list[dict[str, float]] = []
    checkpoints: list[Path] = []
    with devices.leased(options.threads) as device, preemption.noticed():
        images, validation, test = (_images(path, device) for path in (options.train, options.validation, options.test))
        total = len(test.labels)

        def accuracy_at(sigma: float) -> float:
            recipe = Recipe(**spec["training"], augmentation=noise | {"sigma": sigma})
            trained = options.checkpoint.with_name(f"{options.checkpoint.stem}-{sigma:g}{options.checkpoint.suffix}")
            checkpoints.append(trained)  # kept until the end: a job that was stopped trains none of them again
            torch.manual_seed(spec["seed"])
            shape = ImageShape(*images.pixels.shape[1:])
            model = placement.placed(architectures.build(spec["architecture"], shape, spec["classes"]), device)
            train(
                model,
                images,
                validation,
                recipe,
                seed=spec["seed"],
                title=f"{title}, σ = {sigma:g}",
                checkpoint=trained,
                key=digest_of(spec, sigma, code_digest(), file_digest(options.train), device.type),
            )
            correct = int((evaluate(model, test).logits.argmax(1) == test.labels.cpu()).sum())
            found = wilson(correct, total)
            tried.append({"sigma": sigma, "accuracy": found.estimate, "low": found.low, "high": found.high})
            return found.estimate

        level = calibrated(accuracy_at, published, total)
        header = Identity.of(options).header(stamp(spec, devices.describe(device)))
    result: dict[str, Any] = {
        "sigma": level.sigma,
        "sigma_low": level.low,
        "sigma_high": level.high,
        "published_accuracy": published,
        "test_images": total,
        "tried": sorted(tried, key=lambda each: each["sigma"]),
    }
    write_json(options.level, result | header)
    for trained in checkpoints:
        remove(trained)


def _images(path: Path, device: torch.device) -> Images:
    pixels, labels = read_tensors(path, "images", "labels")
    return Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device))


if __name__ == "__main__":
    run(main, arguments())
