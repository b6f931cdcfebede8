"""Attack one model on one range of test images: a shard.

Reads weights and only its rows of the prepared test images; writes one record per image (how its attack ended) and the
images as the attack left them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import torch

from robustness import devices, models
from robustness.attack import ENDED, AttackSpec, attack, frozen
from robustness.command import parser, run
from robustness.files import read_tensors, write_tensors
from robustness.progress import Progress
from robustness.provenance import stamp
from robustness.records import write_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--start", type=int, required=True, help="first test image")
    result.add_argument("--stop", type=int, required=True, help="one past the last test image")
    result.add_argument("--records", type=Path, required=True, metavar="FILE")
    result.add_argument("--adversarial", type=Path, required=True, metavar="FILE")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--batch-size", type=int, default=128, help="images attacked at a time; changes no result")
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    pixels, labels = read_tensors(options.test, "images", "labels", rows=slice(options.start, options.stop))
    image_ids = torch.arange(options.start, options.stop)
    with devices.leased(options.threads) as device:
        model = frozen(models.load(options.weights), device)
        counts: Counter[str] = Counter()
        with Progress(f"{spec['title']} {options.start}-{options.stop}", len(labels), "images") as progress:

            def show(ended: torch.Tensor) -> None:
                counts.update(ENDED[code] for code in ended.tolist())
                progress.advance(len(ended), ", ".join(f"{count} {name}" for name, count in counts.items()))

            result = attack(
                model,
                torch.from_numpy(pixels).to(device).float().div_(255),
                torch.from_numpy(labels).to(device),
                image_ids.to(device),
                AttackSpec(**spec["attack"]),
                seed=spec["seed"],
                batch_size=options.batch_size,
                title=spec["title"],
                progress=show,
            )
        provenance = stamp(spec, devices.describe(device))
    columns = {
        "image": image_ids.numpy(),
        "label": labels,
        "label_before": result.label_before.numpy(),
        "label_after": result.label_after.numpy(),
        "confidence_after": result.confidence_after.numpy(),
        "ended": [ENDED[code] for code in result.ended.tolist()],
        "iterations": result.iterations.numpy(),
        "zero_gradients": result.zero_gradients.numpy(),
        "target": result.target.numpy(),
    }
    write_records(options.records, columns, {"provenance": provenance})
    write_tensors(
        options.adversarial,
        {"image": image_ids.numpy(), "adversarial": result.adversarial.numpy()},
        {"provenance": provenance},
    )


if __name__ == "__main__":
    run(main, arguments())
