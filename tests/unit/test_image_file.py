"""One image file: what is read is what a viewer shows, or a sentence says why it is not read."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from made_data import random_images
from PIL import Image

from robustness.data import image_file
from robustness.data.image_file import decode, without_addresses

RGB = random_images(1, 6, 8, 3)[0]
GRAY = random_images(1, 6, 8)[0]


def stored(image: Image.Image | Any, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_of_16_bits(colour: int, channels: int) -> bytes:
    """A PNG of 2 by 2 pixels, which Pillow cannot write in colour."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = zlib.compress((b"\0" + bytes(range(4 * channels))) * 2)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff(bits: list[int], photometric: int = 2) -> bytes:
    """A TIFF of 2 by 2 pixels whose values are 0; every channel after red, green and blue has no stated meaning."""
    channels, extra = len(bits), len(bits) - (3 if photometric == 2 else 1)
    tags = {256: (4, 2), 257: (4, 2), 259: (3, 1), 262: (3, photometric), 277: (3, channels), 278: (4, 2)}
    tags |= {338: (3, 0)} if extra else {}
    values = 8 + 2 + 12 * (len(tags) + 3) + 4
    tags |= {258: (3, values if channels > 2 else bits[0] | bits[-1] << 16), 273: (4, values + 2 * channels)}
    tags |= {279: (4, 4 * sum(bits) // 8)}
    entries = [
        struct.pack("<HHII", tag, 4 if tag == 258 and channels > 2 else kind, channels if tag == 258 else 1, value)
        for tag, (kind, value) in sorted(tags.items())
    ]
    entries = [entry if entry[:2] != b"\x02\x01" else entry[:2] + struct.pack("<H", 3) + entry[4:] for entry in entries]
    content = struct.pack(f"<{channels}H", *bits) + bytes(4 * sum(bits) // 8)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4) + content


def planar_tiff(bits: int) -> bytes:
    """A TIFF of 2 by 2 pixels of 0, with red, green and blue one after the other, not pixel by pixel."""
    size, start = 4 * bits // 8, 8 + 2 + 12 * 10 + 4
    arrays = struct.pack("<3H", bits, bits, bits) + struct.pack("<3I", *(start + 30 + n * size for n in range(3)))
    arrays += struct.pack("<3I", size, size, size)
    tags = [(256, 4, 1, 2), (257, 4, 1, 2), (258, 3, 3, start), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, start + 6)]
    tags += [(277, 3, 1, 3), (278, 4, 1, 2), (279, 4, 3, start + 18), (284, 3, 1, 2)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + arrays + bytes(3 * size)


def with_alpha(mode: str, lowest: int) -> Image.Image:
    image = Image.fromarray(RGB).convert(mode)
    alpha = np.full((6, 8), 255, np.uint8)
    alpha[2, 3] = lowest
    image.putalpha(Image.fromarray(alpha))
    return image


FRAMES = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]

REFUSED = {
    "transparent": (stored(with_alpha("RGB", 0)), "transparent pixels: lay it over a background"),
    "half transparent": (stored(with_alpha("RGB", 254)), "transparent pixels"),
    "transparent gray": (stored(with_alpha("L", 0)), "transparent pixels"),
    "transparent WebP": (stored(with_alpha("RGB", 0), "WEBP"), "transparent pixels"),
    "transparent colour": (stored(RGB, transparency=tuple(map(int, RGB[0, 0]))), "transparent pixels"),
    "transparent entry of a palette": (stored(Image.new("P", (4, 4)), transparency=0), "transparent pixels"),
    "16 bits, gray": (stored(np.full((6, 8), 40_000, np.uint16)), "more than 8 bits per channel"),
    "16 bits, gray, with alpha": (png_of_16_bits(4, 2), "more than 8 bits per channel"),
    "16 bits, colour": (png_of_16_bits(2, 3), "more than 8 bits per channel"),
    "16 bits, colour with alpha": (png_of_16_bits(6, 4), "more than 8 bits per channel"),
    "16 bits, TIFF": (tiff([16, 16, 16]), "more than 8 bits per channel"),
    "16 bits, TIFF, colour by colour": (planar_tiff(16), "more than 8 bits per channel"),
    "16 bits, PPM": (b"P6 1 1 65535\n" + bytes(6), "more than 8 bits per channel"),
    "16 bits, PPM in text": (b"P3 1 1 65535\n1 2 3\n", "more than 8 bits per channel"),
    "16 bits, PGM": (b"P5 1 1 65535\n" + bytes(2), "more than 8 bits per channel"),
    "floating point": (stored(Image.new("F", (4, 4)), "TIFF"), "more than 8 bits per channel"),
    "a fourth channel": (tiff([8, 8, 8, 8]), "more channels than a viewer shows"),
    "a second channel": (tiff([8, 8], photometric=1), "more channels than a viewer shows"),
    "animated GIF": (stored(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), "2 frames or pages: save one"),
    "animated WebP": (stored(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "2 frames or pages"),
    "animated PNG": (stored(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), "2 frames or pages"),
    "pages of a TIFF": (stored(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]), "2 frames or pages"),
    "EPS": (stored(RGB, "EPS"), "not an image of a format that is read: BMP, GIF, JPEG"),
    "TGA": (stored(RGB, "TGA"), "not an image of a format that is read"),
    "text": (b"no image", "not an image of a format that is read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_something_is_refused(name: str) -> None:
    content, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence):
        decode(content)


READ = {
    "RGB": (stored(RGB), RGB),
    "gray": (stored(GRAY), GRAY),
    "opaque alpha": (stored(with_alpha("RGB", 255)), RGB),
    "opaque alpha, gray": (stored(Image.merge("LA", [Image.fromarray(GRAY), Image.new("L", (8, 6), 255)])), GRAY),
    "black and white": (stored(Image.fromarray(GRAY > 99)), np.where(GRAY > 99, 255, 0)),
    "palette": (
        stored(Image.fromarray(RGB).quantize(256)),
        np.asarray(Image.fromarray(RGB).quantize(256).convert("RGB")),
    ),
    "one frame": (stored(Image.fromarray(GRAY), "GIF"), np.repeat(GRAY[..., None], 3, 2)),
    "fewer bits": (b"P5 2 1 3\n\x01\x03", np.array([[85, 255]])),
    "TIFF": (stored(RGB, "TIFF"), RGB),
    "BMP with padding": (stored(Image.fromarray(RGB).convert("RGBA"), "BMP"), RGB),
    "lossless WebP": (stored(RGB, "WEBP", lossless=True), RGB),
}


@pytest.mark.parametrize("name", READ)
def test_what_a_viewer_shows_is_read(name: str) -> None:
    content, pixels = READ[name]
    decoded = decode(content)
    assert decoded.pixels.dtype == np.uint8
    assert np.array_equal(decoded.pixels, pixels)
    assert decoded.notes == ()


@pytest.mark.parametrize(("orientation", "turned"), [(3, RGB[::-1, ::-1]), (6, np.rot90(RGB, -1)), (8, np.rot90(RGB))])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_image_is_turned_as_its_exif_orientation_says(kind: str, orientation: int, turned: Any) -> None:
    exif = Image.Exif()
    exif[image_file.ORIENTATION] = orientation
    decoded = decode(stored(RGB, kind, exif=exif))
    assert np.array_equal(decoded.pixels, turned)
    assert decoded.notes == (image_file.UPRIGHT,)


def test_an_upright_image_with_an_orientation_is_not_counted_as_changed() -> None:
    exif = Image.Exif()
    exif[image_file.ORIENTATION] = 1
    assert decode(stored(RGB, exif=exif)).notes == ()


def test_colours_that_a_viewer_shows_otherwise_are_counted() -> None:
    assert decode(stored(Image.fromarray(RGB).convert("CMYK"), "JPEG")).notes == (image_file.CMYK,)
    assert decode(stored(RGB, icc_profile=b"Display P3")).notes == (image_file.PROFILE,)
    assert decode(stored(RGB, icc_profile=b"desc\0s\0R\0G\0B\0 IEC61966-2.1")).notes == ()


def test_an_image_that_announces_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_file, "MOST_PIXELS", 47)
    with pytest.raises(ValueError, match="8x6 pixels: at most 47 are read"):
        decode(stored(RGB))


def test_no_error_names_an_address_in_memory() -> None:
    assert without_addresses(OSError("broken: <_io.BytesIO object at 0x7f00aa>")) == "broken: it"
