"""Keeps the images that an attack steps at a time, and which attacks share each image's steps.

Attacks that differ only in the reward take the same steps until their directions differ. An image on which several
attacks are still together is one entry here, evaluated once for all of them; where they part, it becomes several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustness.attacks.state import Trajectories

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
    """B images that wait or are stepped, and the attacks, of A, that are together on each.

    `image` int64 (B,) is the row of each in the attacks' states; `attacks` bool (B, A).
    """

    image: Rows
    attacks: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, which: slice | Rows | NDArray[np.bool_]) -> Entries:
        return Entries(self.image[which], self.attacks[which])

    def without(self, places: Rows, which: int | NDArray[np.bool_]) -> Entries:
        """Return these entries without one attack, or without the attacks of a mask (A,), at some places."""
        attacks = self.attacks.copy()
        attacks[np.ix_(places, which) if isinstance(which, np.ndarray) else (places, which)] = False
        return Entries(self.image, attacks)

    def replaced(self, places: Rows, others: Entries) -> Entries:
        """Return these entries, with others at some places."""
        image, attacks = self.image.copy(), self.attacks.copy()
        image[places], attacks[places] = others.image, others.attacks
        return Entries(image, attacks)

    def then(self, others: Entries) -> Entries:
        """Return these entries, and others after them."""
        return Entries(np.concatenate([self.image, others.image]), np.concatenate([self.attacks, others.attacks]))

    @cached_property
    def places(self) -> list[Rows]:
        """Return for each attack the positions of its entries."""
        return [among.nonzero()[0] for among in self.attacks.T]

    @cached_property
    def rows(self) -> list[Rows]:
        """Return for each attack the images of its entries."""
        return [self.image[places] for places in self.places]


def left_of(states: Sequence[Trajectories]) -> Entries:
    """Return all images that are still being attacked, those with the fewest steps first.

    Attacks share an image where their pixels and numbers of steps are equal, so states that were saved at different
    times fit together, too.
    """
    parts: list[Entries] = []
    alone = [~state.over for state in states]
    for first, state in enumerate(states):
        attacks = np.zeros((len(state.over), len(states)), np.bool_)
        attacks[:, first] = alone[first]
        for other in range(first + 1, len(states)):
            same = alone[first] & alone[other] & (state.iteration == states[other].iteration)
            if same.any():
                same &= (state.x == states[other].x).flatten(1).all(1).cpu().numpy()
            attacks[:, other] = same
            alone[other] = alone[other] & ~same
        images = np.flatnonzero(alone[first])
        parts.append(Entries(images, attacks[images]))
    entries = Entries(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("image", "attacks")))
    steps = np.concatenate([state.iteration[part.image] for state, part in zip(states, parts, strict=True)])
    return entries[np.argsort(steps, kind="stable")]


def take(x: Tensor, rows: Rows) -> Tensor:
    """Return a copy of `rows`, in the memory format of `x`."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    form = torch.channels_last if channels_last else torch.contiguous_format
    return x.index_select(0, torch.from_numpy(rows).to(x.device)).contiguous(memory_format=form)


def put(x: Tensor, rows: Rows, values: Tensor) -> None:
    """Write `values` to `rows` of `x`."""
    x.index_copy_(0, torch.from_numpy(rows).to(x.device), values)


def pixels_of(states: Sequence[Trajectories], entries: Entries) -> Tensor:
    """Return a copy of the current pixels (B, C, H, W) of some entries."""
    first = entries.attacks.argmax(1)
    x = take(states[0].x, entries.image)
    for attack in range(1, len(states)):
        places = np.flatnonzero(first == attack)
        if len(places):
            put(x, places, take(states[attack].x, entries.image[places]))
    return x


def put_back(states: Sequence[Trajectories], entries: Entries, x: Tensor) -> None:
    """Write the current pixels of some entries into the states of their attacks."""
    for state, places, rows in zip(states, entries.places, entries.rows, strict=True):
        put(state.x, rows, x if len(places) == len(x) else take(x, places))


def refilled(
    states: Sequence[Trajectories], pool: Entries, x: Tensor, waiting: Entries, size: int
) -> tuple[Entries, Tensor, Entries]:
    """Return the pool with waiting entries in place of those that no attack is on; without enough of them it shrinks.

    A pool smaller than `size` takes in waiting entries.
    """
    places = np.flatnonzero(~pool.attacks.any(1))
    filled, emptied = places[: len(waiting)], places[len(waiting) :]
    if len(filled):
        new, waiting = waiting[: len(filled)], waiting[len(filled) :]
        pool = pool.replaced(filled, new)
        put(x, filled, pixels_of(states, new))
    if len(emptied):
        kept = np.delete(np.arange(len(pool)), emptied)
        pool, x = pool[kept], take(x, kept)
    if len(waiting) and len(pool) < size:
        more, waiting = waiting[: size - len(pool)], waiting[size - len(pool) :]
        pool, x = pool.then(more), torch.cat([x, pixels_of(states, more)])
    return pool, x, waiting
