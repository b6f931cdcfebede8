"""Reads the images that fooled a network, makes noise to compare them with, and asks other networks about both.

So believability and transfer ask in the same way, and a network's answer does not depend on the batch of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from robustness.analysis.clipping_aware_rescaling import rescaled
from robustness.attacks.gradients import log_probabilities
from robustness.compute.counter_random import random_signs
from robustness.compute.finite import naming
from robustness.data.pixels import from_bytes
from robustness.models.frozen import frozen
from robustness.models.placement import memory_format
from robustness.models.weights import load
from robustness.outcome import Outcome
from robustness.storage.grouping import check_made_from, check_rows
from robustness.storage.identity import contents
from robustness.storage.levels import is_level
from robustness.storage.records import read_columns
from robustness.storage.tensors import read_tensors

_BATCH = 256
_NOISE = -1
"""Takes the place of the iteration in the random numbers of noise; the attack's own random signs count from 0."""


@dataclass(frozen=True)
class Fooled:
    """The N test images that an attack succeeded on: `image` (their numbers), the labels before (`label`, the true
    one) and after (`label_after`), each int64 (N,); `original` and `adversarial` float32 (N, C, H, W) in [0, 1].
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    label_after: NDArray[np.int64]
    original: NDArray[np.float32]
    adversarial: NDArray[np.float32]


def fooled_images(test: Path, measures: Path, adversarial: Sequence[Path], confidence: float) -> Fooled:
    """Read the images that an attack fooled at one required confidence, from its measures and the images of its shards.

    Raises `UserError` where the files do not belong together.
    """
    check_made_from(contents(test=test), measures)
    check_rows(measures, *adversarial)
    names = ("required_confidence", "ended", "image", "label", "label_after")
    level, ended, *columns = read_columns(measures, *names)
    fooled = is_level(level, confidence) & (ended == Outcome.SUCCESS)
    image, label, after = (column[fooled] for column in columns)
    changed, start = [], 0
    for path in adversarial:
        (images,) = read_tensors(path, "adversarial")
        changed.append(images[fooled[start : start + len(images)]])
        start += len(images)
    (pixels,) = read_tensors(test, "images", rows=slice(int(columns[0].max()) + 1))
    return Fooled(image, label, after, from_bytes(pixels[image]), np.concatenate(changed))


def noise_like(
    original: NDArray[np.float32], size: ArrayLike, image_ids: NDArray[np.int64], norm: str, seed: int
) -> NDArray[np.float32]:
    """Return the images plus random signs whose `norm` is `size`, for all images or each.

    See `clipping_aware_rescaling.rescaled`. Signs depend only on (seed, image, pixel). Where a sign
    points out of [0, 1], as half of them do on black and on white, the pixel stays, and the others change by more.
    """
    ids = torch.from_numpy(image_ids)
    signs = random_signs(seed, ids, torch.full_like(ids, _NOISE), torch.Size(original.shape[1:]))
    return rescaled(original, signs.numpy(), size, norm)


def loaded(weights: Path, device: torch.device) -> nn.Module:
    """Load the network in a file, ready to be asked."""
    return frozen(load(weights), device)


def classified(
    network: nn.Module, images: NDArray[np.float32], device: torch.device, image_ids: NDArray[np.int64], title: str
) -> NDArray[np.int64]:
    """Return the class (N,) that a network from `loaded` sees in each of the images (N, C, H, W) in [0, 1].

    Raises `UserError` with `title` and the images' numbers `image_ids` (N,) where an answer is not finite.
    """
    form = memory_format(network)
    parts = [np.zeros(0, np.int64)]
    for start in range(0, len(images), _BATCH):
        rows = slice(start, start + _BATCH)
        x = torch.from_numpy(images[rows]).to(device).contiguous(memory_format=form)
        with naming(title, image_ids[rows], "original or changed test image"):
            parts.append(log_probabilities(network, x).argmax(1))
    return np.concatenate(parts)
