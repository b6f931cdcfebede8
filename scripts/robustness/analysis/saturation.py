"""Says when the number of pixels changed tells models no longer apart: nearly all pixels changed on every model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from robustness.text import percent

SATURATED = 0.95
"""The share of the pixels from which the measure is at its end: what is left is less than the images differ by."""


def share_of_pixels(pixels: float, image_size: Sequence[int]) -> float:
    """Return which share of the pixels of an image of `image_size` (C, H, W) a number of pixels is."""
    return pixels / (image_size[1] * image_size[2])


def saturation(pixels: Iterable[float], image_size: Sequence[int]) -> str:
    """Say that the measure is saturated, for the mean pixels changed on each model; empty where it is not."""
    shares = [share_of_pixels(each, image_size) for each in pixels]
    if not shares or min(shares) < SATURATED:
        return ""
    models = "every model" if len(shares) > 1 else "the model"
    return (
        f"Pixels changed is saturated: on {models} the attack changed {percent(min(shares))} or more of the pixels, so "
        "this measure says nothing about which model is more robust."
    )
