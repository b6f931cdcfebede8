"""Which images a folder holds, and a digest that changes when they do.

Reads the folder; writes nothing. Exists because Snakemake sees no more of a folder than its own time, which stays as it
is when an image in a folder of it changes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
READ_WHOLE = 10_000_000
"""Bytes of images up to which a digest reads them; it is taken at each start of Snakemake, which must not take long."""


def is_image(name: str) -> bool:
    """Whether a file is an image, by its name with / between folders, and neither it nor a folder of it is hidden."""
    parts = [part for part in name.split("/") if part != "."]
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(EXTENSIONS)


def image_files(folder: Path) -> dict[str, os.DirEntry[str]]:
    """The image files in a folder, by their names in it with / between folders, in the order of these.

    A folder that is a link is passed over. Raises `OSError` for a folder that cannot be read.
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
    """16 hexadecimal digits that change when an image in a folder is added, removed, renamed or altered.

    They stand for the images' names and contents up to `READ_WHOLE` bytes in all, so that a copy of the folder has the
    same; for more images, for their names, sizes and times of change.
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
