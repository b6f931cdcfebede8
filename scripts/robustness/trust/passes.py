"""Asks a network about images, and attacks them, in batches that fit into memory; for the trust checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustness.attacks.criterion import Criterion
from robustness.attacks.gradients import log_probabilities
from robustness.attacks.iterated_sign import attack
from robustness.attacks.pgd import PGD
from robustness.attacks.spec import AttackSpec
from robustness.compute.finite import NotFiniteError, naming
from robustness.outcome import SUCCESS
from robustness.trust.evidence import Images, Subject


def batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def outputs(subject: Subject, x: Tensor, ids: Tensor) -> NDArray[np.floating]:
    """Log-probabilities (N, K); errors name images by `ids` (N,)."""
    parts = []
    for rows in batches(len(x), subject.batch_size):
        with naming(subject.title, ids[rows]):
            parts.append(log_probabilities(subject.model, x[rows]))
    return np.concatenate(parts)


def not_finite(subject: Subject, x: Tensor) -> NDArray[np.int64]:
    """Which of N images the network answers with NaN or infinity."""
    found = [np.zeros(0, np.int64)]
    for rows in batches(len(x), subject.batch_size):
        try:
            log_probabilities(subject.model, x[rows])
        except NotFiniteError as error:
            found.append(rows.start + error.places)
    return np.concatenate(found)


def pgd(subject: Subject, pgd: PGD, start: Images, criterion: Criterion, **options: Any) -> NDArray[np.bool_]:
    """Run `PGD.attack` in batches; tensors among `options` have a value for each image."""
    parts = []
    for rows in batches(len(start), subject.batch_size):
        own: dict[str, Any] = {name: each[rows] if isinstance(each, Tensor) else each for name, each in options.items()}
        parts.append(
            pgd.attack(start.pixels[rows], criterion.of(np.arange(rows.start, rows.stop)), start.ids[rows], **own)
        )
    return np.concatenate([np.zeros(0, np.bool_), *parts])


def single_step(subject: Subject, images: Images, criterion: Criterion, radii: tuple[float, ...]) -> NDArray[np.bool_]:
    """Run `PGD.single_step` in batches."""
    parts = [
        subject.pgd.single_step(
            images.pixels[rows], criterion.of(np.arange(rows.start, rows.stop)), images.ids[rows], radii
        )
        for rows in batches(len(images), subject.batch_size)
    ]
    return np.concatenate(parts, axis=1)


def attacked(subject: Subject, images: Images, spec: AttackSpec, size: int) -> tuple[Tensor, NDArray[np.bool_]]:
    """Attack images at one level; return how it leaves them, and whether they fooled the model."""
    labels = torch.from_numpy(images.truth).to(images.ids.device)
    result = attack(
        subject.model, images.pixels, labels, images.ids, spec, seed=subject.seed, batch_size=size, title=subject.title
    )
    return result.adversarial[:, 0].to(images.pixels.device), (result.outcome[:, 0] == SUCCESS).numpy()
