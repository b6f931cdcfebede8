"""Attack one model on one range of test images with an attack of a library, which ours are compared with.

Reads weights and only its rows of the prepared test images; writes one record per image (how its attack ended) and the
images as the attack left them, in the format of attack_shard.py.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from robustness.attacks.adv_lib import compare
from robustness.compute import devices
from robustness.data.pixels import from_bytes
from robustness.models import placement, weights
from robustness.outcome import Outcome
from robustness.runtime.cli import parser, run
from robustness.runtime.progress import Progress
from robustness.storage.columns.attack import AttackRecords
from robustness.storage.identity import Identity, add_options, contents
from robustness.storage.provenance import stamp
from robustness.storage.records import write_records
from robustness.storage.tensors import read_tensors, write_tensors

BATCH_IMAGES = 128  # no option: these attacks' results may depend on it


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--start", type=int, required=True, help="first test image")
    result.add_argument("--stop", type=int, required=True, help="one past the last test image")
    result.add_argument("--records", type=Path, required=True, metavar="FILE")
    result.add_argument("--adversarial", type=Path, required=True, metavar="FILE")
    add_options(result, "dataset", "model", "attack", "seed")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    pixels, labels = read_tensors(options.test, "images", "labels", rows=slice(options.start, options.stop))
    image_ids = np.arange(options.start, options.stop)
    with devices.leased(options.threads) as device:
        model = placement.placed(weights.load(options.weights), device).requires_grad_(False)
        counts: Counter[str] = Counter()
        with Progress(f"{spec['title']} {options.start}-{options.stop}", len(labels), "images") as progress:

            def show(outcomes: list[Outcome]) -> None:
                counts.update(outcomes)
                progress.advance(len(outcomes), ", ".join(f"{count} {name}" for name, count in counts.items()))

            result = compare(
                model,
                torch.from_numpy(from_bytes(pixels)).to(device),
                torch.from_numpy(labels).to(device),
                spec["attack"]["method"],
                spec["attack"]["steps"],
                BATCH_IMAGES,
                seed=spec["seed"],
                first=options.start,
                title=spec["title"],
                progress=show,
            )
        made_from = contents(weights=options.weights, test=options.test)
        header = Identity.of(options).header(stamp(spec, devices.describe(device)), made_from)
    columns = AttackRecords(
        image=image_ids,
        label=labels,
        required_confidence=np.zeros(len(labels)),  # any wrong class will do
        label_before=result.label_before.numpy(),
        label_after=result.label_after.numpy(),
        confidence_after=result.confidence_after.numpy(),
        ended=result.outcome,
        iterations=result.iterations.numpy(),
        zero_gradients=np.zeros(len(labels), np.int64),  # the library does not count them
        scale=np.ones(len(labels)),
        target=np.full(len(labels), -1),
    )
    write_records(options.records, columns.by_name(), header)
    write_tensors(
        options.adversarial,
        {
            "image": image_ids,
            "required_confidence": columns.required_confidence,
            "adversarial": result.adversarial.numpy(),
        },
        header,
    )


if __name__ == "__main__":
    run(main, arguments())
