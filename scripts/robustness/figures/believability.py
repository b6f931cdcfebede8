"""Draws what judges answer to each model's adversarial images, and to noise of the same size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style
from robustness.storage.tables import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEITHER = "#c9c9c9"
BARS = {"": (-0.17, 0.34), "_noise": (0.19, 0.2)}
"""Distance from the model's line, and height, of the bar for each kind of image: adversarial, and noise."""


def judges_answers(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """Draw two bars for each model of the spec, shares of the judges' answers, next to the index with its interval.

    `table` has a row for each model with the shares `new_label`, `original`, `neither`, `new_label_noise` and
    `original_noise`, the `index` with `low` and `high`, `ssim`, and the counts `images`, `censored`, `judges` and
    `seeds`. A model without judged images gets a text that says so. Raises `UserError` when a model's row is missing.
    """
    rows = [_row(table, model["name"]) for model in spec["models"]]
    with style.theme():
        figure = style.blank(style.PAGE_WIDTH, 0.9 + 0.5 * len(rows))
        shares, index = figure.subplots(1, 2, sharey=True, width_ratios=[1.6, 1])
        for place, (model, row) in enumerate(zip(spec["models"], rows, strict=True)):
            look = style.look(model, spec["architectures"])
            if row["images"]:
                _bars(shares, place, row, look)
                _interval(index, place, row, look)
            else:
                shares.annotate("no image was fooled", (0.02, place), va="center", color=style.GREY, style="italic")
        shares.set_ylim(len(rows) - 0.5, -0.5)
        shares.set_yticks(range(len(rows)), [_label(*pair) for pair in zip(spec["models"], rows, strict=True)])
        shares.set_xlim(0, 1)
        shares.set_xlabel("share of the judges' answers")
        index.axvline(0, color=style.GREY, linewidth=0.8)
        index.set_xlabel("index: new label on adversarial − on noise")
        index.set_xlim(*_reach(rows))
        for axes in (shares, index):
            axes.tick_params(axis="y", length=0)
            axes.xaxis.grid(True)
            axes.set_axisbelow(True)
            axes.spines[["top", "right", "left"]].set_visible(False)
        _legend(shares)
        style.caption(
            figure,
            f"{spec['dataset']['title']}: do other networks see the new class?",
            [_how(rows), _censored(spec["models"], rows)],
            spec["footnote"],
        )
    return figure


def _row(table: Sequence[Row], model: str) -> Row:
    chosen = [row for row in table if row["model"] == model]
    if len(chosen) != 1:
        raise UserError(
            f"the table of believability has {len(chosen)} rows for model '{model}' and needs one: delete it and "
            "run the workflow again"
        )
    return chosen[0]


def _bars(axes: Axes, place: int, row: Row, look: style.Look) -> None:
    """Draw the new label at the left in the model's colour, the original at the right in white, neither in between."""
    for kind, (offset, height) in BARS.items():
        new, original = row[f"new_label{kind}"], row[f"original{kind}"]
        where = {"y": place + offset, "height": height, "linewidth": 0.8, "edgecolor": look.edge}
        axes.barh(width=new, left=0, color=look.fill, hatch=look.hatch, **where)
        axes.barh(width=1 - new - original, left=new, color=NEITHER, **where)
        axes.barh(width=original, left=1 - original, color="white", **where)


def _interval(axes: Axes, place: int, row: Row, look: style.Look) -> None:
    spread = [[row["index"] - row["low"]], [row["high"] - row["index"]]]
    axes.errorbar(
        row["index"], place, xerr=spread, fmt="D" if look.dashed else "o", color=look.edge, capsize=2.5, markersize=4.5
    )
    bounds = "" if math.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"  # one image has none
    axes.annotate(
        f"{row['index']:.2f}{bounds}",
        (row["index"], place),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=style.SMALL_SIZE,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},  # over the line at zero
    )


def _reach(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the ends of the index's axis: zero and all intervals, with room for what is written above these."""
    drawn = [row[name] for row in rows if row["images"] for name in ("index", "low", "high")]
    known = [value for value in drawn if not math.isnan(value)]
    low, high = min([0.0, *known]), max([0.1, *known])
    return low - 0.15 * (high - low), high + 0.15 * (high - low)


def _label(model: Mapping[str, Any], row: Row) -> str:
    similarity = "" if math.isnan(row["ssim"]) else f", SSIM {row['ssim']:.2f}"
    return f"{style.wrap(model['title'], 1.6, style.SMALL_SIZE)}\n{int(row['images']):,} judged{similarity}"


def _legend(axes: Axes) -> None:
    from matplotlib.patches import Patch

    answers = {"new label (in colour)": style.GREY, "neither": NEITHER, "original label": "white"}
    axes.legend(
        handles=[Patch(facecolor=colour, edgecolor=style.GREY, label=name) for name, colour in answers.items()],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        frameon=False,
        handlelength=1.2,
        borderpad=0,
        fontsize=style.SMALL_SIZE,
    )


def _how(rows: Sequence[Row]) -> str:
    judges, seeds = (int(max(row[name] for row in rows)) for name in ("judges", "seeds"))
    # Where no image was fooled no judge was asked, and the table names none.
    others = {0: "the other networks", 1: "the other network"}.get(judges, f"the {judges} other networks")
    drawn = "seeds, then images" if seeds > 1 else "images"
    return (
        f"Judges of a model: {others} of the dataset. Upper bars: its adversarial images; lower bars: the "
        "original images with random signs of the same L2 norm instead, clipped to [0, 1]. Intervals: 95 %, over "
        f"{drawn}. SSIM: similarity of adversarial image and original."
    )


def _censored(models: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> str:
    told = [
        f"{model['title']}: {int(row['censored']):,}"
        for model, row in zip(models, rows, strict=True)
        if row["censored"]
    ]
    return f"Images that were not fooled have no new label to judge ({'; '.join(told)})." if told else ""
