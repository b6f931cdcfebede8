"""Decodes an image file into what a viewer shows, or says why it cannot: nothing is cut off or dropped unsaid.

Only the formats in `FORMATS` are tried, whatever a file's name says: for others, Pillow may start another program.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MOST_PIXELS = 50_000_000
"""Pixels of the largest image that is decoded; a file of a few kB can announce far more."""
ORIENTATION = 0x0112  # of EXIF; 1 is upright
SAMPLES_PER_PIXEL = 277  # of TIFF
BITS_PER_SAMPLE = 258

UPRIGHT = "turned upright, as the EXIF orientation says"
CMYK = "in CMYK, converted to RGB without a colour profile"
PROFILE = "with a colour profile other than sRGB, which was not applied"


@dataclass(frozen=True)
class Decoded:
    """An image: uint8, (H, W) if its file is gray, (H, W, 3) if not; and what was done or left out to get there."""

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def decode(content: bytes) -> Decoded:
    """Return the image that the file with this content holds.

    Raises `ValueError` for what cannot be shown in one image of 8 bits per channel: more frames, more bits, more
    channels, transparent pixels, too many pixels, other formats. Pillow raises further kinds for damaged files.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"not an image of a format that is read: {', '.join(FORMATS)}") from None
    with opened as image:
        _check(image)
        notes = tuple(_notes(image))
        upright = ImageOps.exif_transpose(image)
        if _is_transparent(upright):
            raise ValueError("transparent pixels: lay it over a background, and save it without an alpha channel")
        gray = upright.mode in ("1", "L", "LA", "La")
        return Decoded(np.asarray(upright.convert("L" if gray else "RGB")), notes)


def without_addresses(error: Exception) -> str:
    """Return an error's words without Pillow's names of objects in memory."""
    return re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>", "it", str(error))


def _check(image: ImageFile) -> None:
    """Raise `ValueError` where the pixels would lose something that the file holds."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels: at most {MOST_PIXELS:,} are read")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a photograph, then views of it that no viewer shows
        raise ValueError(f"{frames} frames or pages: save one as an image of its own")
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    bits = tags.get(BITS_PER_SAMPLE, 8)
    if image.mode.startswith(("I", "F")) or _is_cut(image) or max(bits if isinstance(bits, tuple) else (bits,)) > 8:
        raise ValueError("more than 8 bits per channel: save it with 8 bits, scaled as it should be seen")
    if tags.get(SAMPLES_PER_PIXEL, 0) > len(image.getbands()):
        raise ValueError("more channels than a viewer shows: save it as gray or RGB")


def _is_cut(image: ImageFile) -> bool:
    """Return whether Pillow cuts each colour to 8 bits; it says so only in how it unpacks: RGB;16B, or (RGB, 65535)."""
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if any(isinstance(each, str) and ";16" in each for each in arguments) and image.format in ("PNG", "TIFF"):
            return True
        if any(isinstance(each, int) and each > 255 for each in arguments) and image.format == "PPM":
            return True
    return False


def _notes(image: Image) -> Iterator[str]:
    if image.getexif().get(ORIENTATION, 1) in range(2, 9):
        yield UPRIGHT
    if image.mode == "CMYK":
        yield CMYK
    elif (profile := image.info.get("icc_profile")) and b"sRGB" not in profile.replace(b"\0", b""):
        yield PROFILE


def _is_transparent(image: Image) -> bool:
    """Return whether a pixel is not wholly opaque; what such a pixel looks like depends on what is below it."""
    if not image.has_transparency_data:
        return False
    return bool(np.asarray(image.convert("RGBA").getchannel("A")).min() < 255)
