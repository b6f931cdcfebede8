"""Draws two residual blocks (paper, Fig. 3): one with the identity as its shortcut, one with a convolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style
from robustness.figures.networks.drawing import ARROW, GAP, box, canvas, hue_of
from robustness.figures.networks.operations import Operation, described_as, residual_blocks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def skip_connection(described: Mapping[str, Mapping[str, Any]], spec: Mapping[str, Any]) -> Figure:
    """Draw a block with the identity as its shortcut next to one with a convolution, from the first residual network.

    Takes what `architecture.architecture` takes. Raises `UserError` when no model of the spec is a residual network.
    """
    residual = [
        model["architecture"]
        for model in spec["models"]
        if described_as(described, model["architecture"])["family"] == "resnet"
    ]
    if not residual:
        raise UserError(
            f"dataset '{spec['dataset']['name']}' has no residual network, and so no skip connection to draw"
        )
    name = residual[0]
    network = described[name]
    blocks = residual_blocks(network["operations"])
    kinds = [[key for key in blocks if ("shortcut" in blocks[key][1]) is converts] for converts in (False, True)]
    shown = [(keys[0], len(keys)) for keys in kinds if keys]
    with style.theme():
        tall = 0.42 + max(_block_height(blocks[key][1]) for key, _ in shown)
        figure, axes = canvas(style.PAGE_WIDTH, tall)
        for place, (key, alike) in enumerate(shown):
            entering, parts = blocks[key]
            left = place * style.PAGE_WIDTH / 2
            stage, index = key
            heading = parts["shortcut"]["label"] if "shortcut" in parts else "identity"
            axes.text(left, tall - 0.02, f"Shortcut: {heading}", va="top", fontweight="bold", fontsize=style.TEXT_SIZE)
            before, after = (style.shape_text(shape[1:]) for shape in (entering["shape"], parts["add"]["shape"]))
            resized = f" ({before} → {after})" if before != after else ""
            where = f"stage {stage + 1}, block {index + 1}{resized}; {alike} of {len(blocks)} blocks are of this kind"
            axes.text(left, tall - 0.19, where, va="top", color=style.GREY, fontsize=style.SMALL_SIZE)
            _block(axes, left, tall - 0.42, entering, parts, hue_of(name, spec))
        boxes = "In each box: the operation, the shape of its output and its parameters."
        style.caption(
            figure,
            f"{spec['dataset']['title']}: the residual blocks of the {network['title']}",
            [boxes],
            spec["footnote"],
        )
    return figure


# Inches in the drawing of a block: a box of two lines, what is above the first box, the arrow below the last.
PART_HEIGHT, ENTRY, EXIT = 0.36, 0.52, 0.22


def _block_height(parts: Mapping[str, Operation]) -> float:
    path = len([part for part in parts if part != "shortcut"])
    return ENTRY + path * PART_HEIGHT + (path - 1) * GAP + EXIT


def _block(axes: Axes, left: float, top: float, entering: Operation, parts: Mapping[str, Operation], hue: str) -> None:
    """Draw a block's path downwards from `top`, and its shortcut as an elbow at the right, into the addition."""
    wide, side = 1.7, left + 2.5
    middle = left + wide / 2
    small = {"ha": "center", "va": "center", "fontsize": style.SMALL_SIZE, "color": style.GREY}
    axes.text(middle, top - 0.1, f"from {entering['label']}, {style.shape_text(entering['shape'])}", **small)
    y, gap, fork = top - 0.2, ENTRY - 0.2, top - 0.32
    for part, operation in parts.items():
        if part == "shortcut":
            continue
        below = y - gap
        axes.annotate("", (middle, below), (middle, y), arrowprops=ARROW)
        y, gap = below - PART_HEIGHT, GAP
        box(axes, left, y, wide, PART_HEIGHT, hue, plain=part == "add")
        _part_text(axes, middle, y + PART_HEIGHT / 2, operation)
        if part == "add":
            _shortcut(axes, (middle, fork), (left + wide, y + PART_HEIGHT / 2), side, parts.get("shortcut"), hue)
    axes.annotate("", (middle, y - EXIT), (middle, y), arrowprops=ARROW)


def _part_text(axes: Axes, x: float, y: float, operation: Operation) -> None:
    details = [style.shape_text(operation["shape"])]
    if operation["parameters"]:
        details.append(f"{operation['parameters']:,} parameters")
    small = {"ha": "center", "va": "center", "zorder": 3}
    axes.text(x, y + 0.075, operation["label"], fontsize=style.SMALL_SIZE + 0.5, **small)
    axes.text(x, y - 0.08, " · ".join(details), fontsize=style.SMALL_SIZE, color=style.GREY, **small)


def _shortcut(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    side: float,
    operation: Operation | None,
    hue: str,
) -> None:
    """Draw the elbow from `start` by way of x = `side` into `end`, with the operation on it or the word identity."""
    from matplotlib.patches import Circle

    axes.plot([start[0], side, side, end[0] + 0.08], [start[1], start[1], end[1], end[1]], color=hue, linewidth=1.4)
    axes.annotate("", end, (end[0] + 0.2, end[1]), arrowprops={**ARROW, "color": hue, "linewidth": 1.4})
    axes.add_patch(Circle(start, 0.03, facecolor=hue, edgecolor="none", zorder=3))
    centre = (start[1] + end[1]) / 2
    if operation is None:
        axes.text(side + 0.08, centre, "identity", va="center", fontsize=style.SMALL_SIZE + 0.5)
        return
    wide, high = 1.36, PART_HEIGHT + 0.16
    box(axes, side - wide / 2, centre - high / 2, wide, high, hue)
    small = {"ha": "center", "va": "center", "zorder": 3}
    lines = [operation["label"], style.shape_text(operation["shape"]), f"{operation['parameters']:,} parameters"]
    for line, text in enumerate(lines):
        colour, size = (style.GREY, style.SMALL_SIZE) if line else (style.INK, style.SMALL_SIZE + 0.5)
        axes.text(side, centre + 0.155 * (1 - line), text, color=colour, fontsize=size, **small)
