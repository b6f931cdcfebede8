"""Chooses the images that the example figures show (paper, Fig. 4, 5, 8 to 11): by rule, not by eye."""

from __future__ import annotations

import numpy as np
import pandas

from robustness.outcome import Outcome


def first_example(records: list[pandas.DataFrame], label: int) -> int:
    """Return the number of the first test image of class `label` that the most models attack rather than skip.

    `records` holds one table per model, with the same images in the same order. So the image is one that every model
    classifies correctly, where there is one. Raises `ValueError` when no attacked image has that class.
    """
    same_class = records[0]["label"] == label
    if not same_class.any():
        raise ValueError(f"none of the {len(same_class)} attacked test images has class number {label}")
    attacked = np.sum([table["ended"] != Outcome.SKIPPED for table in records], axis=0)
    return int(records[0]["image"].to_numpy()[np.where(same_class, attacked, -1).argmax()])
