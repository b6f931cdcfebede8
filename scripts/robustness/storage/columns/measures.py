"""The records of an attack with the measures of each image's change."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.attack import AttackRecords
from robustness.storage.columns.declared import Float64, Int64


@dataclass(frozen=True, kw_only=True)
class MeasuredRecords(AttackRecords):
    """What `analysis.measures.measure` finds; NaN where an attack of a library left no image.

    Changes of a pixel are in units of the range of pixels, [0, 1], summed over its channels.
    """

    mean_change: Float64
    """The mean over pixels of the change of a pixel."""
    pixels_changed: Int64 | Float64
    """Pixels that changed by more than the dataset's `changed_pixel_threshold`."""
    pixels_changed_any: Int64 | Float64
    """Pixels that changed at all."""
    l0: Float64
    """The values, pixels times channels, that differ."""
    l1: Float64
    """The sum over pixels and channels of |x′ − x|."""
    l2: Float64
    """The root of the sum of its squares."""
    linf: Float64
    """The largest |x′ − x|."""
    ssim: Float64
    """The structural similarity, at most 1; NaN for images of fewer than 11 pixels a side."""
