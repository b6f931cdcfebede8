"""Reads images from a folder, or a tar or zip archive, with `train/<class>/<image>` and `test/<class>/<image>`.

Errors name the files that are wrong. What is not read is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.data.account import OUTSIDE, passed_over, reasons
from robustness.data.archive import Files, check_size, members
from robustness.data.folder_digest import all_files, is_image
from robustness.data.image_file import Decoded, decode, without_addresses
from robustness.data.splits import SourceImages
from robustness.errors import UserError

PARTS = ("train", "test")
NAMED_FILES = 5  # how many damaged files a sentence names
MOST_SIZES = 100  # how many images of other sizes than the first are read before this is said


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

    They are gray if every image is gray, else RGB. Hidden files, files without an extension of images and images
    outside of train and test are passed over, and counted.

    Raises `UserError` when the folders are not the `classes`, a class lacks images, or an image is damaged, cannot be
    shown as `image_file.decode` says, or is of another size than the first.
    """
    path = Path(source["path"])
    images: dict[_Place, Decoded] = {}
    damaged: list[tuple[_Place, str]] = []
    wrappers: set[tuple[str, ...]] = set()
    others: list[str] = []
    outside: list[str] = []
    others_sizes = 0
    for name, content in _files(path):
        if content is None:
            others.append(name)
            continue
        wrapper, place = _placed(path, name)
        if place is None:
            outside.append(name)
            continue
        wrappers.add(wrapper)
        try:
            images[place] = decode(content)
        except Exception as error:  # Pillow raises many kinds for damaged files, by their format
            damaged.append((place, without_addresses(error)))
            continue
        others_sizes += images[place].pixels.shape[:2] != next(iter(images.values())).pixels.shape[:2]
        if others_sizes > MOST_SIZES:  # before the rest of them fills the memory
            _check_sizes(path, list(images), {place: image.pixels for place, image in images.items()})
    passed = passed_over(others) + Counter({OUTSIDE: len(outside)})
    if damaged:
        raise UserError(_sentence_about_damaged(path, damaged))
    if len(wrappers) > 1:
        raise UserError(f"{path} holds several train and test folders: leave one train and one test folder in it")
    pixels = {place: images[place].pixels for place in sorted(images)}
    with _also_told(passed):
        _check_classes(path, pixels, classes, _top_folders(outside))
    _check_sizes(path, list(pixels), pixels)
    # Decided by all images, because the first one of an archive is a matter of how it was packed.
    depth = 3 if any(image.ndim == 3 for image in pixels.values()) else 1
    train, test = ([place for place in pixels if place.part == part] for part in PARTS)
    found = SourceImages.in_order(*_arrays(train, pixels, depth, classes), *_arrays(test, pixels, depth, classes))
    return replace(
        found, passed_over=passed, changed=Counter(note for image in images.values() for note in image.notes)
    )


def class_names(path: Path) -> list[str]:
    """Return the names of the class folders with images in a folder or archive, in the order of their names.

    Raises `UserError` where there is no such folder, or no image in `train/<class>/` or `test/<class>/`.
    """
    images = [name for name, content in _files(path) if content is not None]
    placed = (_placed(path, name)[1] for name in images)
    if names := sorted({place.class_name for place in placed if place}):
        return names
    raise UserError(_without_images(path, _top_folders(images)))


# --- files -----------------------------------------------------------------------------------------------------------


def _files(path: Path) -> Files:
    """Yield the path (with /) of each file in a folder or archive, and the content if it is an image by its name."""
    if path.is_dir():
        for name, file in all_files(path).items():
            if is_image(name):
                check_size(file.path, file.stat().st_size)
            yield name, Path(file).read_bytes() if is_image(name) else None
    elif path.exists():
        yield from members(path)
    else:
        raise UserError(f"{path} does not exist: set the source's 'path' to a folder or a tar or zip archive")


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


def _top_folders(names: Sequence[str]) -> list[str]:
    """Return the first folder of each path that has one."""
    return sorted({parts[0] for name in names if len(parts := PurePosixPath(name).parts) > 1})


# --- images ----------------------------------------------------------------------------------------------------------


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


def _without_images(path: Path, folders: Sequence[str]) -> str:
    """Say that there are no images where they are looked for; `folders` with images are elsewhere."""
    shown = f", only in {_folders(folders)}: name the folders train and test" if folders else ""
    return f"{path} holds no images in train/<class>/ and test/<class>/{shown}"


def _folders(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_FILES} more folders" if len(names) > NAMED_FILES else ""
    return ", ".join(f"{name}/" for name in names[:NAMED_FILES]) + more


def _sentence_about_damaged(path: Path, damaged: Sequence[tuple[_Place, str]]) -> str:
    by_reason: dict[str, list[str]] = {}
    for place, reason in damaged[:NAMED_FILES]:
        by_reason.setdefault(reason, []).append(str(place))
    named = "; ".join(f"{', '.join(places)} ({reason})" for reason, places in by_reason.items())
    more = f" and {len(damaged) - NAMED_FILES} more" if len(damaged) > NAMED_FILES else ""
    plural = "s" if len(damaged) > 1 else ""
    return f"{path} has {len(damaged)} image{plural} that cannot be read: {named}{more}; repair or remove them"


@contextmanager
def _also_told(passed: Mapping[str, int]) -> Iterator[None]:
    """Let an error about images that are missing also say what was passed over."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{error} (passed over: {reasons(passed)})" if passed else str(error)) from None


def _check_classes(
    path: Path, images: Mapping[_Place, NDArray[np.uint8]], classes: Sequence[str], elsewhere: Sequence[str]
) -> None:
    """Check that train and test hold images of the `classes` and of no others; `elsewhere` are folders beside them."""
    found = {part: {place.class_name for place in images if place.part == part} for part in PARTS}
    present = found["train"] | found["test"]
    if not present:
        raise UserError(_without_images(path, elsewhere))
    if len(present) == 1:
        raise UserError(f"{path} has only one class ({', '.join(present)}); at least two are needed: add a class")
    if present != set(classes) or len(classes) != len(present):
        raise UserError(
            f"{path} has images of the classes {', '.join(sorted(present))}, but the dataset's 'classes' are "
            f"{', '.join(classes)}: make 'classes' name each folder once, and fill or remove empty folders"
        )
    for part in PARTS:
        if elsewhere and not found[part]:
            raise UserError(f"{path} has no images in {part}/, but in {_folders(elsewhere)}: rename a folder to {part}")
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
