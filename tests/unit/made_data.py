"""Small datasets in the real formats, made by the tests."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def sha256(content: bytes) -> str:
    """The checksum of `content`."""
    return hashlib.sha256(content).hexdigest()


def random_images(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 noise of shape (count, *shape)."""
    return np.random.RandomState(seed).randint(0, 256, (count, *shape)).astype(np.uint8)


def idx(values: NDArray[np.uint8]) -> bytes:
    """A gzipped IDX file of unsigned bytes."""
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(header + values.tobytes(), mtime=0)


def idx_files(train: int = 40, test: int = 20, classes: int = 10) -> dict[str, bytes]:
    """The four files of an MNIST of 28 by 28 pixels, by role."""
    return {
        "train_images": idx(random_images(train, 28, 28, seed=1)),
        "train_labels": idx((np.arange(train) % classes).astype(np.uint8)),
        "test_images": idx(random_images(test, 28, 28, seed=2)),
        "test_labels": idx((np.arange(test) % classes).astype(np.uint8)),
    }


class PythonTwoPickler(pickle._Pickler):
    """Writes strings and bytes as Python 2 wrote its strings, as the real archive has them."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_python_two_string(self, text: str | bytes) -> None:
        """Write the BINSTRING operation."""
        content = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + struct.pack("<i", len(content)) + content)  # type: ignore[attr-defined]
        self.memoize(text)  # type: ignore[attr-defined]

    dispatch[str] = save_python_two_string
    dispatch[bytes] = save_python_two_string


def python_two_pickle(value: object) -> bytes:
    """`value` as Python 2 and the NumPy of its day pickled it."""
    stream = io.BytesIO()
    PythonTwoPickler(stream, 2).dump(value)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def cifar_batch(count: int, seed: int) -> dict[str, Any]:
    """One batch as the real ones are: rows of 3,072 bytes (all red, all green, all blue) and a list of labels."""
    return {
        "batch_label": f"batch {seed}",
        "labels": [number % 10 for number in range(count)],
        "data": random_images(count, 3072, seed=seed),
        "filenames": [f"image_{number}.png" for number in range(count)],
    }


def cifar_batches(per_batch: int = 10) -> dict[str, bytes]:
    """The pickled batches of a small CIFAR-10, by their names in the archive."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    return {name: python_two_pickle(cifar_batch(per_batch, seed)) for seed, name in enumerate(names, 1)}


def tar(members: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive with `members`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip archive with `members`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def cifar_archive(batches: Mapping[str, bytes]) -> bytes:
    """`cifar-10-python.tar.gz` with these batches."""
    return tar({f"cifar-10-batches-py/{name}": content for name, content in batches.items()})


def image_file(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """An image file of (H, W) or (H, W, 3) pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def image_tree(classes: Sequence[str] = ("cat", "dog"), train: int = 3, test: int = 2) -> dict[str, bytes]:
    """Files of RGB images of 8 by 6 pixels (width by height), by their paths."""
    return {
        f"{part}/{name}/{number}.png": image_file(random_images(1, 6, 8, 3, seed=100 * label + number)[0])
        for part, count in (("train", train), ("test", test))
        for label, name in enumerate(classes)
        for number in range(count)
    }


def write_tree(folder: Path, tree: Mapping[str, bytes]) -> Path:
    """Write the files of `tree` under `folder`, and return `folder`."""
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
