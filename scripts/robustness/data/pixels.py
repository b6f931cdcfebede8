"""Converts stored images, whose pixels are bytes, to what networks and attacks take: float32 in [0, 1].

Exists because the image that an attack starts from and the image that its result is compared with must be equal to the
last bit. A GPU divides by multiplying with the reciprocal, which gives other numbers for half of all bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def from_bytes(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Divide each of `pixels`, uint8 of any shape, by 255 on the host."""
    scaled = pixels.astype(np.float32)
    scaled /= np.float32(255)
    return scaled
