"""Ask the other networks of a dataset what they see in the images that fooled one of them.

Reads the measures of an attack and the images of its shards, the test images and the judges' weights; writes one
record per judge and image, for the adversarial image and for the original with random signs of the same L2 norm.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.analysis import cross_model
from robustness.analysis.answers import answers
from robustness.analysis.measures import norms
from robustness.compute import devices
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.columns.judged import JudgedRecords
from robustness.storage.grouping import identity_of, made_from, one_for_each
from robustness.storage.provenance import stamp
from robustness.storage.records import write_records

KINDS = ("adversarial", "noise")


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--measures", type=Path, required=True, metavar="FILE")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="shards, in order")
    result.add_argument("--weights", type=Path, nargs="+", required=True, metavar="FILE", help="one per judge")
    result.add_argument("--judged", type=Path, required=True, metavar="FILE")
    result.add_argument("--threads", type=int, default=1)
    return result


def main(options: argparse.Namespace) -> None:
    judges, confidence, seed = settings(options.spec, "judges", "required_confidence", "seed")
    identity = identity_of(options.measures)
    fooled = cross_model.fooled_images(options.test, options.measures, options.adversarial, confidence)
    size = norms(fooled.original, fooled.adversarial)["l2"]
    noise = cross_model.noise_like(fooled.original, size, fooled.image, "l2", seed)
    weights = one_for_each(options.weights, "model", "seed", expected=judges)
    parts: list[dict[str, NDArray[Any]]] = []
    title = f"judges of {'/'.join(options.judged.parts[-4:-1])}"
    total = len(judges) * len(KINDS) * len(fooled.image)
    with devices.leased(options.threads) as device, Progress(title, total, "images") as progress:
        for (judge, judge_seed), path in weights.items():
            network = cross_model.loaded(path, device)
            for kind, images in zip(KINDS, (fooled.adversarial, noise), strict=True):
                with progress.counting(network):
                    name = f"{identity.dataset}/{judge}, seed {judge_seed}, as a judge"
                    seen = cross_model.classified(network, images, device, fooled.image, name)
                parts.append(
                    {
                        "image": fooled.image,
                        "judge": np.full(len(seen), judge),
                        "judge_seed": np.full(len(seen), judge_seed),
                        "kind": np.full(len(seen), kind),
                        "answer": answers(seen, fooled.label_after, fooled.label),
                    }
                )
        provenance = stamp(options.spec, devices.describe(device))
    columns = JudgedRecords(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    write_records(options.judged, columns.by_name(), identity.header(provenance, made_from(options.measures)))


if __name__ == "__main__":
    run(main, arguments())
