"""Records of the attack toward each class: a row for each image, target and required confidence, image by image."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.declared import Columns, Float32, Float64, Int64, Outcomes


@dataclass(frozen=True, kw_only=True)
class TargetedRecords(Columns):
    """How the attack toward one class ended, and the change that it took; other columns as in `AttackRecords`."""

    image: Int64
    label: Int64
    target: Int64
    """The class aimed at."""
    required_confidence: Float64
    label_after: Int64
    confidence_after: Float32
    ended: Outcomes
    iterations: Int64
    mean_change: Float64
    """The mean over pixels of the change, summed over channels; in units of the range of pixels, as are the norms."""
    l2: Float64
    linf: Float64
