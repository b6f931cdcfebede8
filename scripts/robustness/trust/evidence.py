"""Gathers what the trust checks of a model look at: the model, and the results of its recorded attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.criterion import Criterion
from robustness.attacks.pgd import PGD
from robustness.attacks.spec import AttackSpec
from robustness.data.pixels import from_bytes
from robustness.outcome import Outcome
from robustness.storage.levels import is_level
from robustness.storage.tensors import read_tensors

Records = Mapping[str, NDArray[Any]]
"""Columns of an attack's records: a row per image and required confidence, image by image."""


@dataclass(frozen=True)
class Subject:
    """The model under check: the trained `network`, the same as it is attacked (`models.frozen`), and the attack.

    `batch_size` images are evaluated at a time; `title` names the model in errors.
    """

    network: nn.Module
    model: nn.Module
    spec: AttackSpec
    seed: int
    batch_size: int
    title: str

    @property
    def pgd(self) -> PGD:
        """Signed steps along the gradient of the cross-entropy, away from the true class."""
        spec = replace(self.spec, reward="cross_entropy", direction="sign", target=None)
        return PGD(self.model, spec, self.seed, self.title)


@dataclass(frozen=True)
class Images:
    """N images: `pixels` (N, C, H, W) in [0, 1] and `ids` (N,), their numbers, on the model's device.

    On the host, `truth` (N,), their classes, and `target` (N,), the class that the attack aims at, or −1.
    """

    pixels: Tensor
    ids: Tensor
    truth: NDArray[np.int64]
    target: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.truth)

    def criterion(self, confidence: float) -> Criterion:
        """Return the attack's criterion at a required confidence."""
        return Criterion(self.truth, self.target, np.full(len(self), confidence))

    def of(self, rows: NDArray[np.int64]) -> Images:
        """Return some of the images."""
        at = torch.from_numpy(rows).to(self.ids.device)
        return Images(self.pixels[at], self.ids[at], self.truth[rows], self.target[rows])


@dataclass(frozen=True)
class Evidence:
    """The results of the recorded attacks on one model.

    `attacks` holds the records by name, the paper's first. `attacked` counts the images that it attacked; of the
    `recorded` images in the files, `invalid` have a pixel that is not in [0, 1].

    `sample` are the N originals that most checks look at, `first` and `last` (N, C, H, W) what the attack made of them
    up to the lowest required confidence and up to its own; `fooled_first` and `fooled_last` (N,) say whether it got
    there, and `steps` (N,) how many it took to `last`; `label_last` and `confidence_last` (N,) are the answer to `last`
    that the records hold, a class and its probability.

    `never` are originals that no attack ever made the model get wrong. `stopped` are images at the cap, as the attack
    left them.
    """

    attacks: Mapping[str, Records]
    attacked: int
    recorded: int
    invalid: int
    sample: Images
    first: Tensor
    last: Tensor
    fooled_first: NDArray[np.bool_]
    fooled_last: NDArray[np.bool_]
    steps: NDArray[np.int64]
    label_last: NDArray[np.int64]
    confidence_last: NDArray[np.float32]
    never: Images
    stopped: Images


def gathered(
    test: Path,
    adversarial: Sequence[Path],
    attacks: dict[str, Records],
    spec: AttackSpec,
    count: int,
    device: torch.device,
) -> Evidence:
    """Read the shards, for checks on the first `count` images that were attacked."""
    original = next(iter(attacks.values()))
    pixels, labels = read_tensors(test, "images", "labels", rows=slice(int(original["image"].max()) + 1))
    last = is_level(original["required_confidence"], spec.confidence) & (original["ended"] != Outcome.SKIPPED)
    chosen = original["image"][last][:count]
    last_chosen = last & np.isin(original["image"], chosen)
    first_chosen = is_level(original["required_confidence"], spec.levels[0]) & np.isin(original["image"], chosen)
    at_cap = last & (original["ended"] == Outcome.CAP)
    wrong = [records["image"][records["label_after"] != records["label"]] for records in attacks.values()]
    never = np.setdiff1d(original["image"][last], np.concatenate(wrong))

    def tensor(array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    def originals(ids: NDArray[np.int64], target: NDArray[np.int64]) -> Images:
        return Images(tensor(from_bytes(pixels[ids])), tensor(ids), labels[ids], target)

    invalid, (first, final, stopped) = _read(adversarial, [first_chosen, last_chosen, at_cap])
    return Evidence(
        attacks=attacks,
        attacked=int(last.sum()),
        recorded=sum(len(records["image"]) for records in attacks.values()),
        invalid=invalid,
        sample=originals(chosen, original["target"][last_chosen]),
        first=tensor(first),
        last=tensor(final),
        fooled_first=original["ended"][first_chosen] == Outcome.SUCCESS,
        fooled_last=original["ended"][last_chosen] == Outcome.SUCCESS,
        steps=original["iterations"][last_chosen],
        label_last=original["label_after"][last_chosen],
        confidence_last=original["confidence_after"][last_chosen],
        never=originals(never, np.full_like(never, -1)),
        stopped=Images(
            tensor(stopped), tensor(original["image"][at_cap]), original["label"][at_cap], original["target"][at_cap]
        ),
    )


def _read(paths: Sequence[Path], wanted: Sequence[NDArray[np.bool_]]) -> tuple[int, list[NDArray[np.float32]]]:
    """Count the invalid images in all shards, and return the images in the wanted rows (counted over all shards)."""
    invalid = start = 0
    found: list[list[NDArray[np.float32]]] = [[] for _ in wanted]
    for path in paths:
        (images,) = read_tensors(path, "adversarial")
        invalid += int((~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3))).sum())
        for rows, parts in zip(wanted, found, strict=True):
            here = rows[start : start + len(images)]  # none in the shards of another attack, which come after
            parts.append(images[: len(here)][here])
        start += len(images)
    return invalid, [np.concatenate(parts) for parts in found]
