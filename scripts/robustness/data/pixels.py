"""Stored images, whose pixels are bytes, as networks and attacks take them: float32 in [0, 1].

One function on arrays. Exists because what an attack starts from and what its result is held against must be equal to
the last bit, and a GPU divides by multiplying with the reciprocal: half of all bytes become other numbers there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def from_bytes(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Each of `pixels`, uint8 of any shape, divided by 255, on the host."""
    scaled = pixels.astype(np.float32)
    scaled /= np.float32(255)
    return scaled
