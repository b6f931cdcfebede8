"""Import a pretrained model after checking that it can be attacked; nothing is trained.

Reads the file of weights and the prepared validation images; writes the weights in the workflow's own format, and a
card that says what the model is and where it came from. Warns where its accuracy is no better than guessing.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from robustness.compute import devices
from robustness.compute.finite import check_finite, naming
from robustness.data.pixels import from_bytes
from robustness.models import describe, placement, user_models, weights
from robustness.models.image_shape import ImageShape
from robustness.models.pretrained import load_into
from robustness.runtime.cli import parser, run
from robustness.runtime.progress import Progress
from robustness.storage.atomic import write_json
from robustness.storage.identity import Identity, add_options
from robustness.storage.provenance import file_digest, stamp
from robustness.storage.tensors import read_tensors
from robustness.training import loop

_LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--given", type=Path, required=True, metavar="FILE", help="the user's weights")
    result.add_argument("--validation", type=Path, required=True, metavar="FILE")
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--card", type=Path, required=True, metavar="JSON")
    result.add_argument("--code", nargs="*", default=[], metavar="LINE", help="digests and versions of the model")
    add_options(result, "dataset", "model", "seed")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    architecture, classes = spec["architecture"], spec["classes"]
    pixels, labels = read_tensors(options.validation, "images", "labels")
    shape = ImageShape(*pixels.shape[1:])
    torch.manual_seed(0)
    model = user_models.built(architecture, shape)
    load_into(model.network, options.given)
    user_models.checked(model, architecture, shape, classes)
    with devices.leased(options.threads) as device:
        images = loop.Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device))
        network = placement.placed(model, device)
        with Progress(spec["title"], len(labels), "images") as progress, progress.counting(network):
            evaluation = loop.evaluate(network, images)
        with naming(spec["title"], np.arange(len(labels)), "validation image"):
            check_finite(evaluation.logits)
        accuracy = evaluation.accuracy
        provenance = stamp(spec, devices.describe(device))
    _LOG.info("%s: %s classifies %.3f of the validation images correctly", spec["title"], options.given, accuracy)
    if accuracy < 2 / classes and accuracy < 0.75:
        _LOG.warning(
            "this is little better than guessing among %d classes: check that the dataset's 'classes' are in the order "
            "that the model was trained with, and that its 'normalisation' is the one of its training",
            classes,
        )
    with torch.no_grad():
        bounds = user_models.suspected_bounds(network(torch.from_numpy(from_bytes(pixels[:64])).to(device)))
    if bounds:
        _LOG.warning("%s: %s", spec["title"], bounds)
    provenance |= {"own_code": options.code, "given_weights": file_digest(options.given)}
    header = Identity.of(options).header(provenance)
    metadata = {"architecture": architecture, "image": list(asdict(shape).values()), "classes": classes}
    weights.save(options.weights, model, metadata | header)
    summary = asdict(describe.summarise(model, shape))
    write_json(options.card, {"summary": summary, "validation_accuracy": accuracy} | header)


if __name__ == "__main__":
    run(main, arguments())
