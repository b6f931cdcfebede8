"""Reads images and labels from the four gzipped IDX files of the MNIST database (and of those that copy its format).

An IDX file is a big-endian header (two zero bytes, the type of the values, the number of dimensions, then each
dimension as 32 bits) and the values. Each file is checked against its header and against its partner.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robustness.data.splits import SourceImages
from robustness.data.verified import VerifiedFile
from robustness.errors import UserError

UNSIGNED_BYTE = 0x08  # the type code of the only kind of values that MNIST's files hold


def read(files: Mapping[str, VerifiedFile]) -> SourceImages:
    """Return the images, (N, 1, H, W), of the files `train_images`, `train_labels`, `test_images` and `test_labels`.

    Raises `UserError` that names the file that is wrong.
    """
    train_images, train_labels = _pair(files["train_images"], files["train_labels"])
    test_images, test_labels = _pair(files["test_images"], files["test_labels"])
    if train_images.shape[1:] != test_images.shape[1:]:
        raise UserError(
            f"{files['train_images'].path} has images of {_size(train_images)} pixels, "
            f"but {files['test_images'].path} of {_size(test_images)}: they do not belong together"
        )
    return SourceImages.in_order(train_images, train_labels, test_images, test_labels)


def _pair(images_file: VerifiedFile, labels_file: VerifiedFile) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = _values(images_file, dimensions=3), _values(labels_file, dimensions=1)
    if len(images) != len(labels):
        raise UserError(
            f"{images_file.path} has {len(images)} images, but {labels_file.path} has {len(labels)} labels: "
            "they do not belong together"
        )
    return images[:, np.newaxis], labels.astype(np.int64)


def _values(file: VerifiedFile, dimensions: int) -> NDArray[np.uint8]:
    try:
        is_unpacked = file.content.startswith(bytes([0, 0, UNSIGNED_BYTE]))
        content = file.content if is_unpacked else gzip.decompress(file.content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file.path} is not a whole gzip file ({error})") from None
    header = 4 + 4 * dimensions
    expected = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if len(content) < header or content[:4] != expected:
        raise UserError(
            f"{file.path} is not an IDX file of unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}: "
            f"it begins with {content[:4].hex()}, expected {expected.hex()}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    values = np.frombuffer(content, np.uint8, offset=header)
    if values.size != math.prod(shape):  # Python's numbers do not overflow
        announced = "x".join(map(str, shape))
        raise UserError(f"{file.path} has {values.size} values, but its header announces {announced}")
    return values.reshape(shape)


def _size(images: NDArray[np.uint8]) -> str:
    return f"{images.shape[-1]}x{images.shape[-2]}"
