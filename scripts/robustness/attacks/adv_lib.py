"""Runs attacks of the library adv-lib (0.2.8), which ours are compared with: FMN, APGD, DDN and DeepFool.

Each attack looks for the smallest change, by one norm, that makes a model choose any wrong class. What the library
returns counts only where a forward pass of our own confirms it.

FMN: Pintor et al. (2021), arXiv 2102.12827. APGD: Croce and Hein (2020), arXiv 2003.01690. DDN: Rony et al. (2019),
arXiv 1811.09600. DeepFool: Moosavi-Dezfooli et al. (2016), arXiv 1511.04599.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustness.compute.finite import check_finite, naming
from robustness.errors import UserError
from robustness.outcome import Outcome

APGD_RUNS = 10
APGD_SMALLEST = 2.0**-14
"""APGD needs a size of change ε: bisecting the logarithm of [2⁻¹⁴, 1] ten times finds an image's ε to 1 %."""

_FEWEST_CLASSES_FOR_RATIO = 3


@dataclass(frozen=True)
class Compared:
    """The result of a library's attack on N images; tensors on the CPU, rows in the order of the input.

    `outcome` is SUCCESS, CAP (the library found nothing, or nothing that our forward pass confirms) or SKIPPED (the
    model gets the unchanged image wrong). `adversarial` float32 (N, C, H, W) in [0, 1] is the changed image; where
    skipped it is the original. Where nothing was found all its pixels are NaN, since the original would look like
    an attack that needed no change. `iterations` int64 is the number of gradient steps spent. `label_before`,
    `label_after` int64 and `confidence_after` float32 are the prediction on the original and on the result; where there
    is no result, the original takes its place.
    """

    adversarial: Tensor
    outcome: list[Outcome]
    iterations: Tensor
    label_before: Tensor
    label_after: Tensor
    confidence_after: Tensor


def compare(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    method: str,
    steps: int,
    batch_size: int,
    *,
    seed: int = 0,
    first: int = 0,
    title: str = "model",
    progress: Callable[[list[Outcome]], None] | None = None,
) -> Compared:
    """Attack every image that `model` (in evaluation mode) classifies correctly with one of `METHODS`.

    `images` float32 (N, C, H, W) in [0, 1] and int64 `labels` (N,) are on the model's device. `steps` is at least 2, as
    these attacks begin by looking at the unchanged image. `progress` is called with the outcomes of each batch.

    APGD starts at random, and DDN draws a direction where a gradient vanishes. The library draws these numbers for a
    batch, not for an image: they are seeded for each batch, so the same batches give the same result, but unlike ours
    a result may depend on which images share a batch, and so on shards.

    Raises `UserError` when adv-lib is not installed, or one that names `title` and the images, which are numbered from
    `first` on, when the model returns NaN or infinity for them.
    """
    attacks = adv_lib_attacks()
    parts = []
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        with naming(title, np.arange(first + start, first + start + batch_size)):
            parts.append(_compare_batch(attacks, model, images[rows].contiguous(), labels[rows], method, steps, seed))
        if progress is not None:
            progress(parts[-1].outcome)
    return Compared(
        outcome=[outcome for part in parts for outcome in part.outcome],
        **{
            name: torch.cat([getattr(part, name) for part in parts])
            for name in ("adversarial", "iterations", "label_before", "label_after", "confidence_after")
        },
    )


def installed() -> bool:
    """Return whether adv-lib is installed."""
    return importlib.util.find_spec("adv_lib") is not None


def adv_lib_attacks() -> ModuleType:
    """Import the module `adv_lib.attacks`; raises `UserError` when the library is not installed."""
    if not installed():
        raise UserError(
            "adv-lib, which the attack comes from, is not installed: run `make comparators`, or start Snakemake with "
            "`--sdm conda`"
        )
    _stand_in_for_visdom()
    from adv_lib import attacks

    return attacks


def _stand_in_for_visdom() -> None:
    """Put an empty module in place of visdom where that is not installed.

    adv-lib can draw the progress of an attack with visdom, a web server with many dependencies. We never ask it to, and
    install it without visdom (`pip install --no-deps`), but its modules import visdom all the same.
    """
    try:
        importlib.import_module("visdom")
    except ModuleNotFoundError:
        sys.modules["visdom"] = ModuleType("visdom")


def _compare_batch(
    attacks: ModuleType,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    method: str,
    steps: int,
    seed: int,
) -> Compared:
    """`compare` for one batch, whose images are contiguous: the library's projections change views in place."""
    before, confidence = _predicted(model, images)
    check_finite(confidence[:, None])
    attacked = before == labels
    after, found = before.clone(), torch.zeros_like(attacked)
    adversarial, iterations = images.clone(), torch.zeros_like(labels)
    if attacked.any():
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            changed, spent = METHODS[method](attacks, model, images[attacked], labels[attacked], steps)
        # The library adds the change to the image after clipping it, which can round to just outside of [0, 1].
        changed = changed.clamp(0, 1)
        found[attacked], after[attacked], confidence[attacked] = _confirmed(
            model, images[attacked], changed, labels[attacked]
        )
        adversarial[attacked] = changed
        adversarial[attacked & ~found] = math.nan
        iterations[attacked] = spent
    won_and_tried = zip(found.tolist(), attacked.tolist(), strict=True)
    outcome = [Outcome.SUCCESS if won else Outcome.CAP if tried else Outcome.SKIPPED for won, tried in won_and_tried]
    return Compared(adversarial.cpu(), outcome, iterations.cpu(), before.cpu(), after.cpu(), confidence.cpu())


def _confirmed(model: nn.Module, images: Tensor, changed: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return where `changed` differs from `images` and fools the model, and the predicted class and its probability.

    The prediction is on the changed image where it fools the model, and on the original elsewhere.
    """
    real = torch.isfinite(changed).flatten(1).all(1) & (changed != images).flatten(1).any(1)
    label, confidence = _predicted(model, changed)
    found = real & torch.isfinite(confidence) & (label != labels)
    label_before, confidence_before = _predicted(model, images)
    return found, torch.where(found, label, label_before), torch.where(found, confidence, confidence_before)


@torch.no_grad()
def _predicted(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the class (B,) that the model chooses and its probability, NaN where a logit is not finite."""
    logits = model(images).float()
    confidence, label = logits.softmax(1).max(1)
    return label, torch.where(logits.isfinite().all(1), confidence, math.nan)


# ---------------------------------------------------------------------------------------------------------------------
# The methods: each takes correctly classified images (B, C, H, W), their labels and a number of steps, and returns
# changed images, unchanged or not fooling where it failed, with the number of gradient steps that each image took.


def _fmn(attacks: Any, model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    changed = attacks.fmn(model, images, labels, norm=math.inf, steps=steps)
    return changed, torch.full_like(labels, steps)


def _ddn(attacks: Any, model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    # By default the result is rounded to 8 bits, which costs more change than the search leaves.
    changed = attacks.ddn(model, images, labels, steps=steps, levels=None)
    return changed, torch.full_like(labels, steps)


def _deepfool(attacks: Any, model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Run DeepFool, which drops images once fooled: the steps of each are counted from what the model is asked."""
    rows, spent = torch.arange(len(labels), device=labels.device), torch.zeros_like(labels)

    def counting(x: Tensor) -> Tensor:
        nonlocal rows
        logits: Tensor = model(x)
        rows = rows[logits.argmax(1) == labels[rows]]
        spent[rows] += 1
        return logits

    return attacks.df(counting, images, labels, steps=steps, norm=2), spent


def _apgd(attacks: Any, model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Find the smallest ε at which APGD fools each image, by bisection; the loss is APGD's own where it is defined."""
    with torch.no_grad():
        classes = model(images[:1]).shape[1]
    loss = "dlr" if classes >= _FEWEST_CLASSES_FOR_RATIO else "ce"
    best = images.clone()
    low, high = (torch.full(labels.shape, bound, device=images.device) for bound in (APGD_SMALLEST, 1.0))
    for _ in range(APGD_RUNS):
        size = (low * high).sqrt()
        changed = attacks.apgd(model, images, labels, eps=size, norm=math.inf, n_iter=steps, loss_function=loss)
        found, _, _ = _confirmed(model, images, changed, labels)
        best[found] = changed[found]
        low, high = torch.where(found, low, size), torch.where(found, size, high)
    return best, torch.full_like(labels, APGD_RUNS * steps)


METHODS: dict[str, Callable[[Any, nn.Module, Tensor, Tensor, int], tuple[Tensor, Tensor]]] = {
    "fmn": _fmn,
    "apgd": _apgd,
    "ddn": _ddn,
    "deepfool": _deepfool,
}
"""The library's attacks by the names that the configuration gives them."""
