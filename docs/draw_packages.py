"""Draw docs/packages.svg: the packages of scripts/robustness, their modules, and which package imports which.

`make docs` runs it. Reads the imports of the code; `ROWS` gives each package's row. Tests check that the picture
matches the code and that arrows point down. Arrows that follow from others are left out.
"""

from __future__ import annotations

import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "packages.svg"
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.storage.code_digest import LIBRARY, files_of, imports  # noqa: E402

ROWS = (
    ("workflow", "products"),
    ("pages", "figures"),
    ("trust", "claims"),
    ("benchmarking", "analysis"),
    ("attacks",),
    ("models", "data", "training"),
    ("config", "compute"),
    ("runtime",),
    ("storage", "stats"),
    ("errors", "outcome", "text"),
)
"""Packages from the top: each imports only what stands below its row. The last row are modules that all may import."""

Arrows = Mapping[str, frozenset[str]]
"""By package, or by module: what it imports."""

WIDTH, MARGIN = 860, 12
BOX, BETWEEN, ROW_GAP = 218, 56, 46
LETTERS = 36  # of a line of small text in a box
TITLE, LINE, PADDING = 17, 14, 8


# ---- what imports what ----------------------------------------------------------------------------------------------


def modules() -> dict[str, Path]:
    """The files of the library by their dotted names below it; a package's own file by the package's name."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def module_arrows() -> Arrows:
    """Which modules each module imports, at its start or in a function; not the packages that they lie in."""
    by_file = {path: name for name, path in modules().items()}
    return {
        name: frozenset(
            by_file[file]
            for dots, each in imports(path)
            if not dots and each.split(".")[0] == LIBRARY.name
            for file in files_of(each, LIBRARY.parent)
            if file.name != "__init__.py"
        )
        for name, path in modules().items()
    }


def package_arrows() -> Arrows:
    """Which packages, and modules beside them, the modules of each package import."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, imported in module_arrows().items():
        package = module.split(".")[0]
        found[package] |= {each.split(".")[0] for each in imported} - {package}
    return {package: frozenset(imported) for package, imported in found.items() if package}


def upwards(arrows: Arrows, rows: Sequence[Sequence[str]] = ROWS) -> list[str]:
    """The arrows that do not point down, in words."""
    row = {package: place for place, packages in enumerate(rows) for package in packages}
    return [
        f"{package} imports {each}"
        for package, imported in arrows.items()
        for each in sorted(imported)
        if row[each] <= row[package]
    ]


def needed(arrows: Arrows) -> Arrows:
    """The arrows without those that follow from others: a → c where a → b → c."""

    def reached(package: str) -> set[str]:
        return {package}.union(*(reached(each) for each in arrows.get(package, ())))

    return {
        package: frozenset(
            each for each in imported if not any(each in reached(other) for other in imported if other != each)
        )
        for package, imported in arrows.items()
    }


# ---- the picture ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A package's place in the picture, in pixels, and the lines of small text below its name."""

    name: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


def picture(rows: Sequence[Sequence[str]], arrows: Arrows, names: Iterable[str]) -> str:
    """The picture as SVG: a row of boxes for each of `rows`, with the modules of each package among the dotted `names`.

    The last row is one box of the modules that stand beside the packages, to which no arrows are drawn.
    """
    inside: dict[str, list[str]] = defaultdict(list)
    for name in names:
        package, *module = name.split(".")[:2]
        inside[package] += [each for each in module if each not in inside[package]]
    boxes = _boxes(rows[:-1], inside)
    lowest = max(box.y + box.height for row in boxes for box in row) + ROW_GAP / 2
    beside = Box(
        ", ".join(rows[-1]), MARGIN, lowest, WIDTH - 2 * MARGIN, 2 * PADDING + TITLE + LINE, ("all may import these",)
    )
    drawn = {package: imported - set(rows[-1]) for package, imported in needed(arrows).items()}
    parts = [_arrow(points) for points in _routes(boxes, drawn)]
    parts += [_drawn(box) for box in [*(box for row in boxes for box in row), beside]]
    height = beside.y + beside.height + MARGIN
    return "\n".join([_HEAD.format(width=WIDTH, height=f"{height:g}"), *parts, "</svg>\n"])


_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" role="img">
<title>The packages of scripts/robustness: each imports only what stands below it</title>
<!-- Written by docs/draw_packages.py (`make docs`) from the imports of the code. -->
<rect width="100%" height="100%" fill="white"/>"""


def _boxes(rows: Sequence[Sequence[str]], inside: Mapping[str, Sequence[str]]) -> list[list[Box]]:
    """A box for each package, row by row, each row in the middle of the page and as high as its longest list."""
    boxes, y = [], float(MARGIN)
    for row in rows:
        lists = [tuple(textwrap.wrap(", ".join(inside[name]), LETTERS, break_on_hyphens=False)) for name in row]
        height = 2 * PADDING + TITLE + LINE * max(map(len, lists))
        left = (WIDTH - len(row) * BOX - (len(row) - 1) * BETWEEN) / 2
        places = (left + place * (BOX + BETWEEN) for place in range(len(row)))
        boxes.append([Box(name, x, y, BOX, height, text) for name, x, text in zip(row, places, lists, strict=True)])
        y += height + ROW_GAP
    return boxes


def _routes(boxes: Sequence[Sequence[Box]], arrows: Arrows) -> list[list[tuple[float, float]]]:
    """The points of each arrow; between two boxes that are rows apart it goes through gaps of the rows in between."""
    row = {box.name: place for place, each in enumerate(boxes) for box in each}
    box_of = {box.name: box for each in boxes for box in each}
    pairs = [(start, end) for start in box_of for end in box_of if end in arrows.get(start, ())]

    def middle(name: str) -> float:
        return box_of[name].x + BOX / 2

    def place(name: str, others: Sequence[str], other: str) -> float:
        """Where on a box's edge the arrow from or to `other` meets it: side by side, in the order of the others."""
        ordered = sorted(others, key=middle)
        return box_of[name].x + BOX * (ordered.index(other) + 1) / (len(ordered) + 1)

    taken: dict[tuple[int, float], int] = defaultdict(int)
    routes = []
    for start, end in pairs:
        x = place(start, [b for a, b in pairs if a == start], end)
        last = place(end, [a for a, b in pairs if b == end], start)
        points = [(x, box_of[start].y + box_of[start].height)]
        for between in range(row[start] + 1, row[end]):
            x = x + (last - x) / (row[end] - between + 1)
            gap = min(_gaps(boxes[between]), key=lambda gap: abs(gap - x))
            taken[between, gap] += 1
            # Side by side: 0, 8, −8, 16, … pixels from the middle of the gap.
            x = gap + (-1) ** taken[between, gap] * -8 * (taken[between, gap] // 2)
            top = boxes[between][0].y
            points += [(x, top - 4), (x, top + boxes[between][0].height + 4)]
        routes.append([*points, (last, box_of[end].y)])
    return routes


def _gaps(row: Sequence[Box]) -> list[float]:
    """The middles of the gaps between the boxes of a row, and places at its ends."""
    ends = [row[0].x - BETWEEN / 2, row[-1].x + BOX + BETWEEN / 2]
    return [*(box.x - BETWEEN / 2 for box in row[1:]), *ends]


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    path = f"M{points[0][0]:.0f},{points[0][1]:.0f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (y + to_y) / 2
        path += f" C{x:.0f},{half:.0f} {to_x:.0f},{half:.0f} {to_x:.0f},{to_y:.0f}"
    line = f'<path d="{path}" fill="none" stroke="#64748b" stroke-width="1.3"/>'
    return f'{line}<path d="M{to_x:.0f},{to_y:.0f} l-4,-8 h8 z" fill="#64748b"/>'


def _drawn(box: Box) -> str:
    x, y = box.x + box.width / 2, box.y + PADDING
    corner = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="6"'
    lines = [f'<rect {corner} fill="#eef2ff" stroke="#4f46e5"/>']
    lines.append(
        f'<text x="{x:.0f}" y="{y + 12:.0f}" font-size="15" font-weight="bold" text-anchor="middle" '
        f'fill="#1e1b4b">{escape(box.name)}</text>'
    )
    for place, line in enumerate(box.lines):
        lines.append(
            f'<text x="{x:.0f}" y="{y + TITLE + 11 + LINE * place:.0f}" font-size="11" text-anchor="middle" '
            f'fill="#334155">{escape(line)}</text>'
        )
    return "\n".join(lines)


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(ROWS, package_arrows(), modules()), encoding="utf-8")


if __name__ == "__main__":
    main()
