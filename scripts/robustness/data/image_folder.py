"""Reads images from a folder, or a tar or zip archive, with `train/<class>/<image>` and `test/<class>/<image>`.

Archives are read member by member in memory; nothing is extracted. Errors name the files that are wrong.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.data.folder_digest import image_files, is_image
from robustness.data.splits import SourceImages
from robustness.errors import UserError

PARTS = ("train", "test")
NAMED_FILES = 5  # how many damaged files a sentence names


@dataclass(frozen=True, order=True)
class _Place:
    """The place of an image; the order of places is the source's own order, whatever an archive's order is."""

    part: str
    class_name: str
    file: str

    def __str__(self) -> str:
        return f"{self.part}/{self.class_name}/{self.file}"


def read(source: Mapping[str, Any], classes: Sequence[str]) -> SourceImages:
    """Read the images, (N, C, H, W), in the folder or archive `source["path"]`; labels follow the order of `classes`.

    They are gray if every image is gray, else RGB. Hidden files and files without an extension of images are left out.

    Raises `UserError` when the folders are not the `classes`, a class lacks images, or an image is damaged or of
    another size than the first.
    """
    path = Path(source["path"])
    images: dict[_Place, NDArray[np.uint8]] = {}
    damaged: list[str] = []
    wrappers: set[tuple[str, ...]] = set()
    for name, content in _files(path):
        wrapper, place = _placed(path, name)
        if place is None:
            continue
        wrappers.add(wrapper)
        try:
            images[place] = _decode(content)
        except Exception as error:  # Pillow raises many kinds for damaged files, by their format
            damaged.append(f"{place} ({error})")
    if damaged:
        raise UserError(_sentence_about_damaged(path, damaged))
    if len(wrappers) > 1:
        raise UserError(f"{path} holds several train and test folders: leave one train and one test folder in it")
    _check_classes(path, images, classes)
    places = sorted(images)
    _check_sizes(path, places, images)
    # Decided by all images, because the first one of an archive is a matter of how it was packed.
    depth = 3 if any(image.ndim == 3 for image in images.values()) else 1
    train, test = ([place for place in places if place.part == part] for part in PARTS)
    return SourceImages.in_order(*_arrays(train, images, depth, classes), *_arrays(test, images, depth, classes))


# --- files -----------------------------------------------------------------------------------------------------------


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path (with /) and the content of each image file in a folder or archive."""
    if path.is_dir():
        for name, file in image_files(path).items():
            yield name, Path(file).read_bytes()
        return
    if not path.exists():
        raise UserError(f"{path} does not exist: set the source's 'path' to a folder or a tar or zip archive")
    try:
        if zipfile.is_zipfile(path):
            yield from _zip_members(path)
        elif tarfile.is_tarfile(path):
            yield from _tar_members(path)
        else:
            raise UserError(f"{path} is neither a folder nor a tar or zip archive that can be read")
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise UserError(f"{path} is a damaged archive ({error}): download or copy it again") from None
    except RuntimeError as error:  # zipfile's word for a password
        raise UserError(f"{path} cannot be read: {error}") from None


def _tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:  # in the order of the archive: jumping back would unpack it from the start again
            file = archive.extractfile(member) if member.isfile() and is_image(member.name) else None
            if file is not None:
                yield member.name, file.read()


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and is_image(member.filename):
                yield member.filename, archive.read(member)


def _placed(path: Path, name: str) -> tuple[tuple[str, ...], _Place | None]:
    """Return the folders around train or test, and the place in them; no place for an image in neither."""
    parts = PurePosixPath(name).parts
    depth = next((number for number, part in enumerate(parts) if part in PARTS), None)
    if depth is None:
        return (), None
    inner = parts[depth:]
    if len(inner) != 3:
        raise UserError(f"{name} in {path} is out of place: put images into {inner[0]}/<class>/, one folder deep")
    return parts[:depth], _Place(*inner)


# --- images ----------------------------------------------------------------------------------------------------------


def _decode(content: bytes) -> NDArray[np.uint8]:
    """Return the pixels of an image file: (H, W) if it is gray, (H, W, 3) if not."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        if image.mode.startswith(("I", "F")):  # Pillow would clip these, not scale them
            raise ValueError("more than 8 bits per channel")
        return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB"))


def _arrays(
    places: Sequence[_Place], images: Mapping[_Place, NDArray[np.uint8]], depth: int, classes: Sequence[str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    height, width = images[places[0]].shape[:2]
    stacked = np.empty((len(places), depth, height, width), np.uint8)
    for number, place in enumerate(places):
        image = images[place]
        stacked[number] = image if image.ndim == 2 else image.transpose(2, 0, 1)  # gray fills all channels
    label = {name: number for number, name in enumerate(classes)}
    return stacked, np.array([label[place.class_name] for place in places], np.int64)


# --- sentences -------------------------------------------------------------------------------------------------------


def _sentence_about_damaged(path: Path, damaged: Sequence[str]) -> str:
    named = ", ".join(damaged[:NAMED_FILES])
    more = f" and {len(damaged) - NAMED_FILES} more" if len(damaged) > NAMED_FILES else ""
    plural = "s" if len(damaged) > 1 else ""
    return f"{path} has {len(damaged)} image{plural} that cannot be read: {named}{more}; repair or remove them"


def _check_classes(path: Path, images: Mapping[_Place, NDArray[np.uint8]], classes: Sequence[str]) -> None:
    found = {part: {place.class_name for place in images if place.part == part} for part in PARTS}
    present = found["train"] | found["test"]
    if not present:
        raise UserError(f"{path} holds no images in train/<class>/ and test/<class>/")
    if len(present) == 1:
        raise UserError(f"{path} has only one class ({', '.join(present)}); at least two are needed: add a class")
    if present != set(classes) or len(classes) != len(present):
        raise UserError(
            f"{path} has images of the classes {', '.join(sorted(present))}, but the dataset's 'classes' are "
            f"{', '.join(classes)}: make 'classes' name each folder once, and fill or remove empty folders"
        )
    for part in PARTS:
        if lacking := sorted(present - found[part]):
            raise UserError(
                f"{path} has no images in {', '.join(f'{part}/{name}' for name in lacking)}: "
                "each class needs images in both train and test"
            )


def _check_sizes(path: Path, places: Sequence[_Place], images: Mapping[_Place, NDArray[np.uint8]]) -> None:
    first = images[places[0]].shape[:2]
    others = [place for place in places if images[place].shape[:2] != first]
    if others:
        height, width = images[others[0]].shape[:2]
        raise UserError(
            f"{others[0]} in {path} is {width}x{height} pixels, but {places[0]} is {first[1]}x{first[0]} "
            f"({len(others)} of {len(places)} images differ from it): all images must have the same size"
        )
