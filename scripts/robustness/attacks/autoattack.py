"""AutoAttack, of the package pyautoattack (0.2.0, by its authors): which images withstand changes within a budget.

Functions on tensors that leave the state of PyTorch's random numbers as it was. What the library returns is believed
only where a forward pass of our own confirms it.

Croce and Hein (2020), Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
arXiv 2003.01690. Its standard version is APGD on the cross-entropy, APGD on the targeted difference of logits ratio
(DLR), targeted FAB, and Square, each on the images that withstood the ones before.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustness.compute.finite import NotFiniteError, check_finite, naming, not_finite
from robustness.config.threat_models import is_within
from robustness.storage.columns.bounded import NOTHING, UNCHANGED

BLOCK = 50
"""Images that are attacked together; blocks begin at multiples of it.

The library draws its random starts for a batch and not for an image, so that an image's may depend on which images
share its block. With ranges of images that begin at multiples of it, results do not depend on the ranges.
"""

_LIBRARY_NORMS = {"linf": "Linf", "l2": "L2"}
_FEWEST_FOR_TARGETED_RATIO = 4
_FEWEST_FOR_RATIO = 3

_LOG = logging.getLogger(__name__)

Perturb = Callable[[Tensor, Tensor], Tensor]
Outcome = Callable[[str, Callable[[], Tensor]], Tensor]
"""Given the name of a step and the function that makes it; see `attacks.finished_steps`."""


@dataclass(frozen=True)
class Bounds:
    """What became of N images at each of B budgets of one norm; see `storage.columns.bounded` for the meanings.

    `decided_by` and `distance` (B, N) are in the order of the budgets, `label_before` int64 (N,).
    """

    label_before: Tensor
    decided_by: list[list[str]]
    distance: Tensor


def possible(attacks: Sequence[str], classes: int, title: str) -> list[str]:
    """Return the attacks that work with this number of classes; log a line where one is replaced or left out.

    The targeted DLR loss compares four logits, and the plain one three.
    """
    if classes >= _FEWEST_FOR_TARGETED_RATIO:
        return list(attacks)
    stand_in = {"apgd-t": "apgd-dlr"} if classes >= _FEWEST_FOR_RATIO else {"apgd-t": "apgd-ce", "apgd-dlr": "apgd-ce"}
    chosen = list(dict.fromkeys(stand_in.get(name, name) for name in attacks))
    for name in attacks:
        if name in stand_in:
            _LOG.info("%s: %s cannot attack %d classes; %s does", title, name, classes, stand_in[name])
    return chosen


def bounds(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    norm: str,
    budgets: Sequence[float],
    attacks: Sequence[str],
    *,
    targets: int,
    first: int = 0,
    seed: int = 0,
    title: str = "model",
    progress: Callable[[int], None] = lambda images: None,
    outcome: Outcome = lambda step, attack: attack(),
) -> Bounds:
    """Attack every image that `model` (in evaluation mode, without gradients of weights) classifies correctly.

    `images` float32 (N, C, H, W) in [0, 1] and int64 `labels` (N,) are on the model's device; they are the test images
    from number `first` on. At each of `budgets`, which rise, the attacks follow each other on the images that have
    withstood so far: an image that is fooled at one budget counts as fooled at the larger ones.

    Args:
        model: the network; it sees copies of the images.
        images: the original images.
        labels: their true classes.
        norm: `linf` or `l2`.
        budgets: the largest changes allowed, in the norm's unit with pixels in [0, 1].
        attacks: names of AutoAttack's attacks, in the order in which they are tried.
        targets: the wrong classes that a targeted attack aims at, the most likely first; at most all of them.
        first: the number of the first image.
        seed: seeds the random numbers of each block together with the number of the block's first image.
        title: what messages call the model.
        progress: called with the number of images after each block and budget.
        outcome: given the name of a step (one attack on a block at one budget) and a function that makes it, returns
            what the step led to, perhaps from an earlier run.

    Raises `UserError` that names the images where the model answers with NaN or infinity.
    """
    logits = _guarded(model)
    parts = []
    start = 0
    while start < len(images):
        stop = min(len(images), start + BLOCK - (first + start) % BLOCK)
        state = int(np.random.SeedSequence([seed, first + start]).generate_state(1)[0])
        numbers = range(first + start, first + stop)
        block = _Block(
            logits, images[start:stop].contiguous(), labels[start:stop], norm, targets, state, numbers, title
        )
        parts.append(block.bounds(budgets, attacks, progress, outcome))
        start = stop
    return Bounds(
        torch.cat([part.label_before for part in parts]).cpu(),
        [[name for part in parts for name in part.decided_by[place]] for place in range(len(budgets))],
        torch.cat([part.distance for part in parts], dim=1).cpu(),
    )


@dataclass(frozen=True)
class _Block:
    """Images that are attacked together by one norm, from the test image number `first` on."""

    logits: Callable[[Tensor], Tensor]
    images: Tensor
    labels: Tensor
    norm: str
    targets: int
    seed: int
    numbers: range
    title: str

    def bounds(
        self, budgets: Sequence[float], attacks: Sequence[str], progress: Callable[[int], None], outcome: Outcome
    ) -> Bounds:
        """Return what became of the images at each budget."""
        with torch.no_grad(), naming(self.title, np.array(self.numbers)):
            before = self.logits(self.images).argmax(1)
        right = before == self.labels
        decided = [NOTHING if each else UNCHANGED for each in right.tolist()]
        distance = torch.where(right, math.nan, 0.0).double().cpu()
        decided_by, distances = [], []
        for budget in budgets:
            tools = self._tools(budget)
            for name in attacks:
                rows = torch.tensor([place for place, each in enumerate(decided) if each == NOTHING], dtype=torch.int64)
                if len(rows):
                    fool = partial(self._fooling, tools[name], rows.to(self.images.device), budget)
                    lengths = outcome(f"{self.norm}/{self.numbers.start}/{budget}/{name}", fool)
                    found = ~lengths.isnan()
                    for place in rows[found].tolist():
                        decided[place] = name
                    distance[rows[found]] = lengths[found]
            decided_by.append(list(decided))
            distances.append(distance.clone())
            progress(len(decided))
        return Bounds(before, decided_by, torch.stack(distances))

    def _fooling(self, perturb: Perturb, rows: Tensor, budget: float) -> Tensor:
        """Return the norms of the changes, float64 on the CPU, that fooled the images in `rows`; nan where none did."""
        images, labels = self.images[rows], self.labels[rows]
        try:
            with _random_numbers_kept(images.device), torch.no_grad():
                changed = perturb(images.clone(), labels.clone())
                finite = torch.isfinite(changed).flatten(1).all(1)
                changed = torch.where(finite.view(-1, 1, 1, 1), changed, images).clamp(0, 1)
                wrong = self.logits(changed).argmax(1) != labels
        except NotFiniteError:  # the library decides which images it asks about together
            numbers = [self.numbers[row] for row in rows.tolist()]
            raise not_finite(self.title, numbers, "some change of test image") from None
        difference = (changed.double() - images.double()).flatten(1)
        lengths = difference.abs().amax(1) if self.norm == "linf" else difference.norm(dim=1)
        return torch.where(wrong & is_within(lengths, budget), lengths, math.nan).cpu()

    def _tools(self, budget: float) -> dict[str, Perturb]:
        """The library's attacks by name, with the settings of its standard version."""
        from pyautoattack import AutoAttack

        # Its lines name options and a page of its documentation that nobody has here.
        logging.getLogger("auto-attack").setLevel(logging.ERROR)
        with torch.no_grad():
            targets = min(self.targets, self.logits(self.images[:1]).shape[1] - 1)
        kind: dict[str, Any] = {"norm": _LIBRARY_NORMS[self.norm], "eps": budget, "seed": self.seed}
        library = AutoAttack(self.logits, device=self.images.device, version="standard", **kind)
        library.apgd_targeted.n_target_classes = library.fab.n_target_classes = targets
        library.fab.targeted = True

        def apgd(loss: str) -> Perturb:
            def perturb(images: Tensor, labels: Tensor) -> Tensor:
                library.apgd.loss = loss
                return library.apgd.perturb(images, labels)

            return perturb

        return {
            "apgd-ce": apgd("ce"),
            "apgd-dlr": apgd("dlr"),
            "apgd-t": library.apgd_targeted.perturb,
            "fab-t": library.fab.perturb,
            "square": library.square.perturb,
        }


def _guarded(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The logits of a model that is given copies, so that one that writes into its input changes no image.

    A model that seeds PyTorch's random numbers does not change those that the library draws: Square would propose the
    same change again and again. Raises `NotFiniteError` for images of finite pixels whose logits are not finite.
    """

    def logits(images: Tensor) -> Tensor:
        with _random_numbers_kept(images.device):
            answers: Tensor = model(images.clone(memory_format=torch.contiguous_format)).float()
        if torch.isfinite(images).all():
            check_finite(answers.detach())
        return answers

    return logits


@contextmanager
def _random_numbers_kept(device: torch.device) -> Iterator[None]:
    """Leave the state of the random numbers of the whole process, which a block seeds, as it was."""
    if device.type != "cuda":
        with torch.random.fork_rng(devices=[]):
            yield
        return
    with torch.cuda.device(device), torch.random.fork_rng(devices=[device]):
        yield
