"""Measures how much an image was changed: the paper's two measures (section 2.1), the L norms and SSIM.

Pure functions on float32 arrays (N, C, H, W) in [0, 1]: `original` and `adversarial`; each returns one value per image.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

WINDOW = 11
"""Pixels a side of the window of SSIM: 3.5 σ in each direction."""


def pixel_change(original: Images, adversarial: Images) -> NDArray[np.float64]:
    """Return Σ over channels of |x′ − x|, for every pixel: (N, H, W), from 0 to the number of channels."""
    return np.abs(adversarial.astype(np.float64) - original.astype(np.float64)).sum(axis=1)


def mean_change(original: Images, adversarial: Images) -> NDArray[np.float64]:
    """Return the paper's average change per pixel: the mean over pixels of `pixel_change`."""
    return pixel_change(original, adversarial).mean(axis=(1, 2))


def pixels_changed(original: Images, adversarial: Images, threshold: float) -> NDArray[np.int64]:
    """Return the paper's number of pixels whose `pixel_change` exceeds `threshold`, from 0 to H·W.

    A change is taken to six decimals: twenty float32 steps of 0.005 lead from black to a little more than 0.1, and from
    gray sometimes to a little less, which must not decide whether a pixel counts.
    """
    return (pixel_change(original, adversarial).round(6) > threshold).sum(axis=(1, 2))


def norms(original: Images, adversarial: Images) -> dict[str, NDArray[np.float64]]:
    """Return L0 (values that differ), L1, L2 and L∞ of x′ − x, over all pixels and channels."""
    difference = np.abs(adversarial.astype(np.float64) - original.astype(np.float64))
    difference = difference.reshape(len(original), math.prod(original.shape[1:]))
    return {
        "l0": (difference > 0).sum(axis=1).astype(np.float64),
        "l1": difference.sum(axis=1),
        "l2": np.sqrt((difference**2).sum(axis=1)),
        "linf": difference.max(axis=1),
    }


def structural_similarity(original: Images, adversarial: Images) -> NDArray[np.float64]:
    """Return the SSIM of each pair of images, 1 where they are equal: Gaussian window, σ = 1.5 (Wang et al., 2004).

    NaN for images with fewer pixels a side than the window has.

    Computed by scikit-image, whose import costs a fifth of torchmetrics' (which brings torch and torchvision).
    """
    from skimage.metrics import structural_similarity as ssim

    if min(original.shape[2:]) < WINDOW:
        return np.full(len(original), np.nan)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    pairs = zip(original, adversarial, strict=True)
    return np.array([ssim(x, changed, data_range=1.0, channel_axis=0, **window) for x, changed in pairs], np.float64)


def measure(original: Images, adversarial: Images, threshold: float) -> dict[str, NDArray[Any]]:
    """Return every measure of the study, by name; `threshold` is the dataset's `changed_pixel_threshold`.

    An adversarial image of NaN means that there is none: every measure of it is NaN.
    """
    exists: NDArray[np.bool_] = np.logical_not(np.isnan(adversarial).any(axis=(1, 2, 3)))
    original, adversarial = original[exists], adversarial[exists]
    measured = {
        "mean_change": mean_change(original, adversarial),
        "pixels_changed": pixels_changed(original, adversarial, threshold),
        "pixels_changed_any": (pixel_change(original, adversarial) > 0).sum(axis=(1, 2)),
        **norms(original, adversarial),
        "ssim": structural_similarity(original, adversarial),
    }
    return measured if exists.all() else {name: _spread(values, exists) for name, values in measured.items()}


def _spread(values: NDArray[Any], exists: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return `values` where `exists`, NaN elsewhere."""
    spread = np.full(exists.shape, np.nan)
    spread[exists] = values
    return spread
