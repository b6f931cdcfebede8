"""The report's iterated gradient-sign attack (section 2), run on a pool of images that is kept full.

    x₀ = x,   xₜ₊₁ = clip(xₜ + α·d(∇R(xₜ)), 0, 1)

Each step is one forward and one backward pass over the images that are still being attacked. Images that ended leave
the pool and images from the queue take their places, so no evaluation is spent on a finished image. The gradient call
that decides whether an image has ended is the one that gives its next step. Images take turns, so that all advance
alike: which ones take long shows early, and fewer of them are left alone at the end.

Results do not depend on how the work was divided. Randomness is a function of (seed, image, iteration), and on a CPU
`gradients.frozen` makes the network's outputs independent of an image's position in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness import interruption
from robustness.attack_spec import CAP, DEFAULT_STATE, GIVEN, SKIPPED, SUCCESS, AttackSpec
from robustness.errors import UserError
from robustness.gradients import (
    log_probabilities,
    reward_gradient,
    smallest_batch,
    static_prediction,
    targets_of,
)
from robustness.models import memory_format
from robustness.randomness import random_signs
from robustness.tighten import Goal, tightened
from robustness.trajectories import Store, Trajectories

UNCHANGED_ITERATIONS = 20
"""Report, section 2: so many iterations without a change of the reward are the default state."""
UNCHANGED_TOLERANCE = 1e-6
"""A reward that moves less than this counts as unchanged."""

_TURN = 16
"""Steps after which images that wait take the places of those in the pool."""

_NEAR = {"tf32": 0.25, "bfloat16": 1.0}
"""How far below the next required confidence, in log-odds, each precision is checked in float32 from.

TF32 keeps three bits more than bfloat16, so that it errs an eighth as much.
"""

_AT_REST = 3
"""Steps for which a reward in reduced precision, which cannot tell small changes apart, may stand still by chance."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class AttackResult:
    """What happened to each of N attacked images at each of L required confidences; on the CPU, in the input's order.

    `adversarial` float32 (N, L, C, H, W) in [0, 1] is the first iterate that met the level, or the last one where none
    did (the original where skipped); `ended` int64 (N, L) indexes `ENDED`; `iterations` (N, L) is the number of steps
    taken up to there; `label_after` int64 and `confidence_after` float32 (N, L) are the prediction on it, and
    `zero_gradients` (N, L) the steps at which the gradient was exactly zero. Where the spec asks to `tighten`, results
    are those on the shortened way, and `scale` float64 (N, L) is what is left of the change (else 1). `label_before`
    (N,) is the prediction on the original, `target` (N,) the class aimed at, or −1.

    `evaluations` is the number of forward and backward passes per image, padding included; `needed` the same less
    padding; `batches` the number of images in each step's batch. Forward passes alone, which tightening and the checks
    of a reduced precision make, are not among them.
    """

    adversarial: Tensor
    ended: Tensor
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
) -> AttackResult:
    """Attack every image that `model` (from `gradients.frozen`) classifies correctly; at most `batch_size` at a time.

    `images` float32 (N, C, H, W) in [0, 1] and int64 `labels` (N,) are on the model's device. `image_ids` (N,) name the
    images for their random numbers, whatever shard they are in; an image may come several times. `targets` int64 (N,)
    are the classes to reach, where the spec's target is `given`. `progress` is called with the `ended` codes, at the
    highest level, of images as they end. `store` keeps the state at intervals and gives back one that was kept.

    Where the device's memory does not suffice for a batch, half of it is put back and the batches stay that small.
    Raises `UserError` naming `title` and the images when the model returns NaN, or when no batch fits into memory;
    `Interrupted`, with the state in `store`, when the script was asked to end.
    """
    images = images.to(memory_format=memory_format(model))
    state = store.load(images.device) if store is not None else None
    if state is None:
        state = Trajectories.start(images, len(spec.levels))
    elif progress is not None and state.over.any():
        progress(torch.from_numpy(state.ended[state.over, -1]))
    if (spec.target == GIVEN) != (targets is not None):
        raise ValueError("classes are given with the images exactly where the spec's target is 'given'")
    run = _Run(model, images, labels, image_ids, targets, spec, seed, title, progress, state)
    _step_until_all_ended(run, batch_size, store)
    scale = _tighten(run, images, batch_size) if spec.tighten else np.ones(state.ended.shape)
    smallest = smallest_batch(model, images.device)
    return AttackResult(
        adversarial=torch.from_numpy(state.adversarial),
        ended=torch.from_numpy(state.ended),
        iterations=torch.from_numpy(state.iterations),
        label_before=torch.from_numpy(state.label_before),
        label_after=torch.from_numpy(state.label_after),
        confidence_after=torch.from_numpy(state.confidence_after),
        zero_gradients=torch.from_numpy(state.zero_gradients_then),
        scale=torch.from_numpy(scale),
        target=torch.from_numpy(run.target),
        evaluations=sum(max(size, smallest) for size in state.batches),
        needed=sum(state.batches),
        batches=torch.tensor(state.batches, dtype=torch.int64),
    )


def _step_until_all_ended(run: _Run, batch_size: int, store: Store | None) -> None:
    state = run.state
    left = np.flatnonzero(~state.over)
    waiting = left[np.argsort(state.iteration[left], kind="stable")]
    rows, waiting = waiting[:batch_size], waiting[batch_size:]
    x = _take(state.x, rows)
    steps = 0
    while len(rows):
        done = None
        with suppress(torch.OutOfMemoryError):
            done = run.step(rows, x)
        if done is None:  # only here, where the error is gone: its traceback held all that the step had computed
            batch_size = run.halved(len(rows))
            _put(state.x, rows, x)
            rows, waiting = rows[:batch_size], np.concatenate([rows[batch_size:], waiting])
            x = _take(state.x, rows)
            continue
        if done.any():
            rows, x, waiting = _refilled(state, rows, x, waiting, done)
        steps += 1
        if steps % _TURN == 0 and len(waiting):
            _put(state.x, rows, x)
            waiting = np.concatenate([waiting, rows])
            rows, waiting = waiting[:batch_size], waiting[batch_size:]
            x = _take(state.x, rows)
        if store is not None and store.due():
            _put(state.x, rows, x)
            store.save(state)
            if interruption.requested():
                interruption.stop(f"{run.title}, {int(state.over.sum())} of {len(state.over)} images done", store.path)


def _tighten(run: _Run, images: Tensor, batch_size: int) -> NDArray[np.float64]:
    """Shorten every successful result in place; the scales (N, L)."""
    state = run.state
    scale = np.ones(state.ended.shape)
    rows, levels = np.nonzero(state.ended == SUCCESS)
    for start in range(0, len(rows), batch_size):
        row, level = rows[start : start + batch_size], levels[start : start + batch_size]
        x = torch.from_numpy(state.adversarial[row, level]).to(images.device).to(memory_format=memory_format(run.model))
        goal = Goal(run.truth[row], run.target[row], run.levels[level])
        shortened, scale[row, level], log_p = tightened(run.model, _take(images, row), x, goal)
        state.adversarial[row, level] = shortened.cpu().numpy()
        state.label_after[row, level] = log_p.argmax(1)
        state.confidence_after[row, level] = np.exp(log_p.max(1))
    return scale


def _take(x: Tensor, rows: Rows) -> Tensor:
    """A copy of `rows`, in the memory format of `x`."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    form = torch.channels_last if channels_last else torch.contiguous_format
    return x.index_select(0, torch.from_numpy(rows).to(x.device)).contiguous(memory_format=form)


def _put(x: Tensor, rows: Rows, values: Tensor) -> None:
    x.index_copy_(0, torch.from_numpy(rows).to(x.device), values)


def _refilled(
    state: Trajectories, rows: Rows, x: Tensor, waiting: Rows, done: NDArray[np.bool_]
) -> tuple[Rows, Tensor, Rows]:
    """The pool with waiting images in the places of those that are done; without enough of them it shrinks."""
    places = np.flatnonzero(done)
    new, waiting = waiting[: len(places)], waiting[len(places) :]
    filled, emptied = places[: len(new)], places[len(new) :]
    rows = rows.copy()
    if len(new):
        rows[filled] = new
        _put(x, filled, _take(state.x, new))
    if len(emptied):
        kept = np.delete(np.arange(len(rows)), emptied)
        rows, x = rows[kept], _take(x, kept)
    return rows, x, waiting


class _Run:
    """What stays the same through one attack, and its step.

    Decisions are taken on the host, on the few log-probabilities of each image: there each costs a microsecond, a
    fifth of the same on tensors, and is the same on every device.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        image_ids: Tensor,
        targets: Tensor | None,
        spec: AttackSpec,
        seed: int,
        title: str,
        progress: Callable[[Tensor], None] | None,
        state: Trajectories,
    ) -> None:
        self.model, self.spec, self.seed, self.title, self.progress = model, spec, seed, title, progress
        self.state = state
        self.image_ids = image_ids.cpu().numpy()
        self.truth = labels.cpu().numpy()
        if targets is None:
            self.target = targets_of(model, images, labels, image_ids, spec.target, seed)
        else:
            self.target = targets.cpu().numpy()
        self.aimed = self.truth if spec.target is None else self.target
        self.static_label = static_prediction(model, images.shape[1:], seed, images.device)
        self.levels = np.array(spec.levels)
        self._places = np.arange(len(labels))
        self._direction: Tensor | None = None

    def halved(self, batch_size: int) -> int:
        """Half of a batch size that did not fit into memory."""
        if batch_size == 1:
            raise UserError(f"{self.title}: the device's memory does not hold a batch of one image")
        torch.cuda.empty_cache()
        return batch_size // 2

    def step(self, rows: Rows, x: Tensor) -> NDArray[np.bool_]:
        """Evaluate the images `x` (B, …) of `rows`, record what they met, and move all in place; who is done (B,)."""
        state = self.state
        log_p, gradient = reward_gradient(self.model, x, self.aimed[rows], self.spec)
        state.batches.append(len(rows))
        if self.spec.gradients != "float32":
            log_p = self._in_float32(rows, x, log_p)
        iteration = state.iteration[rows]
        done = self._decide(rows, x, log_p, iteration, self._stuck(rows, log_p))
        self._move(rows, x, gradient, iteration)
        state.iteration[rows] = iteration + 1
        return done

    def _in_float32(self, rows: Rows, x: Tensor, log_p: NDArray[np.floating]) -> NDArray[np.floating]:
        """`log_p` computed again where it may decide: near the next confidence, at both ends, near the default state.

        An image that was near the default state keeps float32, since the two precisions' rewards are never the same.
        """
        state = self.state
        state.exact[rows] |= (state.unchanged[rows] >= _AT_REST) & (log_p.argmax(1) == self.static_label)
        iteration = state.iteration[rows]
        ends = (iteration == 0) | (iteration >= self.spec.max_iterations)
        exact = np.flatnonzero(state.exact[rows] | ends | self._near(rows, log_p))
        if len(exact):
            log_p[exact] = log_probabilities(self.model, _take(x, exact))
        return log_p

    def _near(self, rows: Rows, log_p: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which images (B,) are at most `_NEAR` below the next level that they have to reach, or beyond it."""
        near = _NEAR[self.spec.gradients]
        columns = self._places[: len(rows)]
        if self.spec.target is None:
            wrong = log_p.copy()
            wrong[columns, self.truth[rows]] = -np.inf
            goal = wrong.argmax(1)
        else:
            goal = self.target[rows]
        others = log_p.copy()
        others[columns, goal] = -np.inf
        level = self.levels[self.state.met[rows]]
        # Nothing is as likely as a level of 0 asks for (argmax), nor as unlikely as a probability that rounds to 1.
        with np.errstate(divide="ignore"):
            needed = np.log(level) - np.log1p(-level)
            odds = log_p[columns, goal] - np.log(np.exp(others).sum(1))
        likeliest = log_p[columns, goal] >= others.max(1) - near
        return likeliest & (odds >= needed - near)

    def _watched(self, rows: Rows, log_p: NDArray[np.floating]) -> NDArray[np.floating]:
        """What stands still in the default state (B,): the probability, or for the cross-entropy the log-odds.

        Where a network is very sure of a class, p and log p stand still to six digits while its logits move. The
        report's rule, which is about p, takes that for the default state; that of the cross-entropy does not.
        """
        columns = self._places[: len(rows)]
        own = log_p[columns, self.aimed[rows]]
        if self.spec.reward == "probability":
            return np.exp(own)
        others = log_p.copy()
        others[columns, self.aimed[rows]] = -np.inf
        likeliest = others.max(1)
        return own - likeliest - np.log(np.exp(others - likeliest[:, None]).sum(1))

    def _stuck(self, rows: Rows, log_p: NDArray[np.floating]) -> NDArray[np.bool_] | None:
        """Which images are in the default state: `_watched` still for long, prediction as on static; None: not one."""
        state = self.state
        watched = self._watched(rows, log_p)
        still = np.abs(watched - state.watched[rows]) <= UNCHANGED_TOLERANCE
        state.watched[rows] = watched
        if not still.any():
            state.unchanged[rows] = 0
            return None
        unchanged = (state.unchanged[rows] + 1) * still
        state.unchanged[rows] = unchanged
        return (unchanged >= UNCHANGED_ITERATIONS) & (log_p.argmax(1) == self.static_label)

    def _decide(
        self, rows: Rows, x: Tensor, log_p: NDArray[np.floating], iteration: Rows, stuck: NDArray[np.bool_] | None
    ) -> NDArray[np.bool_]:
        """Record the levels that each image meets for the first time, and how it ended if it did (B,)."""
        state, spec = self.state, self.spec
        truth = self.truth[rows]
        prediction = log_p.argmax(1)
        confidence = np.exp(log_p[self._places[: len(rows)], prediction])
        if not np.isfinite(confidence.sum()):
            bad = self.image_ids[rows[~np.isfinite(confidence)]].tolist()
            raise UserError(
                f"{self.title}: the model returned NaN or infinity for test images {bad[:5]}: its weights are unusable"
            )
        fooled = prediction != truth if spec.target is None else prediction == self.target[rows]
        reached = np.searchsorted(self.levels, confidence, side="right") * fooled
        over = (reached == len(self.levels)) | (iteration >= spec.max_iterations)
        failure = np.full(len(rows), CAP)
        if stuck is not None:
            failure[stuck] = DEFAULT_STATE
            over |= stuck
        if not iteration.all():
            first = iteration == 0
            state.label_before[rows[first]] = prediction[first]
            skipped = first & ((prediction != truth) | (self.target[rows] == truth))
            over |= skipped
            reached[skipped] = 0
            failure[skipped] = SKIPPED
        new = np.flatnonzero(over | (reached > state.met[rows]))
        if len(new):
            pixels = _take(x, new).cpu().numpy()
            self._record(rows[new], pixels, reached[new], over[new], failure[new], prediction[new], confidence[new])
        return over

    def _record(
        self,
        rows: Rows,
        pixels: NDArray[np.float32],
        reached: NDArray[np.int64],
        over: NDArray[np.bool_],
        failure: NDArray[np.int64],
        prediction: NDArray[np.int64],
        confidence: NDArray[np.floating],
    ) -> None:
        """Note what is new of `rows` (M,), with the same entries in all: levels met, and the end for those not met."""
        state = self.state
        for level in range(len(self.levels)):
            met = reached > level
            new = (met | over) & (state.met[rows] <= level)
            if not new.any():
                continue
            row = rows[new]
            state.adversarial[row, level] = pixels[new]
            state.ended[row, level] = np.where(met, SUCCESS, failure)[new]
            state.iterations[row, level] = state.iteration[row]
            state.label_after[row, level] = prediction[new]
            state.confidence_after[row, level] = confidence[new]
            state.zero_gradients_then[row, level] = state.zero_gradients[row]
        state.met[rows] = np.maximum(state.met[rows], reached)
        state.over[rows] = over
        if self.progress is not None and over.any():
            self.progress(torch.from_numpy(state.ended[rows[over], -1]))

    def _move(self, rows: Rows, x: Tensor, gradient: Tensor, iteration: Rows) -> None:
        """Move every image along its direction; a zero gradient is replaced by random signs (report, section 2)."""
        spec = self.spec
        if spec.direction == "sign":
            if self._direction is None or self._direction.shape != gradient.shape:
                self._direction = torch.empty_like(gradient)
            # Into memory that is kept: new memory for so large a tensor costs more than the signs.
            direction = torch.sign(gradient, out=self._direction)
        else:
            # In float64 the order of the sum, which depends on the batch, is lost in rounding.
            norm = gradient.flatten(1).double().norm(dim=1).float().clamp_min(torch.finfo(torch.float32).tiny)
            direction = gradient / norm.view(-1, 1, 1, 1)
        flat = direction.flatten(1)
        # One value settles it for nearly every image; all of them are read only where that one is zero.
        if not flat[:, flat.shape[1] // 2].cpu().numpy().all():
            zero = ~flat.any(1)
            vanished = zero.cpu().numpy()
            if vanished.any():
                ids, steps = torch.from_numpy(self.image_ids[rows[vanished]]), torch.from_numpy(iteration[vanished])
                signs = random_signs(self.seed, ids.to(x.device), steps.to(x.device), direction.shape[1:])
                direction[zero] = signs if spec.direction == "sign" else signs / signs[0].numel() ** 0.5
                self.state.zero_gradients[rows[vanished]] += 1
        x.add_(direction, alpha=spec.alpha).clamp_(0, 1)
