"""Defines the shape of the images that a network takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageShape:
    """Shape of one image: channels, height and width in pixels."""

    channels: int
    height: int
    width: int
