"""Names what a judge can answer about a changed image: the new label, the original one, or neither."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ANSWERS = ("new", "original", "neither")
"""The label that the attacked network gives the changed image, the true one, or any other."""


def answers(predictions: NDArray[np.int64], new: NDArray[np.int64], original: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return each prediction (N,) as one of `ANSWERS`; `new` and `original` (N,) are an image's two labels."""
    return np.select([predictions == new, predictions == original], ANSWERS[:2], ANSWERS[2])
