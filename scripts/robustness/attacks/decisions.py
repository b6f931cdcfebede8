"""Decides from log-probabilities whether an attack on an image has ended, and records it; for one attack alone.

Decisions are taken on the host, on the few log-probabilities of each image: there a decision costs a microsecond, a
fifth of its cost on tensors, and is the same on every device.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustness.attacks.pool import Rows, take
from robustness.attacks.spec import AttackSpec
from robustness.attacks.state import Trajectories
from robustness.outcome import CAP, DEFAULT_STATE, SKIPPED, SUCCESS

UNCHANGED_ITERATIONS = 20
"""Paper, section 2: this many iterations without a change of the reward are the default state."""
UNCHANGED_TOLERANCE = 1e-6
"""A reward that moves less than this counts as unchanged."""

_NEAR = {"tf32": 0.25, "bfloat16": 1.0}
"""Distance below the next required confidence, in log-odds, from which each precision is checked in float32.

TF32 keeps three bits more than bfloat16, so its error is an eighth.
"""

_AT_REST = 3
"""Steps for which a reward in reduced precision may stay the same by chance, as it cannot tell small changes apart."""


class Decisions:
    """What one attack decides about its images, whichever attacks share their steps.

    `truth` and `target` int64 (N,) are the true class and the one aimed at (−1 for none); `static_label` is the
    prediction on random static.
    """

    def __init__(
        self,
        spec: AttackSpec,
        state: Trajectories,
        truth: NDArray[np.int64],
        target: NDArray[np.int64],
        static_label: int,
        progress: Callable[[Tensor], None] | None,
    ) -> None:
        self.spec, self.state, self.progress = spec, state, progress
        self.truth, self.target, self.static_label = truth, target, static_label
        self.aimed = truth if spec.target is None else target
        self.levels = np.array(spec.levels)
        self._places = np.arange(len(truth))

    def needing_float32(self, rows: Rows, log_p: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which images (B,) reduced precision may decide wrongly: near a confidence or the default state.

        An image that was near the default state keeps float32, since the two precisions' rewards are never the same.
        """
        state = self.state
        state.exact[rows] |= (state.unchanged[rows] >= _AT_REST) & (log_p.argmax(1) == self.static_label)
        iteration = state.iteration[rows]
        ends = (iteration == 0) | (iteration >= self.spec.max_iterations)
        return state.exact[rows] | ends | self._near(rows, log_p)

    def decide(self, rows: Rows, log_p: NDArray[np.floating], x: Tensor, places: Rows) -> NDArray[np.bool_]:
        """Record what each image meets for the first time, and how its attack ended; return whose attack ended (B,).

        The pixels of the images in `rows` (B,) are at `places` (B,) in `x`.
        """
        stuck, iteration = self._stuck(rows, log_p), self.state.iteration[rows]
        state, spec = self.state, self.spec
        truth = self.truth[rows]
        prediction = log_p.argmax(1)
        confidence = np.exp(log_p[self._places[: len(rows)], prediction])
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
            pixels = take(x, places[new]).cpu().numpy()
            self._record(rows[new], pixels, reached[new], over[new], failure[new], prediction[new], confidence[new])
        return over

    def _near(self, rows: Rows, log_p: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which images (B,) are at most `_NEAR` below the next level that they have to reach, or beyond it."""
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
        """Return what stays the same in the default state (B,): the probability, or for the cross-entropy the log-odds.

        Where a network is very sure of a class, p and log p stay the same to six digits while its logits move. The
        paper's rule, which is about p, takes that for the default state; the rule for the cross-entropy does not.
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
        """Return which images are in the default state: `_watched` unchanged, static's prediction; None if none is."""
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
            state.outcome[row, level] = np.where(met, SUCCESS, failure)[new]
            state.iterations[row, level] = state.iteration[row]
            state.label_after[row, level] = prediction[new]
            state.confidence_after[row, level] = confidence[new]
            state.zero_gradients_then[row, level] = state.zero_gradients[row]
        state.met[rows] = np.maximum(state.met[rows], reached)
        state.over[rows] = over
        if self.progress is not None and over.any():
            self.progress(torch.from_numpy(state.outcome[rows[over], -1]))
