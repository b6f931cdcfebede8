"""Draws bars of robustness: a model's mean over attacked images, with its interval (paper, Fig. 6, 7, 12, 13)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.analysis.saturation import saturation, share_of_pixels
from robustness.errors import UserError
from robustness.figures import style
from robustness.outcome import Outcome
from robustness.storage.levels import is_level
from robustness.storage.tables import Row
from robustness.text import listed, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"mean_change": "average change per pixel", "pixels_changed": "number of pixels changed"}


def robustness_bars(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """Draw horizontal bars of `spec["measure"]` under `spec["attack"]` at its confidence, one per model of the spec.

    `table` has a row per attack, model and required confidence with counts of images (`attacked`, `success`,
    `default_state`, `cap`) and the columns `<measure>`, `<measure>_low`, `<measure>_high`. A model without attacked
    images has no bar and says so; one without an interval (nan) has no whisker. Raises `UserError` when a
    row or the measure is missing.
    """
    measure = spec["measure"]
    if measure not in TITLES:
        raise UserError(f"there is no bar chart of '{measure}'; 'measure' is one of {', '.join(TITLES)}")
    attack, confidence = spec["attack"], spec["required_confidence"]
    rows = [_row(table, attack, model["name"], confidence) for model in spec["models"]]
    with style.theme():
        figure = style.blank(style.COLUMN_WIDTH, 0.75 + 0.42 * len(rows))
        axes = figure.subplots()
        reach = max((_end(row, measure) for row in rows if row["attacked"] > 0), default=1.0)
        for place, (model, row) in enumerate(zip(spec["models"], rows, strict=True)):
            _bar(axes, place, row, measure, spec["dataset"], style.look(model, spec["architectures"]))
            _tick_label(axes, place, model["title"], _fooled(row))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        # The last part is kept for the value written after the longest whisker.
        axes.set_xlim(0, (1.6 if measure == "pixels_changed" else 1.22) * reach if reach > 0 else 1)
        axes.set_yticks(range(len(rows)), [""] * len(rows))
        axes.tick_params(axis="y", length=0)
        axes.xaxis.grid(True)
        axes.set_axisbelow(True)
        axes.set_xlabel(_axis_label(measure, spec["dataset"]))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.axvline(0, color=style.GREY, linewidth=0.8)
        measured = "Bars: mean over attacked images; whiskers: its 95 % interval."
        pixels = [row[measure] for row in rows if row["attacked"] and measure == "pixels_changed"]
        full = saturation(pixels, spec["dataset"]["image_size"])
        style.caption(
            figure,
            f"{spec['dataset']['title']}: {TITLES[measure]}",
            [measured, full, _not_fooled(spec["models"], rows)],
            spec["footnote"],
        )
    return figure


def _row(table: Sequence[Row], attack: str, model: str, confidence: float) -> Row:
    of_model = [row for row in table if (row["attack"], row["model"]) == (attack, model)]
    chosen = [row for row in of_model if is_level(row["required_confidence"], confidence)]
    if len(chosen) != 1:
        count = f"{len(chosen)} rows" if chosen else "no row"
        raise UserError(
            f"the table of robustness has {count} for model '{model}' under attack '{attack}' at confidence "
            f"{confidence} and needs one: delete the table and run the workflow again"
        )
    return chosen[0]


def _bar(axes: Axes, place: int, row: Row, measure: str, dataset: Mapping[str, Any], look: style.Look) -> None:
    if not row["attacked"]:
        axes.annotate(
            "no image was classified correctly",
            (0, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=style.GREY,
            style="italic",
        )
        return
    value, low, high = row[measure], row[f"{measure}_low"], row[f"{measure}_high"]
    share = share_of_pixels(value, dataset["image_size"])
    axes.barh(place, value, height=0.62, color=look.fill, edgecolor=look.edge, hatch=look.hatch, linewidth=0.8)
    # A white whisker beneath the dark one: it is readable on a dark bar and next to it.
    for colour, extra in () if math.isnan(high) else (("white", 1.2), (style.INK, 0.0)):
        axes.errorbar(
            value,
            place,
            xerr=[[value - low], [high - value]],
            color=colour,
            elinewidth=1.0 + extra,
            capsize=2.5 + extra / 2,
            capthick=1.0 + extra,
        )
    axes.annotate(
        _written(value) + (f" ({percent(share)})" if measure == "pixels_changed" else ""),
        (_end(row, measure), place),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontweight="bold",
    )


def _end(row: Row, measure: str) -> float:
    """Return where a bar with its whisker ends."""
    value, high = float(row[measure]), float(row[f"{measure}_high"])
    return value if math.isnan(high) else high


def _tick_label(axes: Axes, place: int, name: str, counts: str) -> None:
    """Write the model's name with the counts beneath it, in the margin left of its bar."""
    lines = style.wrap(name, 1.5, style.TEXT_SIZE)
    # The two are parted half a line above the centre, so that together they stand level with the bar.
    where = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "ha": "right", "linespacing": 1.0}
    axes.annotate(lines, (0, place), xytext=(-5, -1.0), va="bottom", fontsize=style.TEXT_SIZE, **where)
    axes.annotate(counts, (0, place), xytext=(-5, -2.0), va="top", fontsize=style.SMALL_SIZE, color=style.GREY, **where)


def _fooled(row: Row) -> str:
    return f"{int(row[Outcome.SUCCESS]):,} of {int(row['attacked']):,} fooled"


def _not_fooled(models: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> str:
    """Say how many attacked images were not fooled and how their attacks ended, by model."""
    told = []
    for model, row in zip(models, rows, strict=True):
        ends = {"in the default state": row[Outcome.DEFAULT_STATE], "at the cap on iterations": row[Outcome.CAP]}
        parts = [f"{int(count):,} ended {where}" for where, count in ends.items() if count]
        if parts:
            told.append(f"{model['title']}: {listed(parts)}")
    if not told:
        return "Every attacked image was fooled." if any(row["attacked"] for row in rows) else ""
    models_told = "; ".join(told)
    return (
        f"Images that were not fooled are included with the change that they had when the attack ended ({models_told})."
    )


def _written(value: float) -> str:
    """Write three significant digits, never in powers of ten."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def _axis_label(measure: str, dataset: Mapping[str, Any]) -> str:
    channels, height, width = dataset["image_size"]
    change = "|x′ − x|" if channels == 1 else "Σ over channels |x′ − x|"
    if measure == "mean_change":
        return style.wrap(f"mean change per pixel ({change}, pixels in [0, 1])", 3.0, style.TEXT_SIZE)
    text = f"pixels changed by more than {dataset['changed_pixel_threshold']:g} (of {height * width:,})"
    return style.wrap(text, 3.0, style.TEXT_SIZE)
