"""Chooses the class that an attack aims at: by its spec's rule, or other classes for a few images of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.gradients import log_probabilities
from robustness.compute.counter_random import random_offset
from robustness.compute.finite import naming
from robustness.errors import UserError


def targets_of(
    model: nn.Module, images: Tensor, labels: Tensor, image_ids: Tensor, target: str | int | None, seed: int, title: str
) -> NDArray[np.int64]:
    """Return the class (N,) that each image shall be turned into; −1 where the attack is untargeted."""
    truth = labels.cpu().numpy()
    if target is None or not len(truth):
        return np.full_like(truth, -1)
    if isinstance(target, int):
        return np.full_like(truth, target)
    with naming(title, image_ids[:1]):
        classes = log_probabilities(model, images[:1]).shape[1]
    match target:
        case "next":
            return (truth + 1) % classes
        case "random":
            return (truth + 1 + random_offset(seed, image_ids, classes - 1).cpu().numpy()) % classes
        case "least_likely":
            parts = []
            for part, ids in zip(images.split(256), image_ids.split(256), strict=True):
                with naming(title, ids):
                    parts.append(log_probabilities(model, part).argmin(1))
            return np.concatenate(parts)
    raise UserError(f"unknown attack target '{target}': use next, random, least_likely or a class of the dataset")


class Pairs(NamedTuple):
    """Test images, by number, with the class that each shall be turned into; both (N,)."""

    images: NDArray[np.int64]
    targets: NDArray[np.int64]


def pairs(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int, each: int, others: int | None = None
) -> Pairs:
    """Return the first `each` test images of each class that the model gets right, toward every other class.

    `others` is the number of other classes that a class is attacked toward, if there are more: they are drawn for each
    class, and are the same for all models.
    `labels` and `predictions` cover all test images, in order. A class that has fewer images gives those.
    """
    right = np.flatnonzero(labels == predictions)
    images, targets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for label in range(classes):
        chosen = right[labels[right] == label][:each]
        toward = _others(label, classes, classes - 1 if others is None else others)
        images.append(chosen.repeat(len(toward)))
        targets.append(np.tile(toward, len(chosen)))
    return Pairs(np.concatenate(images), np.concatenate(targets))


def _others(label: int, classes: int, count: int) -> NDArray[np.int64]:
    """Return `count` of the classes other than `label`, or all, in order."""
    rest = np.delete(np.arange(classes), label)
    drawn = random_offset(label, torch.from_numpy(rest), 2**31).argsort(stable=True)[:count]
    return np.sort(rest[drawn.numpy()])
