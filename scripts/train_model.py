"""Train one model on one dataset with one seed, resuming from a checkpoint if there is one.

Reads the prepared training and validation images; writes the weights, the history of losses and accuracies, and a card
that says what the model is and where it came from.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
from dataclasses import asdict, fields
from pathlib import Path

import torch

from robustness.compute import compilation, devices
from robustness.models import architectures, describe, placement, user_models, weights
from robustness.models.image_shape import ImageShape
from robustness.models.wrapper import OwnModel
from robustness.runtime import preemption
from robustness.runtime.cli import parser, run
from robustness.storage.atomic import remove, write_json, write_text
from robustness.storage.identity import Identity, add_options
from robustness.storage.provenance import code_digest, digest_of, file_digest, stamp
from robustness.storage.tensors import read_tensors
from robustness.training.checkpoint import Epoch
from robustness.training.loop import Images, Recipe, flop_per_image, train


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--train", type=Path, required=True, metavar="FILE")
    result.add_argument("--validation", type=Path, required=True, metavar="FILE")
    result.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="where the state of the training is saved"
    )
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--history", type=Path, required=True, metavar="CSV")
    result.add_argument("--card", type=Path, required=True, metavar="JSON")
    result.add_argument("--code", nargs="*", default=[], metavar="LINE", help="digests and versions of an own model")
    add_options(result, "dataset", "model", "seed")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument(
        "--compile",
        default=os.environ.get("ROBUSTNESS_COMPILE") or "auto",
        metavar="HOW",
        help=f"how the network is compiled: {', '.join(compilation.CHOICES)} (default: $ROBUSTNESS_COMPILE, or auto: "
        "for long trainings on a GPU)",
    )
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    with devices.leased(options.threads) as device, preemption.noticed():
        train_images, validation_images = _images(options.train, device), _images(options.validation, device)
        shape = ImageShape(*train_images.pixels.shape[1:])
        torch.manual_seed(spec["seed"])
        model = architectures.build(spec["architecture"], shape, spec["classes"])
        if isinstance(model, OwnModel):
            user_models.checked_for_training(model, spec["architecture"], shape, spec["classes"])
        model = placement.placed(model, device)
        summary, recipe = (
            describe.summarise(model, shape),
            Recipe(**spec["training"], augmentation=spec["augmentation"], adversarial=spec.get("adversarial")),
        )
        flop = flop_per_image(summary.gflops) * len(train_images.labels) * recipe.epochs
        torch.backends.cudnn.benchmark = True  # all batches have one size, for which the fastest kernels are tried out
        # For the validation images after each epoch, which decide nothing; training itself computes in bfloat16.
        torch.backends.cudnn.allow_tf32 = True
        history = train(
            model,
            train_images,
            validation_images,
            recipe,
            seed=spec["seed"],
            title=spec["title"],
            checkpoint=options.checkpoint,
            key=digest_of(spec, code_digest(), options.code, file_digest(options.train), device.type),
            compile_mode=compilation.mode_for(options.compile, device, flop),
        )
        provenance = stamp(spec, devices.describe(device))
    metadata = {"architecture": spec["architecture"], "image": list(asdict(shape).values()), "classes": spec["classes"]}
    provenance |= {"own_code": options.code} if options.code else {}
    header = Identity.of(options).header(provenance)
    weights.save(options.weights, model, metadata | header)
    write_text(options.history, _table(history))
    write_json(options.card, {"summary": asdict(summary)} | header)
    remove(options.checkpoint)


def _images(path: Path, device: torch.device) -> Images:
    pixels, labels = read_tensors(path, "images", "labels")
    return Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device))


def _table(history: list[Epoch]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in asdict(line).items()} for line in history)
    return text.getvalue()


if __name__ == "__main__":
    run(main, arguments())
