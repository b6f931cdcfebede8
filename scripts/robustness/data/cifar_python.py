"""Reads CIFAR-10 from its "python version", a tar.gz archive of pickled batches.

A pickle can run any code, so two things protect from it: the archive's bytes were verified (only a `VerifiedFile` is
accepted), and the unpickler knows only arrays and plain containers. Members are read in memory, so no path of
the archive ever reaches the disk.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.data.splits import SourceImages
from robustness.data.verified import VerifiedFile
from robustness.errors import UserError

TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
SHAPE = (3, 32, 32)


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and plain containers and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class or function that a pickle asks for, if it is one of the three that arrays need."""
        # Asked of an array, because the module that holds the function was renamed in NumPy 2.
        rebuild_array = np.empty(0).__reduce__()[0]
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): rebuild_array,
            ("numpy._core.multiarray", "_reconstruct"): rebuild_array,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which an image batch does not need")
        return allowed[module, name]


def read(files: Mapping[str, VerifiedFile]) -> SourceImages:
    """Read the images, (N, 3, 32, 32), in the archive `archive`: five batches for training and one for testing.

    Raises `UserError` when the archive is damaged, lacks a batch, or contains a pickle of anything else.
    """
    archive = files["archive"]
    members = _members(archive)
    train = [_batch(archive, members, name) for name in TRAIN_BATCHES]
    test_images, test_labels = _batch(archive, members, TEST_BATCH)
    return SourceImages.in_order(
        np.concatenate([images for images, _ in train]),
        np.concatenate([labels for _, labels in train]),
        test_images,
        test_labels,
    )


def _members(archive: VerifiedFile) -> dict[str, bytes]:
    """Return the contents of the batches in the archive, by their file names."""
    wanted = {*TRAIN_BATCHES, TEST_BATCH}
    contents = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                file = tar.extractfile(member) if member.isfile() and name in wanted else None
                if file is not None:
                    contents[name] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{archive.path} is not a whole tar.gz archive ({error})") from None
    if missing := sorted(wanted - contents.keys()):
        raise UserError(f"{archive.path} lacks {', '.join(missing)}: it is not the python version of CIFAR-10")
    return contents


def _batch(
    archive: VerifiedFile, members: Mapping[str, bytes], name: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        # Written by Python 2, whose strings come back as bytes.
        batch = RestrictedUnpickler(io.BytesIO(members[name]), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(f"{name} in {archive.path} is not a pickled image batch: {error}") from None
    data = batch.get(b"data") if isinstance(batch, dict) else None
    labels = batch.get(b"labels") if isinstance(batch, dict) else None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (np.prod(SHAPE),):
        raise UserError(f"{name} in {archive.path} has no 'data' of {np.prod(SHAPE)} unsigned bytes per image")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise UserError(f"{name} in {archive.path} does not have one of 'labels' for each of its {len(data)} images")
    return data.reshape(-1, *SHAPE), np.array(labels, np.int64)
