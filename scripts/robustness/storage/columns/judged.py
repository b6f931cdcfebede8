"""What judges answer to the images that fooled a model: a row for each judge, kind of image, and image."""

from __future__ import annotations

from dataclasses import dataclass

from robustness.storage.columns.declared import Columns, Int64, Text


@dataclass(frozen=True, kw_only=True)
class JudgedRecords(Columns):
    """The answer of one judge to one image."""

    image: Int64
    """The number of the test image, from 0."""
    judge: Text
    """The name of the model that judges."""
    judge_seed: Int64
    """The seed that it was trained with."""
    kind: Text
    """`adversarial`, or `noise`: the original with random signs of the same L2 norm."""
    answer: Text
    """One of `analysis.answers.ANSWERS`: `new`, `original` or `neither`."""
