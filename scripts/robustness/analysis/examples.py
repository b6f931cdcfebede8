"""Chooses the images that the example figures show (paper, Fig. 4, 5, 8 to 11): by rule, not by eye."""

from __future__ import annotations

import numpy as np
import pandas
from numpy.typing import NDArray

from robustness.outcome import Outcome


def median_example(records: list[pandas.DataFrame], label: int) -> int:
    """Return the number of the most ordinary test image of class `label` that the most models attack rather than skip.

    `records` holds one table of measures per model, with the same images in the same order. So the image is one that
    every model classifies correctly, where there is one; of these, the one whose change (`mean_change`) is nearest to
    the median of each model's attacked images, by ranks, averaged over the models. An image that was not fooled needs
    more than all others. Of equally near images it is the first. Raises `ValueError` when no attacked image has that
    class.
    """
    same_class = (records[0]["label"] == label).to_numpy()
    if not same_class.any():
        raise ValueError(f"none of the {len(same_class)} attacked test images has class number {label}")
    attacked = np.stack([table["ended"] != Outcome.SKIPPED for table in records])
    most = attacked.sum(axis=0)
    chosen = same_class & (most == most[same_class].max())
    distances = np.stack([_from_the_median(table) for table in records])
    distance = np.where(attacked, distances, 0).sum(axis=0)
    return int(records[0]["image"].to_numpy()[np.where(chosen, distance, np.inf).argmin()])


def _from_the_median(table: pandas.DataFrame) -> NDArray[np.float64]:
    """Return how far each attacked image's rank is from the middle, as a share of the attacked images."""
    needed = table["mean_change"].where(table["ended"] == Outcome.SUCCESS, np.inf)
    ranks = needed.where(table["ended"] != Outcome.SKIPPED).rank()
    distances: NDArray[np.float64] = np.abs((ranks.to_numpy(np.float64) - 0.5) / ranks.count() - 0.5)
    return distances
