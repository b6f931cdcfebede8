"""Gives all figures their fonts, colours, titles and footnotes, and saves them as SVG and PNG.

A model has the same colour in every figure, every figure states its settings beneath it, and the same input gives the
same bytes.

A figure about robustness says which of its models failed a trust check. `workflow.figures` lists the table of checks
among its inputs (`trust`), and its module in `products.figures` calls `with_trust` before it draws. Titles of such
models then end in a dagger, and `caption` puts the sentence about them, which is in the spec's footnote, first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.runtime.cli import settings
from robustness.storage.atomic import replacing
from robustness.trust.questions import failures, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMN_WIDTH = 4.6  # inches: a bar chart in one column of a page
PAGE_WIDTH = 6.9  # inches: rows of pictures and diagrams across a page
SVG_DPI = 72  # matplotlib's
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 9.5, 8.0, 7.0  # points
INK, GREY, RULE = "#222222", "#5f5f5f", "#bdbdbd"
WARNING = "#a31515"
NOT_TRUSTWORTHY = "Not trustworthy: "

# Okabe and Ito's hues, dark ones first: told apart with any colour vision, and in print their lightness differs.
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
TINT = 0.5  # how far the colour of a model goes towards white that is not trained on clean data

HATCHES = {"noisy": "////", "adversarial": "xxxx"}
DASHES = {"noisy": (3.0, 1.3), "adversarial": (6.0, 1.3, 1.3, 1.3)}
MORE_HATCHES = ("", "..", "oo", "++")
MORE_DASHES: tuple[tuple[float, ...], ...] = ((), (1.0, 1.2), (1.0, 1.2, 1.0, 1.2, 4.0, 1.2), (9.0, 2.0))
"""What the first, second, … of several models has that would otherwise look alike."""


@dataclass(frozen=True)
class Look:
    """How a model is drawn: the fill of its bars, the edge and line colour, hatch, and dashes (empty: a solid line)."""

    fill: str
    edge: str
    hatch: str
    dashes: tuple[float, ...]

    @property
    def dashed(self) -> bool:
        """Whether its lines have dashes."""
        return bool(self.dashes)


def look(model: Mapping[str, Any], architectures: Sequence[str]) -> Look:
    """Return the look of `model` (keys `architecture`, `data`): its hue is its architecture's place in `architectures`.

    Clean models are in full colour; others are a tint with hatched bars and dashed lines. Noisy and adversarial ones
    differ in hatches and dashes, so that the three are told apart without colour. A model that has others of its hue
    and kind of data before it (the key `alike` says how many) has further hatches and dashes. Raises `UserError` for an
    architecture that is not listed.
    """
    from matplotlib.colors import to_hex, to_rgb

    if model["architecture"] not in architectures:
        raise UserError(
            f"model '{model['name']}' has architecture '{model['architecture']}', which is not among the "
            f"configuration's architectures ({', '.join(architectures)})"
        )
    hue = HUES[list(architectures).index(model["architecture"]) % len(HUES)]
    number = model.get("alike", 0)
    more_hatches, more_dashes = MORE_HATCHES[number % len(MORE_HATCHES)], MORE_DASHES[number % len(MORE_DASHES)]
    tint = to_hex([part + (1 - part) * TINT for part in to_rgb(hue)])
    if model["data"] == "clean":
        return Look(fill=tint if number else hue, edge=hue, hatch=more_hatches, dashes=more_dashes)
    dashes = (*DASHES[model["data"]], *more_dashes)
    return Look(fill=tint, edge=hue, hatch=HATCHES[model["data"]] + more_hatches, dashes=dashes)


def looks(spec: Mapping[str, Any]) -> dict[str, Look]:
    """Return the look of each model of a figure's spec (keys `models`, `architectures`), by name."""
    return {model["name"]: look(model, spec["architectures"]) for model in spec["models"]}


def checked(spec: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return the spec after checking that it has what every figure needs and `keys`, and that models' titles differ.

    Raises `UserError` that names what is missing, or the title that two models share.
    """
    settings(spec, "dataset", "models", "architectures", "footnote", *keys)
    titles = [model["title"] for model in spec["models"]]
    for title in titles:
        if titles.count(title) > 1:
            raise UserError(f"two models are titled '{title}' in figures: give one of them another title")
    return spec


def with_trust(spec: Mapping[str, Any], table: Path) -> dict[str, Any]:
    """Return the spec with a dagger at the titles of models that failed a trust check, and a sentence in the footnote.

    `table` is the dataset's table of trust checks; raises `UserError` when it is missing or damaged.
    """
    failed = failures(read(table))
    told = [f"{model['title']} ({failed[model['name']]})" for model in spec["models"] if model["name"] in failed]
    if not told:
        return dict(spec)
    models = [
        model | {"title": f"{model['title']}\u00a0†"} if model["name"] in failed else model for model in spec["models"]
    ]
    sentence = f"† {NOT_TRUSTWORTHY}{'; '.join(told)}. See trust.html."
    return {**spec, "models": models, "footnote": [*spec["footnote"], sentence]}


@contextmanager
def theme() -> Iterator[None]:
    """Set fonts, line widths and reproducible SVG for the figures made or saved within; leaves no global state."""
    from matplotlib import rc_context

    ours: dict[str, Any] = {
        "axes.axisbelow": True,
        "lines.solid_capstyle": "round",
        "patch.edgecolor": "white",
        "patch.force_edgecolor": True,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
        "font.size": TEXT_SIZE,
        "axes.labelsize": TEXT_SIZE,
        "axes.titlesize": TEXT_SIZE,
        "xtick.labelsize": SMALL_SIZE,
        "ytick.labelsize": SMALL_SIZE,
        "legend.fontsize": TEXT_SIZE,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.6,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "grid.color": "#e3e3e3",
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.7,
        "text.parse_math": False,  # a class name may hold a dollar sign
        "svg.fonttype": "none",  # text stays text: it can be searched and edited
        "svg.hashsalt": "robustness",  # element ids are otherwise random
    }
    with rc_context(ours):
        yield


def blank(width: float, height: float, layout: str | None = "constrained") -> Figure:
    """Return an empty figure of that size in inches; pyplot does not know it, so nothing has to be closed.

    Its texts are measured as the SVG has them, so that one layout serves the SVG and the PNG.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=SVG_DPI, layout=layout)
    FigureCanvasSVG(figure)
    return figure


@lru_cache(maxsize=1024)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width in inches of one line of text in the figures' font."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def wrap(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Return `text` with line breaks between words so that no line is wider than `width` inches.

    Breaks are measured, not counted, as letters differ in width. Line breaks in `text` are kept, and quantities (`σ =
    0.5`, `95 %`) stay whole. A single word that is wider is broken, after `_` or `-` where it has them.
    """
    lines: list[str] = []
    for paragraph in text.replace(" = ", "\u00a0=\u00a0").replace(" %", "\u00a0%").split("\n"):
        words = paragraph.split(" ")
        while words:
            count = _fitting(words, width, size, weight)
            if count:
                lines.append(" ".join(words[:count]))
                del words[:count]
            else:  # the last piece of a broken word shares a line with the next words
                *full, words[0] = _broken(words[0], width, size, weight)
                lines += full or [words.pop(0)]
    return "\n".join(lines)


def _fitting(words: Sequence[str], width: float, size: float, weight: str) -> int:
    """Return how many of the words fit into one line."""

    def fits(count: int) -> bool:
        return text_width(" ".join(words[:count]), size, weight) <= width

    # Measuring takes as long as a text is, so that it begins near the end: most letters are half as wide as high.
    most = 2 * 72 * width / size
    count = sum(length <= most for length in accumulate(len(word) + 1 for word in words))
    while count and not fits(count):
        count -= 1
    while count < len(words) and fits(count + 1):
        count += 1
    return count


def _broken(word: str, width: float, size: float, weight: str) -> list[str]:
    """Break a word into pieces of at most `width` inches, after `_` or `-` where possible."""
    pieces = [""]
    for part in re.findall(r"[^_-]*[_-]+|[^_-]+", word) or [word]:
        letters = [part] if text_width(part, size, weight) <= width else list(part)
        for letter in letters:
            if pieces[-1] and text_width(pieces[-1] + letter, size, weight) > width:
                pieces.append("")
            pieces[-1] += letter
    return pieces


def caption(figure: Figure, title: str, sentences: Sequence[str], settings: Sequence[str]) -> None:
    """Put the title above what is drawn, and the sentences and then the settings below it, in small; call it last.

    All start at the picture's left edge, are wrapped to its width, and are outside of it: the picture keeps its
    size, and `save` takes them in. The figure is laid out here and stays so. The sentence on models that are not
    trustworthy, which is among the settings, comes first, in a colour of its own. Each part has a name in the SVG, and
    so has the box around what is drawn: the study's page (`robustness.pages.pictures`) shows the parts apart.
    """
    from matplotlib.patches import Rectangle

    layout = figure.get_layout_engine()
    if layout is not None:
        for _ in range(2):  # the second settles what the first has moved, such as labels of ticks
            layout.execute(figure)
        figure.set_layout_engine(None)
    drawn = figure.get_tightbbox()
    wide, high = figure.get_size_inches()
    box = Rectangle((drawn.x0 / wide, drawn.y0 / high), drawn.width / wide, drawn.height / high, gid="drawn")
    box.set(fill=False, edgecolor="none", transform=figure.transFigure)
    figure.add_artist(box)
    room = max(drawn.width, 0.75 * COLUMN_WIDTH)
    left = drawn.x0 / wide
    figure.text(
        left,
        (drawn.y1 + 0.1) / high,
        wrap(title, room, TITLE_SIZE, "bold"),
        va="bottom",
        fontsize=TITLE_SIZE,
        fontweight="bold",
        gid="title",
    )
    warnings = [sentence for sentence in settings if NOT_TRUSTWORTHY in sentence]
    others = [sentence for sentence in settings if sentence not in warnings]
    top = drawn.y0 - 0.1
    parts = (
        ("warnings", warnings, WARNING, "bold"),
        ("sentences", sentences, GREY, "normal"),
        ("settings", others, GREY, "normal"),
    )
    for name, told, colour, weight in parts:
        if any(told):
            text = figure.text(
                left,
                top / high,
                wrap(" ".join(filter(None, told)), room, SMALL_SIZE, weight),
                va="top",
                fontsize=SMALL_SIZE,
                fontweight=weight,
                color=colour,
                linespacing=1.3,
                gid=name,
            )
            top = text.get_window_extent().y0 / figure.dpi - 0.06


def line_key(model: Mapping[str, Any], look: Look, width: float, room: float) -> Line2D:
    """Return a legend's line for a model: its colour and dashes, `width` points, its title in `room` inches."""
    from matplotlib.lines import Line2D

    line = Line2D([], [], color=look.edge, linewidth=width, label=wrap(model["title"], room, TEXT_SIZE))
    line.set_dashes(look.dashes)
    return line


def save(figure: Figure, svg: Path, png: Path) -> None:
    """Write the figure whole, with everything that reaches beyond its area; same figure, same bytes."""
    # Level 3 compresses text and lines as well as the usual 6, in two thirds of the time.
    pixels: dict[str, Any] = {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}}
    with theme():
        everything = figure.get_tightbbox().padded(0.06)
        for path, form, options in ((svg, "svg", {"metadata": {"Date": None}}), (png, "png", pixels)):
            with replacing(path) as temporary:
                figure.savefig(temporary, format=form, dpi=220, bbox_inches=everything, **options)


def shape_text(shape: Sequence[int]) -> str:
    """Write a tensor's shape as figures do: `8×32×32`."""
    return "×".join(str(length) for length in shape)
