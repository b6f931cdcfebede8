"""What changes that fooled one model do to all models: a row for each norm, target model and image."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.declared import Columns, Float64, Int64, Text


@dataclass(frozen=True, kw_only=True)
class TransferredRecords(Columns):
    """One model's predictions on an image, on the image with the change at the common size, and with noise."""

    image: Int64
    """The number of the test image, from 0."""
    label: Int64
    """Its true class."""
    target: Text
    """The name of the model that is shown the image."""
    norm: Text
    """The norm in which all changes have the same size: `linf` or `l2`."""
    size: Float64
    """That size, in units of the range of pixels."""
    size_reached: Float64
    """The norm that the change has: less than `size` where clipping leaves no more."""
    target_before: Int64
    """The target model's prediction on the original."""
    source_after: Int64
    """The attacked model's prediction on the changed image."""
    target_after: Int64
    """The target model's prediction on the changed image."""
    noise_after: Int64
    """The target model's prediction on the original with random signs of the same size."""
