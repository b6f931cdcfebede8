"""Runs the paper's iterated gradient-sign attack (section 2) on a pool of images that is kept full.

    x₀ = x,   xₜ₊₁ = clip(xₜ + α·d(∇R(xₜ)), 0, 1)

Each step is one forward and one backward pass over the images that are still being attacked. Images that ended leave
the pool and images from the queue take their places, so no evaluation is spent on a finished image. The gradient call
that decides whether an image has ended is the one that gives its next step. Images take turns, so that all advance
alike: slow images show early, and fewer are left alone at the end.

Attacks that differ in the reward alone (`spec.alike`) share an image's steps until their directions differ.

Results depend neither on how the work was divided nor on which steps were shared. Randomness is a function of (seed,
image, iteration), and on a CPU `models.frozen` makes the network's outputs independent of an image's position in the
batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.binary_search import tightened
from robustness.attacks.criterion import Criterion
from robustness.attacks.decisions import Decisions
from robustness.attacks.gradients import (
    STATIC_IMAGES,
    log_gradient,
    log_probabilities,
    of_probability,
    smallest_batch,
    static_prediction,
)
from robustness.attacks.pool import Entries, left_of, pixels_of, put, put_back, refilled, take
from robustness.attacks.spec import GIVEN, AttackSpec, alike
from robustness.attacks.state import Store, Trajectories
from robustness.attacks.targets import targets_of
from robustness.compute.counter_random import random_signs
from robustness.compute.finite import naming
from robustness.errors import UserError
from robustness.models.placement import memory_format
from robustness.outcome import SUCCESS
from robustness.runtime import preemption

_TURN = 16
"""Steps after which images that wait take the places of those in the pool."""


@dataclass(frozen=True)
class AttackResult:
    """The result for each of N attacked images at each of L required confidences; on the CPU, in the input's order.

    `adversarial` float32 (N, L, C, H, W) in [0, 1] is the first iterate that met the level, or the last one where none
    did (the original where skipped); `outcome` int64 (N, L) indexes `outcome.NUMBERED`; `iterations` (N, L) is the
    number of steps taken up to there; `label_after` int64 and `confidence_after` float32 (N, L) are the prediction on
    it, and `zero_gradients` (N, L) the steps at which the gradient was exactly zero. Where the spec asks to `tighten`,
    results are for the shortened change, and `scale` float64 (N, L) is the share of the change that is left (else 1).
    `label_before` (N,) is the prediction on the original, `target` (N,) the class aimed at, or −1.

    `evaluations` is the number of forward and backward passes per image, padding included; `needed` is the same
    without padding; `batches` is the number of images in each step's batch (of this attack, where steps were shared).
    Mere forward passes, as of tightening and of checks of a reduced precision, are not counted.
    """

    adversarial: Tensor
    outcome: Tensor
    iterations: Tensor
    label_before: Tensor
    label_after: Tensor
    confidence_after: Tensor
    zero_gradients: Tensor
    scale: Tensor
    target: Tensor
    evaluations: int
    needed: int
    batches: Tensor


@dataclass(frozen=True)
class Partner:
    """An attack to compute along with another one that it is `alike` to, and the store of its state."""

    spec: AttackSpec
    store: Store


def attack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    image_ids: Tensor,
    spec: AttackSpec,
    *,
    seed: int,
    batch_size: int,
    targets: Tensor | None = None,
    title: str = "model",
    progress: Callable[[Tensor], None] | None = None,
    store: Store | None = None,
    partners: Sequence[Partner] = (),
) -> AttackResult:
    """Attack every image that `model` (from `models.frozen`) classifies correctly; at most `batch_size` at a time.

    `images` float32 (N, C, H, W) in [0, 1] and int64 `labels` (N,) are on the model's device. `image_ids` (N,) name the
    images for their random numbers, whatever shard they are in; an image may come several times. `targets` int64 (N,)
    are the classes to reach, where the spec's target is `given`. `progress` is called with the numbers of the
    outcomes, at the highest level, of images as they end. `store` saves the state at intervals and returns a saved
    one.

    `partners` are computed along, and share the steps of each image as long as their directions are the same. Their
    states continue from their stores, are saved together with this attack's, and are left there when all images have
    ended: called with such a store, `attack` evaluates nothing, and returns what it would have computed alone.
    `progress` is told about their images, too.

    Where a batch does not fit into the device's memory, half of it is put back and later batches stay that small.
    Raises `UserError` naming `title` and the images when the model returns NaN, or when no batch fits into memory;
    `Interrupted`, with the states in their stores, when the script was asked to end.
    """
    if (spec.target == GIVEN) != (targets is not None):
        raise ValueError("classes are given with the images exactly where the spec's target is 'given'")
    if not all(alike(vars(spec), vars(partner.spec)) for partner in partners):
        raise ValueError("attacks share their steps only where they follow signs and differ in nothing but the reward")
    images = images.to(memory_format=memory_format(model))
    stores = [store, *(partner.store for partner in partners)]
    states = [_begun(images, spec, each, progress) for each in stores]
    specs = [spec, *(partner.spec for partner in partners)]
    run = _Run(model, images, labels, image_ids, targets, specs, seed, title, progress, states)
    _step_until_all_ended(run, batch_size, stores)
    for partner, state in zip(partners, states[1:], strict=True):
        partner.store.save(state)
    own = run.attacks[0]
    scale = _tighten(run, images, batch_size) if spec.tighten else np.ones(own.state.outcome.shape)
    return _result(own, scale, smallest_batch(model, images.device))


def _begun(
    images: Tensor, spec: AttackSpec, store: Store | None, progress: Callable[[Tensor], None] | None
) -> Trajectories:
    """Return the state of an attack from its store, or before the first step."""
    state = store.load(images.device) if store is not None else None
    if state is None:
        return Trajectories.start(images, len(spec.levels))
    # In the memory format of the images: a sum over an image is rounded differently in another.
    state.x = torch.empty_like(images).copy_(state.x)
    if progress is not None and state.over.any():
        progress(torch.from_numpy(state.outcome[state.over, -1]))
    return state


def _result(own: Decisions, scale: NDArray[np.float64], smallest: int) -> AttackResult:
    state = own.state
    return AttackResult(
        adversarial=torch.from_numpy(state.adversarial),
        outcome=torch.from_numpy(state.outcome),
        iterations=torch.from_numpy(state.iterations),
        label_before=torch.from_numpy(state.label_before),
        label_after=torch.from_numpy(state.label_after),
        confidence_after=torch.from_numpy(state.confidence_after),
        zero_gradients=torch.from_numpy(state.zero_gradients_then),
        scale=torch.from_numpy(scale),
        target=torch.from_numpy(own.target),
        evaluations=sum(max(size, smallest) for size in state.batches),
        needed=sum(state.batches),
        batches=torch.tensor(state.batches, dtype=torch.int64),
    )


def _step_until_all_ended(run: _Run, batch_size: int, stores: Sequence[Store | None]) -> None:
    states = [each.state for each in run.attacks]
    waiting = left_of(states)
    pool, waiting = waiting[:batch_size], waiting[batch_size:]
    x = pixels_of(states, pool)
    steps = 0
    while len(pool):
        after = None
        with suppress(torch.OutOfMemoryError):
            after = run.step(pool, x)
        if after is None:  # only here, where the error is gone: its traceback held all that the step had computed
            batch_size = run.halved(len(pool))
            put_back(states, pool, x)
            pool, waiting = pool[:batch_size], pool[batch_size:].then(waiting)
            x = pixels_of(states, pool)
            continue
        left, parted = after
        if left is not pool:
            waiting = waiting if parted is None else parted.then(waiting)
            pool, x, waiting = refilled(states, left, x, waiting, batch_size)
        steps += 1
        if steps % _TURN == 0 and len(waiting):
            put_back(states, pool, x)
            waiting = waiting.then(pool)
            pool, waiting = waiting[:batch_size], waiting[batch_size:]
            x = pixels_of(states, pool)
        if stores[0] is not None and stores[0].due():
            put_back(states, pool, x)
            # All at one time, so that images which share their steps do so when the states are taken up again.
            for store, state in zip(stores, states, strict=True):
                if store is not None:
                    store.save(state)
            if preemption.requested():
                over = states[0].over
                preemption.stop(f"{run.title}, {int(over.sum())} of {len(over)} images done", stores[0].path)


def _tighten(run: _Run, images: Tensor, batch_size: int) -> NDArray[np.float64]:
    """Shorten every successful result of the first attack in place; return the scales (N, L)."""
    own, model = run.attacks[0], run.model
    state = own.state
    scale = np.ones(state.outcome.shape)
    rows, levels = np.nonzero(state.outcome == SUCCESS)
    for start in range(0, len(rows), batch_size):
        row, level = rows[start : start + batch_size], levels[start : start + batch_size]
        x = torch.from_numpy(state.adversarial[row, level]).to(images.device).to(memory_format=memory_format(model))
        criterion = Criterion(own.truth[row], own.target[row], own.levels[level])
        with naming(run.title, run.image_ids[row]):
            shortened, scale[row, level], log_p = tightened(model, take(images, row), x, criterion)
        state.adversarial[row, level] = shortened.cpu().numpy()
        state.label_after[row, level] = log_p.argmax(1)
        state.confidence_after[row, level] = np.exp(log_p.max(1))
    return scale


@dataclass(frozen=True)
class _Direction:
    """Where a reward rises (B, C, H, W), and which images (B,) move at random instead; None if none does."""

    by_pixel: Tensor
    vanished: NDArray[np.bool_] | None


class _Run:
    """What stays the same through attacks that share their steps, and the step."""

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        image_ids: Tensor,
        targets: Tensor | None,
        specs: Sequence[AttackSpec],
        seed: int,
        title: str,
        progress: Callable[[Tensor], None] | None,
        states: Sequence[Trajectories],
    ) -> None:
        self.model, self.seed, self.title = model, seed, title
        self.spec = specs[0]  # all specs are the same except for the reward
        self.image_ids = image_ids.cpu().numpy()
        truth = labels.cpu().numpy()
        if targets is None:
            target = targets_of(model, images, labels, image_ids, self.spec.target, seed, title)
        else:
            target = targets.cpu().numpy()
        with naming(title, np.arange(STATIC_IMAGES), "random-static image"):
            static_label = static_prediction(model, images.shape[1:], seed, images.device)
        self.attacks = [
            Decisions(spec, state, truth, target, static_label, progress)
            for spec, state in zip(specs, states, strict=True)
        ]
        self.aimed = self.attacks[0].aimed
        self._memory: dict[str, Tensor] = {}

    def halved(self, batch_size: int) -> int:
        """Return half of a batch size that did not fit into memory."""
        if batch_size == 1:
            raise UserError(f"{self.title}: the device's memory does not hold a batch of one image")
        torch.cuda.empty_cache()
        return batch_size // 2

    def step(self, pool: Entries, x: Tensor) -> tuple[Entries, Entries | None]:
        """Evaluate the images `x` (B, …) of the pool for all attacks, record what they met, and move `x` in place.

        Returns the pool with the attacks that continue (the same pool where all do), and the entries that left it, if
        any, whose pixels are in their attacks' states.
        """
        with naming(self.title, self.image_ids[pool.image]):
            log_p, gradient = log_gradient(self.model, x, self.aimed[pool.image], self.spec)
        directions = self._directions(pool, log_p, gradient)
        seen = self._seen(pool, x, log_p)
        left = pool
        for attack, (each, places, rows) in enumerate(zip(self.attacks, pool.places, pool.rows, strict=True)):
            if not len(rows):
                continue
            each.state.batches.append(len(rows))
            over = each.decide(rows, seen[attack], x, places)
            if over.any():
                left = left.without(places[over], attack)
            vanished = directions[each.spec.reward].vanished
            if vanished is not None:
                each.state.zero_gradients[rows[vanished[places]]] += 1
            each.state.iteration[rows] += 1
        return self._moved(left, x, directions)

    def _seen(self, pool: Entries, x: Tensor, log_p: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """Return the log-probabilities that each attack decides on, in float32 where the precision may matter."""
        if self.spec.gradients == "float32":
            return [log_p if len(places) == len(log_p) else log_p[places] for places in pool.places]
        seen = [log_p[places] for places in pool.places]
        needing = np.zeros_like(pool.attacks)
        for attack, (each, places, rows) in enumerate(zip(self.attacks, pool.places, pool.rows, strict=True)):
            needing[places, attack] = each.needing_float32(rows, seen[attack])
        exact = np.flatnonzero(needing.any(1))
        if len(exact):
            log_p = log_p.copy()
            with naming(self.title, self.image_ids[pool.image[exact]]):
                log_p[exact] = log_probabilities(self.model, take(x, exact))
            for own, places, need in zip(seen, pool.places, needing.T, strict=True):
                own[need[places]] = log_p[places[need[places]]]
        return seen

    def _directions(self, pool: Entries, log_p: NDArray[np.floating], gradient: Tensor) -> dict[str, _Direction]:
        """Return the direction of each reward that an attack in the pool follows."""
        rewards = {each.spec.reward for each, rows in zip(self.attacks, pool.rows, strict=True) if len(rows)}
        found = {}
        if "cross_entropy" in rewards:
            found["cross_entropy"] = self._direction("cross_entropy", pool, gradient)
        if "probability" in rewards:
            product = of_probability(gradient, log_p, self.aimed[pool.image])
            found["probability"] = self._direction("probability", pool, product)
        return found

    def _direction(self, reward: str, pool: Entries, gradient: Tensor) -> _Direction:
        """Return the direction along a gradient; random signs replace a gradient of zero (paper, section 2)."""
        spec = self.spec
        if spec.direction == "sign":
            memory = self._memory.get(reward)
            if memory is None or memory.shape != gradient.shape:
                memory = self._memory[reward] = torch.empty_like(gradient)
            # Into memory that is kept: new memory for so large a tensor costs more than the signs.
            direction = torch.sign(gradient, out=memory)
        else:
            # In float64 the order of the sum, which depends on the batch, is lost in rounding.
            norm, least = gradient.flatten(1).double().norm(dim=1).view(-1, 1, 1, 1), torch.finfo(torch.float32).tiny
            direction = gradient / norm.float().clamp_min(least)
            tiny = (norm < least).flatten()  # float32 has few digits for such a norm
            direction[tiny] = (gradient[tiny].double() / norm[tiny].clamp_min(torch.finfo(torch.float64).tiny)).float()
        flat = direction.flatten(1)
        # One value settles it for nearly every image; all of them are read only where that one is zero.
        if flat[:, flat.shape[1] // 2].cpu().numpy().all():
            return _Direction(direction, None)
        zero = ~flat.any(1)
        vanished = zero.cpu().numpy()
        if not vanished.any():
            return _Direction(direction, None)
        ids = torch.from_numpy(self.image_ids[pool.image[vanished]]).to(direction.device)
        steps = torch.from_numpy(self._iteration(pool)[vanished]).to(direction.device)
        signs = random_signs(self.seed, ids, steps, direction.shape[1:])
        direction[zero] = signs if spec.direction == "sign" else signs / signs[0].numel() ** 0.5
        return _Direction(direction, vanished)

    def _iteration(self, pool: Entries) -> NDArray[np.int64]:
        """Return the steps that the pool's images have taken (B,), the same in all attacks on an image."""
        iteration = np.zeros(len(pool), np.int64)
        for each, places, rows in zip(self.attacks, pool.places, pool.rows, strict=True):
            iteration[places] = each.state.iteration[rows]
        return iteration

    def _moved(self, pool: Entries, x: Tensor, directions: dict[str, _Direction]) -> tuple[Entries, Entries | None]:
        """Move every image along its attacks' direction; return the pool without parting attacks, and their entries."""
        if len(directions) == 1:
            (direction,) = directions.values()
            self._move(x, direction.by_pixel)
            return pool, None
        plain, small = (directions[reward].by_pixel for reward in ("cross_entropy", "probability"))
        if torch.equal(plain, small):
            self._move(x, plain)
            return pool, None
        differ = (plain != small).flatten(1).any(1).cpu().numpy()
        of_small = np.array([each.spec.reward == "probability" for each in self.attacks])
        on_small, on_plain = ((pool.attacks & which).any(1) for which in (of_small, ~of_small))
        apart, lone = np.flatnonzero(differ & on_small & on_plain), np.flatnonzero(differ & on_small & ~on_plain)
        parted = Entries(pool.image[apart], pool.attacks[apart] & of_small) if len(apart) else None
        if parted is not None:
            others = take(x, apart)
            self._move(others, take(small, apart))
            put_back([each.state for each in self.attacks], parted, others)
            pool = pool.without(apart, of_small)
        put(plain, lone, take(small, lone))
        self._move(x, plain)
        return pool, parted

    def _move(self, x: Tensor, direction: Tensor) -> None:
        x.add_(direction, alpha=self.spec.alpha).clamp_(0, 1)
