"""Lists the images in a folder, and computes a digest that changes when they do.

Exists because Snakemake sees only the folder's own time, which does not change when an image in a subfolder does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
READ_WHOLE = 10_000_000
"""Bytes of images up to which a digest reads them: each start of Snakemake takes one, and must not take long."""


def is_image(name: str) -> bool:
    """Return whether a file is an image by its name, and neither it nor a folder in its path is hidden."""
    parts = [part for part in name.split("/") if part != "."]
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(EXTENSIONS)


def image_files(folder: Path) -> dict[str, os.DirEntry[str]]:
    """Return the image files in a folder, by their paths in it (with /), in the order of the paths.

    A folder that is a link is left out. Raises `OSError` for a folder that cannot be read.
    """
    return dict(sorted(_image_files(str(folder), "")))


def _image_files(folder: str, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{above}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _image_files(entry.path, f"{name}/")
            elif is_image(name) and entry.is_file():
                yield name, entry


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
