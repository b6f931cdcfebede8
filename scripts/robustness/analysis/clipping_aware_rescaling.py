"""Brings changes of images to a common size: the same direction, another length, pixels kept in [0, 1].

Pure functions on arrays (N, C, H, W). Two changes can be compared only at the same size, whether the other change is
random noise (believability) or another model's (transfer).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NORMS = ("linf", "l2")
"""The norms that a change can be brought to, by their columns in the measures."""


_CHUNK = 1024
"""Images at a time, which bounds the memory for float64 copies."""


def rescaled(original: NDArray[np.float32], direction: NDArray[Any], size: ArrayLike, norm: str) -> NDArray[np.float32]:
    """x′ = clip(x + s·d, 0, 1) for images x in [0, 1] and directions d, with the s that gives x′ − x its `size`.

    `size` (one for all, or one for each of the N images) is the L∞ or L2 norm *after* clipping: where pixels can go no
    further, the others go further instead. Where the largest possible change along d is smaller, that change is used.
    Exact up to the rounding of x′ to float32. Raises `ValueError` for another norm.
    """
    sizes = np.broadcast_to(np.asarray(size, dtype=np.float64), len(original))
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(original), _CHUNK)]
    parts = [_rescaled(original[rows], direction[rows], sizes[rows], norm) for rows in chunks]
    return np.concatenate([original[:0], *parts])


def _rescaled(
    original: NDArray[np.float32], direction: NDArray[Any], size: NDArray[np.float64], norm: str
) -> NDArray[np.float32]:
    x = original.reshape(len(original), math.prod(original.shape[1:])).astype(np.float64)
    d = direction.reshape(x.shape).astype(np.float64)
    length = np.abs(d)
    room = np.where(d > 0, 1 - x, np.where(d < 0, x, 0.0))
    match norm:
        case "linf":
            scale = _scale_linf(length, room, size)
        case "l2":
            scale = _scale_l2(length, room, size)
        case _:
            raise ValueError(f"a change can be brought to {' or '.join(NORMS)}, not '{norm}'")
    moved = np.minimum(np.where(length > 0, np.where(length > 0, length, 1) * scale[:, None], 0), room)
    return np.clip(x + np.sign(d) * moved, 0, 1).astype(np.float32).reshape(original.shape)


def _scale_linf(length: NDArray[Any], room: NDArray[Any], size: NDArray[Any]) -> NDArray[np.float64]:
    """The s (N,) with maxᵢ min(s·|dᵢ|, roomᵢ) = size: the first pixel with room for it gets there at size / |dᵢ|."""
    able = (room >= size[:, None]) & (length > 0)
    reached = np.where(able, size[:, None] / np.where(able, length, 1), np.inf)
    return reached.min(axis=1, initial=np.inf)


def _scale_l2(length: NDArray[Any], room: NDArray[Any], size: NDArray[Any]) -> NDArray[np.float64]:
    """The s (N,) with Σᵢ min(s·|dᵢ|, roomᵢ)² = size².

    Pixel i stops at s = roomᵢ / |dᵢ|. In the order of these stops, the sum is the squared rooms of the stopped pixels
    plus s² times the squared lengths of the moving ones. So a sort finds the stretch that contains the solution, and a
    root finds the solution on it.
    """
    stops = np.where(length > 0, room / np.where(length > 0, length, 1), 0.0)
    order = np.argsort(stops, axis=1, kind="stable")
    stops, room, length = (np.take_along_axis(each, order, axis=1) for each in (stops, room, length))
    stopped = np.cumsum(room**2, axis=1) - room**2
    moving = np.cumsum((length**2)[:, ::-1], axis=1)[:, ::-1]
    # The squared norm at each stop, when all earlier pixels have stopped; the first that suffices ends the stretch.
    enough = stopped + stops**2 * moving >= size[:, None] ** 2
    stretch = enough.argmax(axis=1)[:, None]
    stopped, moving = (np.take_along_axis(each, stretch, axis=1)[:, 0] for each in (stopped, moving))
    scale = np.sqrt(np.maximum(size**2 - stopped, 0) / np.where(moving > 0, moving, 1))
    return np.where(enough.any(axis=1), scale, np.inf)
