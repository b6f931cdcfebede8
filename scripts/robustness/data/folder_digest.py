"""Lists the images in a folder, and computes a digest that changes when they do.

Exists because Snakemake sees only the folder's own time, which does not change when an image in a subfolder does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from robustness.data.account import is_hidden
from robustness.errors import UserError

JPEG = (".jfif", ".jpe", ".jpeg", ".jpg")
EXTENSIONS = (".bmp", ".gif", *JPEG, ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
READ_WHOLE = 10_000_000
"""Bytes of images up to which a digest reads them: each start of Snakemake takes one, and must not take long."""


def is_image(name: str) -> bool:
    """Return whether a file is an image by its name, and neither it nor a folder in its path is hidden."""
    hidden = any(is_hidden(part) for part in name.split("/") if part != ".")
    return not hidden and name.lower().endswith(EXTENSIONS)


def image_files(folder: Path) -> dict[str, os.DirEntry[str]]:
    """Return the image files in a folder, by their paths in it (with /), in the order of the paths.

    Links are followed. Raises `OSError` for a folder that cannot be read, and `UserError` for a link to nothing and
    for a folder that holds itself through a link.
    """
    return {name: entry for name, entry in all_files(folder).items() if is_image(name)}


def all_files(folder: Path) -> dict[str, os.DirEntry[str]]:
    """Return all files in a folder as `image_files` does, and hidden folders as they are, not what is in them."""
    return dict(sorted(_files(str(folder), "", frozenset())))


def _files(folder: str, above: str, around: frozenset[tuple[int, int]]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files below a folder; `around` says which folders it is in, by device and inode."""
    status = Path(folder).stat()
    here = (status.st_dev, status.st_ino)
    if here in around:
        raise UserError(f"{folder} is a link to a folder that it is in: remove the link")
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{above}{entry.name}"
            if not is_hidden(entry.name) and entry.is_dir():
                yield from _files(entry.path, f"{name}/", around | {here})
            elif is_hidden(entry.name) or entry.is_file():
                yield name, entry
            elif entry.is_symlink() and is_image(name):
                target = Path(entry.path).readlink()
                raise UserError(f"{entry.path} is a link to {target}, which is no file: mend or remove the link")


def digest(folder: Path) -> str:
    """Return 16 hexadecimal digits that change when an image in a folder is added, removed, renamed or altered.

    Up to `READ_WHOLE` bytes in all, they depend on the images' names and contents, so that a copy of the folder has the
    same digest; above that, they depend on names, sizes and times of change.
    """
    files = image_files(folder)
    stats = {name: file.stat() for name, file in files.items()}
    whole = sum(stat.st_size for stat in stats.values()) <= READ_WHOLE
    found = hashlib.sha256()
    for name, file in files.items():
        time = "" if whole else stats[name].st_mtime_ns
        found.update(f"{name}\0{stats[name].st_size}\0{time}\0".encode(errors="surrogateescape"))
        if whole:
            found.update(Path(file).read_bytes())
    return found.hexdigest()[:16]
