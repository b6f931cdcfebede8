"""Draws whole architectures (paper, Fig. 2), each as a column of boxes.

Takes the operations that were traced on the models themselves, so a diagram cannot differ from what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.figures import style
from robustness.figures.networks.drawing import ARROW, GAP, box, canvas, hue_of
from robustness.figures.networks.operations import LINE, Step, described_as, is_own, own_steps, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 3  # columns next to each other: more would be too narrow for their labels


def architecture(described: Mapping[str, Mapping[str, Any]], spec: Mapping[str, Any]) -> Figure:
    """Draw a column per architecture of `spec["models"]`: its operations as boxes, its totals at the head.

    `described` is what the traced models are: per architecture `title`, `family`, `parameters`, `layers`,
    `skip_connections`, `gflops` and `operations` in the order of execution. Raises `UserError` for one that is
    missing.
    """
    names = list(dict.fromkeys(model["architecture"] for model in spec["models"]))
    width = style.PAGE_WIDTH / min(ROW, max(2, len(names)))
    networks = [described_as(described, name) for name in names]
    columns = [(own_steps if is_own(each) else steps)(each["operations"]) for each in networks]
    for step in (step for column in columns for step in column):
        step.label = style.wrap(step.label, width - 1.1, style.SMALL_SIZE)
    heads = [_head(network, width - 0.2) for network in networks]
    rows = [range(start, min(start + ROW, len(names))) for start in range(0, len(names), ROW)]
    # A row is as tall as its longest head and its longest column together.
    room = [(max(_head_height(heads[n]) for n in row), max(_height(columns[n]) for n in row)) for row in rows]
    with style.theme():
        top = sum(head + tall for head, tall in room) + 0.35 * (len(rows) - 1)
        figure, axes = canvas(style.PAGE_WIDTH, top)
        for row, (head, tall) in zip(rows, room, strict=True):
            for number in row:
                left, column = (number - row.start) * width, columns[number]
                _write_head(axes, left, top, *heads[number])
                # A short column is spread out a little, so that it does not hang at the top.
                gap = GAP + min(0.25, (tall - _height(column)) / (len(column) - 1))
                _column(axes, left, top - head, width, column, gap, hue_of(names[number], spec))
            top -= head + tall + 0.35
        shapes = "At the right of each box: the shape of its output; images as channels × height × width."
        counting = "Layers are counted as Keras does; a multiply–add is two FLOP."
        if any(map(is_own, networks)):
            counting += " The user's own networks are drawn from their modules, and their modules are counted."
        style.caption(
            figure,
            f"{spec['dataset']['title']}: the networks",
            [shapes, _legend(columns), counting],
            spec["footnote"],
        )
    return figure


def _height(column: Sequence[Step]) -> float:
    return sum(step.height for step in column) + GAP * (len(column) - 1)


def _head(network: Mapping[str, Any], room: float) -> tuple[str, str]:
    """Return the text above a column, wrapped: the network's title, and its totals."""
    skips = network["skip_connections"]
    flops = network["gflops"]
    cost = f"{flops:.3g} GFLOP" if flops >= 1 else f"{1000 * flops:.3g} MFLOP"
    totals = [f"{network['parameters']:,} trainable parameters", f"{network['layers']} layers"]
    if not is_own(network):
        totals.append(f"{skips or 'no'} skip connection{'' if skips == 1 else 's'}")
    words = ", ".join([*totals, f"{cost} per image"])
    return (
        style.wrap(network["title"], room, style.TEXT_SIZE, "bold"),
        style.wrap(words, room, style.SMALL_SIZE),
    )


def _head_height(head: tuple[str, str]) -> float:
    title, totals = head
    return 0.32 + 0.15 * title.count("\n") + LINE * (1 + totals.count("\n"))


def _write_head(axes: Axes, left: float, top: float, title: str, totals: str) -> None:
    axes.text(left, top - 0.02, title, va="top", fontweight="bold", fontsize=style.TEXT_SIZE)
    below = top - 0.19 - 0.15 * title.count("\n")
    axes.text(left, below, totals, va="top", color=style.GREY, fontsize=style.SMALL_SIZE, linespacing=1.25)


def _column(axes: Axes, left: float, top: float, width: float, column: list[Step], gap: float, hue: str) -> None:
    wide = width - 1.0
    middle = left + wide / 2
    for place, step in enumerate(column):
        bottom = top - step.height
        box(axes, left, bottom, wide, step.height, hue, plain=step.kind in ("Input", "softmax"))
        centre = top - 0.13 - LINE * (step.lines - 1) / 2
        axes.text(middle, centre, step.label, ha="center", va="center", fontsize=style.SMALL_SIZE, linespacing=1.2)
        axes.text(
            left + wide + 0.07,
            top - step.height / 2,
            style.shape_text(step.shape) + _unit(step),
            va="center",
            color=style.GREY,
            fontsize=style.SMALL_SIZE,
        )
        if step.blocks or step.units:
            _cells(axes, middle, bottom + 0.12, step, hue)
        if place + 1 < len(column):
            axes.annotate("", (middle, bottom - gap), (middle, bottom), arrowprops=ARROW)
        top = bottom - gap


def _unit(step: Step) -> str:
    if len(step.shape) > 1:
        return ""
    return {"Linear": " units", "softmax": " probabilities"}.get(step.kind, " values")


def _cells(axes: Axes, middle: float, height: float, step: Step, hue: str) -> None:
    """Draw a box's blocks as squares with an arc over each, or its units as circles (a few, if they are many)."""
    from matplotlib.patches import Arc, Circle, Rectangle

    hollow = {"facecolor": "white", "edgecolor": hue, "linewidth": 0.8, "zorder": 3}
    if step.units:
        few = step.units <= 12
        count = step.units if few else 11
        for index in range(count):
            x = middle + (index - (count - 1) / 2) * 0.15
            if not few and index == count // 2:
                axes.text(x, height, "…", ha="center", va="center", fontsize=style.TEXT_SIZE, color=hue)
            else:
                axes.add_patch(Circle((x, height), 0.05, **hollow))
    for index, converts in enumerate(step.blocks):
        x = middle + (index - (len(step.blocks) - 1) / 2) * 0.24
        axes.add_patch(Rectangle((x - 0.055, height - 0.06), 0.11, 0.09, **hollow))
        line = {"color": hue, "linewidth": 0.9, "linestyle": ":" if converts else "-", "zorder": 3}
        axes.add_patch(Arc((x, height - 0.01), 0.2, 0.17, theta2=180, **line))


def _legend(columns: Sequence[Sequence[Step]]) -> str:
    if not any(step.blocks for column in columns for step in column):
        return ""
    return "Squares: residual blocks; arcs: their skip connections, dotted where the shortcut is a convolution."
