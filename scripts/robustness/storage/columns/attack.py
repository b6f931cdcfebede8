"""Records of an attack on a range of test images: a row for each image and required confidence, image by image."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.declared import Columns, Float32, Float64, Int64, Outcomes


@dataclass(frozen=True, kw_only=True)
class AttackRecords(Columns):
    """How an attack ended; an attack of a library, which any wrong class will do for, has one row for each image."""

    image: Int64
    """The number of the test image, from 0."""
    label: Int64
    """Its true class."""
    required_confidence: Float64
    """The probability that the wrong class has to reach, from 0 (any wrong prediction) to 1."""
    label_before: Int64
    """The prediction on the original."""
    label_after: Int64
    """The prediction on what the attack made of it."""
    confidence_after: Float32
    """The probability of `label_after`, from 0 to 1."""
    ended: Outcomes
    """How the attack ended at this required confidence."""
    iterations: Int64
    """Steps taken up to there."""
    zero_gradients: Int64
    """The number of steps at which the gradient was exactly zero; a library does not count them, and has 0."""
    scale: Float64
    """What is left of the change where the attack tightens, from 0 to 1; else 1."""
    target: Int64
    """The class aimed at; −1 where any wrong class will do."""
