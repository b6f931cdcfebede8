"""Classify the whole test set with one trained model.

Reads weights and prepared test images; writes one record per image: label, prediction, confidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from robustness.compute import devices
from robustness.compute.finite import check_finite, naming
from robustness.models import placement, weights
from robustness.runtime.cli import parser, run
from robustness.runtime.progress import Progress
from robustness.storage.columns.predictions import Predictions
from robustness.storage.identity import Identity, add_options, contents
from robustness.storage.provenance import stamp
from robustness.storage.records import write_records
from robustness.storage.tensors import read_tensors
from robustness.training import loop


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    add_options(result, "dataset", "model", "seed")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    pixels, labels = read_tensors(options.test, "images", "labels")
    with devices.leased(options.threads) as device:
        model = placement.placed(weights.load(options.weights), device)
        images = loop.Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device))
        title = f"predictions of {'/'.join(options.predictions.parts[-3:-1])}"
        with Progress(title, len(labels), "images") as progress, progress.counting(model):
            logits = loop.evaluate(model, images).logits
        with naming(str(Identity.of(options)), np.arange(len(labels))):
            check_finite(logits)
        confidence, prediction = logits.softmax(1).max(1)
        provenance = stamp(options.spec, devices.describe(device))
    header = Identity.of(options).header(provenance, contents(weights=options.weights, test=options.test))
    columns = Predictions(
        image=np.arange(len(labels)),
        label=labels,
        prediction=prediction.numpy(),
        confidence=confidence.numpy(),
    )
    write_records(options.predictions, columns.by_name(), header)


if __name__ == "__main__":
    run(main, arguments())
