"""Draw examples of the noisy training data (paper, Fig. 1).

Reads prepared training images; writes the first image of each of a few classes, and what augmentation made of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from robustness.runtime.cli import parser, run
from robustness.storage.identity import Identity, add_options
from robustness.storage.provenance import stamp
from robustness.storage.tensors import read_tensors, write_tensors
from robustness.training.augmentation import augment


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--train", type=Path, required=True, metavar="FILE")
    result.add_argument("--samples", type=Path, required=True, metavar="FILE")
    result.add_argument("--draws", type=int, default=5, help="how often each image is augmented")
    result.add_argument("--classes", type=int, default=3, help="how many classes to show an image of")
    add_options(result, "dataset")
    return result


def main(options: argparse.Namespace) -> None:
    pixels, labels = read_tensors(options.train, "images", "labels")
    _, first = np.unique(labels, return_index=True)
    original = torch.from_numpy(pixels[np.sort(first)[: options.classes]]).float().div_(255)
    generator = torch.Generator().manual_seed(0)
    draws = [augment(original, options.spec["augmentation"], generator) for _ in range(options.draws)]
    write_tensors(
        options.samples,
        {"original": original.numpy(), "augmented": torch.stack(draws, dim=1).numpy()},
        Identity.of(options).header(stamp(options.spec)),
    )


if __name__ == "__main__":
    run(main, arguments())
