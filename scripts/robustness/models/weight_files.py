"""Reads what a file of weights holds, by its content and not by its name: safetensors, or a file of `torch.save`.

A pickle is only ever read as tensors and plain values (`weights_only=True`), so it runs no code. What is no file of
weights is said to be what it is: a Git LFS pointer, a web page, a whole model.
"""

from __future__ import annotations

import argparse
import pickle
import re
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile, is_zipfile

import numpy as np
import torch

from robustness.errors import UserError
from robustness.storage.digests import damaged_member

_BEGINNING = 512
"""Bytes that say what a file is."""
_MOST_HEADER = 100_000_000
"""Bytes of the longest header that safetensors reads."""


def read(path: Path) -> Any:
    """Return the content of a file of weights: names and tensors, or the dictionary around them.

    Raises `UserError` when the file is missing, damaged, something else, or holds more than tensors and plain values.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: set the model's 'weights' to its file of weights")
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    if (what := _something_else(beginning)) is not None:
        raise UserError(f"{path} {what}")
    of_torch = beginning.startswith((b"PK", b"\x80")) and not _has_safetensors_header(beginning)
    if _has_safetensors_header(beginning) or (path.suffix == ".safetensors" and not of_torch):
        return _safetensors(path)
    return _of_torch(path)


def _something_else(beginning: bytes) -> str | None:
    """Say what a file is, and what to do, by its first bytes; None for what may be weights."""
    if not beginning:
        return "is empty: download or copy it again"
    if beginning.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights: fetch the file that it points to with git lfs pull"
    if beginning.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not the weights, as when a log-in page answers a download: download it again"
    if beginning.startswith(b"\x1f\x8b"):
        return "is compressed with gzip: unpack it, and name what was in it"
    if beginning.startswith(b"\x93NUMPY"):
        return "is an array of NumPy: save the weights by their names, with torch.save(model.state_dict(), …)"
    if beginning.startswith(b"\x89HDF"):
        return "is an HDF5 file, as Keras writes it: build the network in PyTorch, and save its state_dict()"
    text = beginning.decode("utf-8", errors="ignore")  # the last character may be cut
    if len(text.encode()) > len(beginning) - 4 and all(each.isprintable() or each.isspace() for each in text):
        return f"is a text file, not the weights; it begins with {text.split(chr(10))[0][:60]!r}: name the right file"
    return None


def _has_safetensors_header(beginning: bytes) -> bool:
    """Return whether a file begins as safetensors does: with the length of a header, which is JSON."""
    return beginning[8:9] == b"{" and int.from_bytes(beginning[:8], "little") <= _MOST_HEADER


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as a safetensors file ({error})") from None


def _of_torch(path: Path) -> Any:
    try:
        if is_zipfile(path):
            _check_archive(path)
        # Opened here, since torch.load goes by the name of a file.
        with path.open("rb") as file, torch.serialization.safe_globals(_plain_values()):
            return torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL |but got (?:<class ')?|unrecognized function )<?([\w.]+)", str(error))
        if found is None:
            raise UserError(f"{path} is no file of PyTorch, or is damaged: save or copy it again") from None
        what = f" (such as {found[1]})"
        raise UserError(
            f"{path} contains more than tensors{what}, which might run code when it is read: save the weights alone, "
            "with torch.save(model.state_dict(), …) or as safetensors; if you trust the file, "
            "torch.load(…, weights_only=False) reads it"
        ) from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        if "TorchScript" in str(error):
            raise UserError(
                f"{path} is a TorchScript archive: save its weights, with "
                f"torch.save(torch.jit.load('{path}').state_dict(), …)"
            ) from None
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} cannot be read as a file of PyTorch ({reason})") from None


def _plain_values() -> list[Any]:
    """Return what training scripts save next to tensors and what only holds values: options, paths, NumPy's values."""
    functions = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.empty(0).__reduce__()[0]}
    cores = ("numpy.core.multiarray", "numpy._core.multiarray")  # renamed in NumPy 2
    named = [(function, f"{core}.{name}") for core in cores for name, function in functions.items()]
    dtypes = {type(np.dtype(kind)) for kind in np.typecodes["All"] if kind not in "OV"}  # no objects
    kinds = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
    paths = [(PurePosixPath, f"{module}.{kind}") for module in ("pathlib", "pathlib._local") for kind in kinds]
    return [argparse.Namespace, *named, *paths, np.ndarray, np.dtype, *dtypes]


def _check_archive(path: Path) -> None:
    """Raise where a zip archive is not of torch.save or TorchScript (a pickle is in its folder), or is damaged."""
    with ZipFile(path) as archive:
        names = archive.namelist()
    if not any(name.endswith("/data.pkl") for name in names):
        raise UserError(
            f"{path} is a zip archive (as .npz files are), not a file of torch.save: unpack it, and name what was in "
            "it; save arrays by their names, with torch.save"
        )
    if (member := damaged_member(path)) is not None:
        raise ValueError(
            f"{member} is not as it was written: download or copy the file again, or, if it was saved without "
            "checksums (torch.serialization.set_crc32_options), save it again with them"
        )
