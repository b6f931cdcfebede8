"""Makes the paper's "noisy" training data: whole batches changed at random, anew in each epoch (sections 1.1 and 1.2).

Pure functions on image tensors with a generator, on the device of the images.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Generator, Tensor


def augment(images: Tensor, augmentation: dict[str, Any], generator: Generator) -> Tensor:
    """Change a batch as an `augmentation:` entry of the configuration says.

    `images` is float (N, C, H, W) in [0, 1], and so is the result. Raises `ValueError` for an unknown kind.
    """
    match augmentation["kind"]:
        case "gaussian_noise":
            return gaussian_noise(images, augmentation["sigma"], generator)
        case "affine":
            options = {key: value for key, value in augmentation.items() if key != "kind"}
            return affine(images, generator, **options)
    raise ValueError(f"unknown augmentation '{augmentation['kind']}'; known are gaussian_noise and affine")


def gaussian_noise(images: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Add independent noise N(0, sigma²) to every pixel and channel, then clip to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + sigma * noise).clamp_(0, 1)


def affine(
    images: Tensor, generator: Generator, *, rotation: float, shift: float, shear: float, zoom: float, flip: bool
) -> Tensor:
    """Rotate, shift, shear, zoom and mirror each image by its own random amounts.

    `rotation` and `shear` are the largest angles in degrees, `shift` the largest share of width and height, `zoom` the
    largest change of size as a share; each is drawn uniformly in both directions. With `flip`, half of the images are
    mirrored left to right. Pixels from outside repeat the border, as Keras' generators do by default.
    """
    count = len(images)

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator, device=images.device) - 1) * limit

    angle, slant = uniform(math.radians(rotation)), uniform(math.radians(shear))
    scale = 1 + uniform(zoom)
    mirror = torch.ones(count, device=images.device)
    if flip:
        mirror = torch.where(uniform(1) < 0, -mirror, mirror)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    # Angles are between pixels, which are not square in coordinates that span [-1, 1] unless the image is.
    ratio = images.shape[2] / images.shape[3]
    # Maps output to input coordinates in [-1, 1], so a shift by a share of the width is twice that share.
    matrix = torch.stack(
        [
            torch.stack([mirror * cosine, (torch.tan(slant) * cosine - sine) * ratio, 2 * uniform(shift)], dim=1),
            torch.stack([mirror * sine / ratio, torch.tan(slant) * sine + cosine, 2 * uniform(shift)], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False).clamp_(0, 1)
