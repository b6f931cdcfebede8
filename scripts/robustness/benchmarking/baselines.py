"""Does the attack's work in other ways, to compare their times with ours.

Pure functions on tensors; no result of the study uses them. Two are the same attack as in `attacks.iterated_sign`
(untargeted, sign steps), written the way that attack libraries and notebooks write it; they must agree with it on how
each image ends and after how many steps. One is the most similar attack of another library, and one is no attack at
all: only the gradient calls. All use the model as `plain` returns it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustness.attacks.decisions import UNCHANGED_ITERATIONS, UNCHANGED_TOLERANCE
from robustness.attacks.gradients import static_prediction
from robustness.attacks.spec import AttackSpec
from robustness.compute.counter_random import random_signs
from robustness.errors import UserError
from robustness.models.placement import memory_format, placed
from robustness.outcome import CAP, DEFAULT_STATE, SKIPPED, SUCCESS

_RUNNING = -1


@dataclass(frozen=True)
class Attacked:
    """How the attack on each of N images ended (an index of `outcome.NUMBERED`) and after how many steps.

    Both int64 (N,), on the CPU.

    `evaluations` counts forward and backward passes of single images, including passes of images that had ended.
    """

    outcome: Tensor
    iterations: Tensor
    evaluations: int


def plain(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of `model` in evaluation mode on `device`, channels last, without gradients for its weights."""
    return placed(copy.deepcopy(model), device).eval().requires_grad_(False)


def keep_until_last(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    image_ids: Tensor,
    spec: AttackSpec,
    *,
    seed: int,
    batch_size: int,
) -> Attacked:
    """Attack one batch after another, and evaluate all images of a batch until its last image has ended.

    Foolbox, torchattacks and the Adversarial Robustness Toolbox do so. The arguments are the same as in
    `attacks.iterated_sign.attack`.
    Raises `UserError` for an attack that is targeted or does not step by the sign.
    """
    _check(spec)
    static_label = static_prediction(model, images.shape[1:], seed, images.device)
    images = images.contiguous(memory_format=memory_format(model))
    parts = [
        _until_last(model, images[start:stop], labels[start:stop], image_ids[start:stop], spec, seed, static_label)
        for start, stop in _ranges(len(images), batch_size)
    ]
    return Attacked(
        outcome=torch.cat([part.outcome for part in parts]),
        iterations=torch.cat([part.iterations for part in parts]),
        evaluations=sum(part.evaluations for part in parts),
    )


def _until_last(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    image_ids: Tensor,
    spec: AttackSpec,
    seed: int,
    static_label: int,
) -> Attacked:
    """Attack one batch. Images that have ended take steps of length zero, so nothing is copied to keep them.

    The device is asked once per step: whether to continue, and whether there are zero gradients.
    """
    x = images.clone()
    outcome = torch.full_like(labels, _RUNNING)
    iterations, unchanged = torch.zeros_like(labels), torch.zeros_like(labels)
    previous = torch.full(labels.shape, torch.nan, device=images.device)
    step = 0
    while True:
        probabilities, watched, gradient = _reward_gradient(model, x, labels, spec)
        confidence, prediction = probabilities.max(1)
        unchanged = torch.where((watched - previous).abs() <= UNCHANGED_TOLERANCE, unchanged + 1, 0)
        previous = watched
        running, wrong = outcome == _RUNNING, prediction != labels
        at_rest = (unchanged >= UNCHANGED_ITERATIONS) & (prediction == static_label)
        if step == 0:
            outcome = torch.where(wrong, SKIPPED, outcome)
        else:
            if step >= spec.max_iterations:
                outcome = torch.where(running, CAP, outcome)
            outcome = torch.where(running & at_rest, DEFAULT_STATE, outcome)
            outcome = torch.where(running & wrong & (confidence >= spec.confidence), SUCCESS, outcome)
        running = outcome == _RUNNING
        direction = gradient.sign()
        zero = running & ~direction.flatten(1).any(1)
        going_on, any_zero = torch.stack((running.any(), zero.any())).tolist()
        if not going_on:
            return Attacked(outcome.cpu(), iterations.cpu(), evaluations=(step + 1) * len(images))
        if any_zero:
            direction[zero] = random_signs(seed, image_ids[zero], iterations[zero], images.shape[1:])
        x.addcmul_(direction, (spec.alpha * running).view(-1, 1, 1, 1)).clamp_(0, 1)
        iterations += running
        step += 1


def one_at_a_time(
    model: nn.Module, images: Tensor, labels: Tensor, image_ids: Tensor, spec: AttackSpec, *, seed: int
) -> Attacked:
    """Attack one image after another, as a notebook does. Arguments and errors are as in `keep_until_last`."""
    _check(spec)
    static_label = static_prediction(model, images.shape[1:], seed, images.device)
    images = images.contiguous(memory_format=memory_format(model))
    found = [
        _alone(model, images[row : row + 1], labels[row : row + 1], image_ids[row : row + 1], spec, seed, static_label)
        for row in range(len(images))
    ]
    outcome, iterations = torch.tensor(found).reshape(-1, 2).unbind(1)
    return Attacked(outcome, iterations, evaluations=int((iterations + 1).sum()))


def _alone(
    model: nn.Module, x: Tensor, label: Tensor, image_id: Tensor, spec: AttackSpec, seed: int, static_label: int
) -> tuple[int, int]:
    """Attack the one image in `x`; return how the attack ended, and after how many steps."""
    truth, previous = int(label), math.nan
    iteration = unchanged = 0
    while True:
        probabilities, observed, gradient = _reward_gradient(model, x, label, spec)
        best = probabilities.max(1)
        confidence, prediction, watched = best.values.item(), int(best.indices), observed.item()
        unchanged = unchanged + 1 if abs(watched - previous) <= UNCHANGED_TOLERANCE else 0
        previous = watched
        if iteration == 0 and prediction != truth:
            return SKIPPED, iteration
        if prediction != truth and confidence >= spec.confidence:
            return SUCCESS, iteration
        if unchanged >= UNCHANGED_ITERATIONS and prediction == static_label:
            return DEFAULT_STATE, iteration
        if iteration >= spec.max_iterations:
            return CAP, iteration
        direction = gradient.sign()
        if not direction.any():
            direction = random_signs(seed, image_id, torch.full_like(image_id, iteration), x.shape[1:])
        x = x.add(direction, alpha=spec.alpha).clamp_(0, 1)
        iteration += 1


def bare(model: nn.Module, images: Tensor, labels: Tensor, *, evaluations: int, batch_size: int) -> int:
    """Compute the cross-entropy and its gradient to the pixels, on full batches of the images, over and over.

    This is the least time that an evaluation can take: nothing is decided and no image changes. Returns the number of
    evaluations, which is `evaluations` rounded up to full batches.
    """
    rows = torch.arange(math.ceil(len(images) / batch_size) * batch_size, device=images.device) % len(images)
    images = images.contiguous(memory_format=memory_format(model))
    full = [(images[part], labels[part]) for part in rows.split(batch_size)]
    batches = math.ceil(evaluations / batch_size)
    for pixels, truth in islice(cycle(full), batches):
        x = pixels.requires_grad_()
        torch.autograd.grad(functional.cross_entropy(model(x), truth, reduction="sum"), x)
    return batches * batch_size


def fast_minimum_norm(
    attack: Callable[..., Tensor], model: nn.Module, images: Tensor, labels: Tensor, *, steps: int, batch_size: int
) -> int:
    """Run `attack`, adv-lib's FMN (Pintor et al., 2021), for its L∞ norm; return the number of evaluations.

    FMN never stops early: each image has `steps` gradient calls. It gets the images in the layout that they have, since
    it flattens them in place, and with channels last in memory that would make a copy.
    """
    for start, stop in _ranges(len(images), batch_size):
        attack(model, images[start:stop], labels[start:stop], norm=math.inf, steps=steps)
    return steps * len(images)


def _reward_gradient(model: nn.Module, x: Tensor, labels: Tensor, spec: AttackSpec) -> tuple[Tensor, Tensor, Tensor]:
    """Return probabilities (B, K), what is constant in the default state (B,), and images' gradients (B, C, H, W)."""
    x = x.detach().requires_grad_()
    logits = model(x)
    probabilities = logits.softmax(1)
    if spec.reward == "probability":
        watched = reward = -probabilities.gather(1, labels[:, None])[:, 0]
    else:
        reward = functional.cross_entropy(logits, labels, reduction="none")
        others = logits.scatter(1, labels[:, None], -torch.inf)
        watched = logits.gather(1, labels[:, None])[:, 0] - others.logsumexp(1)
    (gradient,) = torch.autograd.grad(reward.sum(), x)
    return probabilities.detach(), watched.detach(), gradient


def _check(spec: AttackSpec) -> None:
    if spec.target is not None or spec.direction != "sign":
        raise UserError("only an untargeted attack with sign steps can be timed: set target: null, direction: sign")


def _ranges(count: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, count)) for start in range(0, count, size)]
