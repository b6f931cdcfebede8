"""What a model says of the unchanged test images: a row for each."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.declared import Columns, Float32, Int64


@dataclass(frozen=True, kw_only=True)
class Predictions(Columns):
    """The prediction on each test image."""

    image: Int64
    """The number of the test image, from 0."""
    label: Int64
    """Its true class."""
    prediction: Int64
    """The class with the largest probability."""
    confidence: Float32
    """That probability, from 0 to 1."""
