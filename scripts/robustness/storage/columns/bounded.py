"""Records of AutoAttack on a range of test images: a row for each norm, budget and image."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.declared import Columns, Float64, Int64, Text

UNCHANGED = "unchanged"
"""What `decided_by` says of an image that the model gets wrong as it is."""
NOTHING = "nothing"
"""What `decided_by` says of an image that withstood every attack."""


@dataclass(frozen=True, kw_only=True)
class BoundRecords(Columns):
    """Whether an image withstands every change within a budget that AutoAttack found."""

    image: Int64
    """The number of the test image, from 0."""
    label: Int64
    """Its true class."""
    label_before: Int64
    """The prediction on the original."""
    norm: Text
    """The norm by which the change is bounded: `linf` or `l2`."""
    budget: Float64
    """The largest change allowed, with pixels in [0, 1]."""
    decided_by: Text
    """The attack that first fooled the model within this budget or a smaller one; else `nothing` or `unchanged`."""
    distance: Float64
    """The norm of that attack's change; 0 where the image is wrong as it is, nan where nothing fooled the model."""
