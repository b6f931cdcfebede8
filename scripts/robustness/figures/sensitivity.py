"""Draws verdicts over values that the paper leaves out: a row per claim, a column per value, a panel per setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style
from robustness.storage.tables import Row
from robustness.text import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, ROW, LABELS, GAP = 0.66, 0.74, 2.3, 0.15  # inches: of a value, a claim, the claims' words, between panels
TINY = 6.0  # points: intervals
BAND = "#d5d5d5"  # behind the configured value's column
HALF = 0.44  # half of a tile's width and height, in rows and columns
PANELS = {"alpha": "step of the attack, α", "sigma": "noise of the noisy models, σ"}


@dataclass(frozen=True)
class Mark:
    """How a verdict is drawn: shape, colour, the tile's tint, and whether the shape is filled."""

    shape: str
    colour: str
    tint: str
    filled: bool


MARKS = {
    "holds": Mark("o", style.HUES[0], "#dcebf5", filled=True),
    "does not hold": Mark("X", style.HUES[1], "#fbe6d8", filled=True),
    "undecided": Mark("D", style.GREY, "#f2f2f2", filled=False),
}


def over_values(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """Draw a tile for each claim and value with the verdict's mark and the estimate; a bar where the verdict reverses.

    `table` has a row per parameter, value and claim (`robustness.claims.sensitivity.over_values`). The column of the
    configured value is framed. Raises `UserError` for a verdict that has no mark, or an empty table.
    """
    unknown = sorted({row["weights_verdict"] for row in table} - set(MARKS))
    if unknown or not table:
        what = f"a verdict '{unknown[0]}'" if unknown else "no verdicts"
        raise UserError(f"the table of sensitivity has {what}: delete it and run the workflow again")
    panels = {name: rows for name in PANELS if (rows := [row for row in table if row["parameter"] == name])}
    claims = list(dict.fromkeys(row["claim"] for row in table))
    values = {name: sorted({row["value"] for row in rows}) for name, rows in panels.items()}
    with style.theme():
        counts = [len(each) for each in values.values()]
        wide, high = LABELS + COLUMN * sum(counts) + GAP * (len(counts) - 1), ROW * len(claims)
        figure = style.blank(wide, high, layout=None)
        left = LABELS
        for name, rows in panels.items():
            width = COLUMN * len(values[name])
            axes = figure.add_axes((left / wide, 0, width / wide, 1))
            left += width + GAP
            _panel(axes, rows, claims, values[name], name)
            if axes is figure.axes[0]:
                _claims(axes, table, claims)
        _legend(figure, high)
        style.caption(
            figure,
            f"{spec['dataset']['title']}: which verdicts depend on {_named(list(panels))}",
            [_read(table), _not_fooled(table)],
            spec["footnote"],
        )
    return figure


def _panel(axes: Axes, rows: Sequence[Row], claims: Sequence[int], values: Sequence[float], name: str) -> None:
    from matplotlib.patches import Rectangle

    for row in rows:
        across, down = values.index(row["value"]), claims.index(row["claim"])
        mark = MARKS[row["weights_verdict"]]
        axes.add_patch(
            Rectangle((across - HALF, down - HALF), 2 * HALF, 2 * HALF, facecolor=mark.tint, edgecolor="none")
        )
        face = mark.colour if mark.filled else "white"
        axes.plot(across, down - 0.2, mark.shape, markersize=8, color=mark.colour, markerfacecolor=face)
        centred: dict[str, Any] = {"ha": "center", "va": "center"}
        axes.text(across, down + 0.12, _written(row["estimate"]), fontsize=style.SMALL_SIZE, **centred)
        axes.text(across, down + 0.31, _interval(row), fontsize=TINY, color=style.GREY, **centred)
        if row["changes"]:
            axes.plot([across - 0.5] * 2, [down - HALF, down + HALF], color=style.INK, linewidth=2.6)
    chosen = [values.index(value) for value in {row["value"] for row in rows if row["configured"]}]
    for across in chosen:
        band = Rectangle((across - 0.5, -0.54), 1, len(claims) + 0.08, facecolor=BAND, edgecolor="none", zorder=0)
        axes.add_patch(band).set_clip_on(False)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.set_ylim(len(claims) - 0.5, -0.5)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    for across in chosen:
        axes.get_xticklabels()[across].set_fontweight("bold")
    axes.tick_params(length=0, pad=5)
    axes.set_yticks([])
    axes.set_xlabel(PANELS[name], labelpad=5)
    axes.xaxis.set_label_position("top")
    axes.spines[:].set_visible(False)


def _claims(axes: Axes, table: Sequence[Row], claims: Sequence[int]) -> None:
    """Write the claims' numbers, what is asked, and what the estimates measure, left of the first panel."""
    left, indent = -72 * LABELS, 18
    for down, claim in enumerate(claims):
        rows = [row for row in table if row["claim"] == claim]
        # What follows a colon says how the paper is read, what follows a comma which models an estimate is about.
        asked = style.wrap(rows[0]["asks"].partition(":")[0].rstrip("."), LABELS - 0.35, style.SMALL_SIZE)
        units = dict.fromkeys(row["unit"].partition(",")[0] for row in rows)
        unit = style.wrap(" or ".join(units), LABELS - 0.35, TINY)
        where = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(f"{claim}", (0, down), (left, 0), va="center", fontsize=style.TITLE_SIZE, weight="bold", **where)
        small = {"va": "top", "linespacing": 1.1, **where}
        heights = [1.2 * size * (text.count("\n") + 1) for text, size in ((asked, style.SMALL_SIZE), (unit, TINY))]
        top = sum(heights) / 2
        axes.annotate(asked, (0, down), (left + indent, top), fontsize=style.SMALL_SIZE, **small)
        axes.annotate(unit, (0, down), (left + indent, top - heights[0]), fontsize=TINY, color=style.GREY, **small)


def _legend(figure: Figure, high: float) -> None:
    """Draw what the marks mean, beneath the tiles."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker=mark.shape, color=mark.colour, label=verdict, markersize=7)
        for verdict, mark in MARKS.items()
    ]
    for handle, mark in zip(handles, MARKS.values(), strict=True):
        handle.set_markerfacecolor(mark.colour if mark.filled else "white")
    handles.append(Line2D([], [], linestyle="", marker="|", color=style.INK, markersize=11, markeredgewidth=2.6))
    handles[-1].set_label("verdict turns")
    handles.append(Line2D([], [], linestyle="", marker="s", color=BAND, markersize=9))
    handles[-1].set_label("configured value")
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, -0.08 / high),
        ncols=len(handles),
        frameon=False,
        fontsize=style.SMALL_SIZE,
        handletextpad=0.3,
        columnspacing=1.2,
        borderpad=0,
        borderaxespad=0,
    )


def _named(parameters: Sequence[str]) -> str:
    return listed([{"alpha": "the step α", "sigma": "the noise σ"}[name] for name in parameters])


def _read(table: Sequence[Row]) -> str:
    """Say what the tiles show, and for which claims the verdict reverses."""
    changing = sorted({row["claim"] for row in table if row["changes"]})
    claims = f"claim{'s' if len(changing) > 1 else ''} {listed([str(claim) for claim in changing])}"
    return (
        "Verdicts are about these weights (tests over images, Holm's correction within a column). Numbers: the "
        "estimate for the comparison of the claim that is furthest from holding, with its 95 % interval. "
    ) + (f"The verdict reverses for {claims}." if changing else "No verdict reverses.")


def _not_fooled(table: Sequence[Row]) -> str:
    """Say how many attacks did not fool their image, for the claim and value where most did not."""
    worst = max(table, key=lambda row: row["censored"])
    if not worst["censored"]:
        return "Every attacked image was fooled."
    letter = {"alpha": "α", "sigma": "σ"}[worst["parameter"]]
    where = f"claim {worst['claim']} at {letter} = {worst['value']:g}"
    return (
        "An attack that did not fool its image counts as needing more change than any other image: at most "
        f"{int(worst['censored']):,} of {int(worst['attacked']):,} ({where})."
    )


def _interval(row: Row) -> str:
    return "" if math.isnan(row["low"]) else f"[{_written(row['low'], 3)}, {_written(row['high'], 3)}]"


def _written(value: float, most: int = 9) -> str:
    """Write two significant digits with at most `most` decimals; a dash where there is no estimate.

    From 1 to 10 there are three: a claim can hold by a factor of 1.01.
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    further = 2 if 1 <= abs(value) < 10 else 1
    decimals = min(most, max(0, further - math.floor(math.log10(abs(value)))))
    return f"{value:,.{decimals}f}".replace("-", "−")
