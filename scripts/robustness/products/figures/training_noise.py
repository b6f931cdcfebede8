"""Draw training images next to the noisy versions that the noisy models see (paper, Fig. 1).

Reads a file of images and their augmented versions. `--spec`: dataset, models, architectures, footnote, augmentation.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import images, style
from robustness.storage.tensors import read_tensors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"samples": "safetensors file: original and augmented images"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.checked(options.spec, "augmentation")
    original, augmented = read_tensors(options.samples, "original", "augmented")
    return images.training_noise(original, augmented, spec)
