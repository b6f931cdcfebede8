"""Provides what both diagrams are drawn with: a canvas in inches, boxes, arrows, and a network's colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robustness.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP = 0.16  # inches between boxes: room for an arrow
ARROW = {"arrowstyle": "-|>", "mutation_scale": 7, "color": style.GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}


def hue_of(architecture: str, spec: Mapping[str, Any]) -> str:
    """Return the colour of an architecture, as other figures have it."""
    model = {"name": architecture, "architecture": architecture, "data": "clean"}
    return style.look(model, spec["architectures"]).edge


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure with one invisible pair of axes over all of it, whose unit is the inch."""
    margin = 0.02  # half a line's width, which would be cut off at the axes' edge
    figure = style.blank(width + 2 * margin, height + 2 * margin, None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-margin, width + margin), ylim=(-margin, height + margin))
    axes.set_axis_off()
    return figure, axes


def box(axes: Axes, x: float, y: float, wide: float, high: float, hue: str, *, plain: bool = False) -> None:
    """Draw a rounded box with its lower left corner at (x, y), in inches; a plain one is white with a grey edge."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import FancyBboxPatch

    # Opaque, and above lines: the shortcut's line ends at the box that is drawn over it.
    face = "white" if plain else [1 - 0.13 * (1 - part) for part in to_rgb(hue)]
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            wide,
            high,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=face,
            edgecolor=style.GREY if plain else hue,
            linewidth=0.8,
            zorder=2.5,
        )
    )
