"""Reads a figure as the study's page shows it: what is drawn alone, since the page has its words next to it.

`robustness.figures.style` names the parts of a drawing (`drawn`, `title`, `warnings`, `sentences`, `settings`).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from robustness.errors import UserError

LARGE = 400_000
"""Bytes from which a drawing is shown as pixels: the curves of 10,000 images would make the page slow."""
POINT = 96 / 72  # of a drawing, in CSS pixels
MARGIN = 4.0  # points around what is drawn

_SIZE = re.compile(
    r'(?<=<svg )[^>]*?width="(?P<width>[\d.]+)(?:pt|px)?"[^>]*?height="(?P<height>[\d.]+)(?:pt|px)?"[^>]*'
)
_PART = r'<g id="{}">(.*?)</g>'
_SIDES = re.compile(r'width="[^"]*"|height="[^"]*"|viewBox="[^"]*"')
Box = tuple[float, float, float, float]
"""Left, top, width and height."""


@dataclass(frozen=True)
class Picture:
    """A figure as the address of an `img`, with its width and height in CSS pixels, and its own title and sentences.

    The title and the sentences are empty for a drawing that does not name them.
    """

    address: str
    width: int
    height: int
    title: str = ""
    sentences: str = ""


def read_picture(folder: Path, name: str) -> Picture:
    """Read a figure, cut to what is drawn: its drawing, or its pixels where the drawing is large.

    Raises `UserError` when a file is missing or damaged.
    """
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    for path in (svg, png):
        if not path.is_file():
            raise UserError(f"{path} does not exist: run the workflow to make it")
    drawing, pixels = svg.read_text(encoding="utf-8"), png.read_bytes()
    root = _SIZE.search(drawing)
    for path, damaged in ((svg, root is None), (png, not pixels.startswith(b"\x89PNG\r\n\x1a\n"))):
        if damaged:
            raise UserError(f"{path} is damaged: delete it and run the workflow again")
    assert root is not None
    whole = (0.0, 0.0, float(root["width"]), float(root["height"]))
    box = _drawn(drawing) or whole
    if len(drawing.encode()) > LARGE:
        picture = f'<image width="{whole[2]:g}" height="{whole[3]:g}" href="{_address("png", pixels)}"/>'
        shown = f'<svg xmlns="http://www.w3.org/2000/svg" {_attributes(box)}>{picture}</svg>'
    elif box == whole:
        shown = drawing
    else:
        shown = drawing.replace(root[0], f"{_SIDES.sub('', root[0])} {_attributes(box)}", 1)
    width, height = (round(side * POINT) for side in box[2:])
    return Picture(
        _address("svg+xml", shown.encode()), width, height, _words(drawing, "title"), _words(drawing, "sentences")
    )


def _drawn(drawing: str) -> Box | None:
    """Return the box around the part that is drawn; None where the drawing does not name it."""
    found = re.search(_PART.format("drawn"), drawing, re.DOTALL)
    path = re.search(r' d="([^"]*)"', found[1]) if found else None
    if path is None:
        return None
    numbers = [float(each) for each in re.findall(r"-?[\d.]+(?:e-?\d+)?", path[1])]
    x, y = numbers[::2], numbers[1::2]
    left, top = min(x) - MARGIN, min(y) - MARGIN
    return left, top, max(x) - left + MARGIN, max(y) - top + MARGIN


def _words(drawing: str, part: str) -> str:
    """Return the words of a part in one line."""
    found = re.search(_PART.format(part), drawing, re.DOTALL)
    lines = re.findall(r"<text[^>]*>(.*?)</text>", found[1], re.DOTALL) if found else []
    return " ".join(unescape(line) for line in lines)


def _attributes(box: Box) -> str:
    left, top, width, height = (f"{each:.6g}" for each in box)
    return f'width="{width}pt" height="{height}pt" viewBox="{left} {top} {width} {height}"'


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
