"""Draws heat maps: which model's changes fool which (transfer), and what it takes from class to class (targeted)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robustness.errors import UserError
from robustness.figures import style
from robustness.outcome import Outcome
from robustness.storage.levels import ARGMAX, is_level
from robustness.storage.tables import Row
from robustness.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLOURS = "YlGnBu"  # from light to dark: read with any colour vision, and in print
EMPTY = "#ececec"
NORMS = {"linf": "L∞", "l2": "L2"}
SIDE_BY_SIDE = 5  # models: with more the two matrices of transfer stand one above the other
WRITTEN = 20  # classes: with more the cells of a targeted heat map have no room for text
NOISE = "random signs"
WITHIN: dict[str, Any] = {"in_layout": False}
"""Text of a cell, which the layout need not measure: it stays within."""


def transfer_matrices(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """Two matrices, at matched L∞ and matched L2: sources in rows, targets in columns, the share fooled in each cell.

    `table` has a row for each source, target and norm with `size`, `fooled`, `fooled_low`, `fooled_high`,
    `same_mistake`, `fooled_by_noise`, `images`, `censored` and `seeds`. A last row shows what random signs of the same
    size do to the images of the diagonal. Raises `UserError` when a pair is missing.
    """
    models = spec["models"]
    above = len(models) > SIDE_BY_SIDE
    side = (style.PAGE_WIDTH - 1.4) / len(models) / (1 if above else 2)
    high = 1.0 + min(side, 0.62) * (len(models) + 1)
    with style.theme():
        figure = style.blank(style.PAGE_WIDTH, high * (2 if above else 1))
        grid = figure.subplots(*((2, 1) if above else (1, 2)), squeeze=False).flatten()
        for place, (axes, norm) in enumerate(zip(grid, NORMS, strict=True)):
            cells = [[_pair(table, source["name"], target["name"], norm) for target in models] for source in models]
            shown = _transfer_matrix(axes, cells, models, side)
            size = next((cell["size"] for row in cells for cell in row if not math.isnan(cell["size"])), math.nan)
            axes.set_title(
                f"{NORMS[norm]} norm: no change to show"
                if math.isnan(size)
                else f"every change of {NORMS[norm]} norm {size:.3g}",
                fontsize=style.TEXT_SIZE,
                pad=6,
            )
            if place == 0 or above:
                axes.set_yticks(range(len(models) + 1), [*(_narrow(model["title"], 1.1) for model in models), NOISE])
                axes.set_ylabel("changes made on")
            else:
                axes.set_yticks([])
            axes.set_xlabel("shown to")
        bar = figure.colorbar(shown, ax=list(grid), fraction=0.03, aspect=25, pad=0.02)
        bar.set_label("share of images that fool the target", fontsize=style.SMALL_SIZE)
        bar.outline.set_visible(False)
        style.caption(
            figure,
            f"{spec['dataset']['title']}: does what fools one model fool another?",
            [*_transfer_words(table, models)],
            spec["footnote"],
        )
    return figure


def _transfer_matrix(
    axes: Axes, cells: Sequence[Sequence[Row]], models: Sequence[Mapping[str, Any]], side: float
) -> AxesImage:
    count = len(models)
    fooled = [[cell["fooled"] for cell in row] for row in cells]
    values = np.array([*fooled, [cells[place][place]["fooled_by_noise"] for place in range(count)]], dtype=float)
    shown = _heat(axes, values, 1.0)
    small = style.SMALL_SIZE if side > 0.55 else style.SMALL_SIZE - 1.5
    for place, row in enumerate(cells):
        for column, cell in enumerate(row):
            if not cell["images"]:
                axes.text(
                    column, place, "no image", ha="center", va="center", color=style.GREY, fontsize=small, **WITHIN
                )
                continue
            colour = _ink(shown, cell["fooled"])
            interval = f"{100 * cell['fooled_low']:.0f} to {100 * cell['fooled_high']:.0f} %"
            mistake = "itself" if place == column else f"same {100 * cell['same_mistake']:.0f} %"
            axes.annotate(
                f"{100 * cell['fooled']:.0f} %",
                (column, place),
                xytext=(0, 2.5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=colour,
                fontweight="bold",
                fontsize=small + 1,
                annotation_clip=False,
                **WITHIN,
            )
            axes.annotate(
                f"{interval}\n{mistake}",
                (column, place),
                xytext=(0, 1),
                textcoords="offset points",
                ha="center",
                va="top",
                color=colour,
                fontsize=small - 0.5,
                linespacing=1.0,
                annotation_clip=False,
                **WITHIN,
            )
        noise = cells[place][place]["fooled_by_noise"]
        if not math.isnan(noise):
            axes.text(
                place,
                count,
                f"{100 * noise:.0f} %",
                ha="center",
                va="center",
                color=_ink(shown, noise),
                fontsize=small,
                **WITHIN,
            )
    axes.axhline(count - 0.5, color="white", linewidth=4)
    axes.set_xticks(range(count), [_narrow(model["title"], side) for model in models])
    return shown


def _pair(table: Sequence[Row], source: str, target: str, norm: str) -> Row:
    wanted = (source, target, norm)
    chosen = [row for row in table if (row["source"], row["target"], row["norm"]) == wanted]
    if len(chosen) != 1:
        raise UserError(
            f"the table of transfer has {len(chosen)} rows from '{source}' to '{target}' at norm {norm} and needs one: "
            "delete the table and run the workflow again"
        )
    return chosen[0]


def _transfer_words(table: Sequence[Row], models: Sequence[Mapping[str, Any]]) -> list[str]:
    images, seeds = {int(row["images"]) for row in table}, max(row["seeds"] for row in table)
    few, many = min(images), max(images)
    counted = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    censored = {row["source"]: int(row["censored"]) for row in table}
    told = [f"{model['title']}: {censored[model['name']]:,}" for model in models if censored[model["name"]]]
    how = "over seeds, then images" if seeds > 1 else "over images"
    return [
        f"In each cell: the share of images that fool the target, its 95 % interval {how}, and after “same” the share "
        f"that fool it into the source's own mistake, of {counted} images that both classify correctly unchanged.",
        "The change of each image that fooled the source is lengthened or shortened along its direction to the size "
        "above the matrix, the largest finite median change of the models, and clipped to [0, 1].",
        f"{NOISE.capitalize()}: noise of that size on the images of the diagonal.",
        "Source and target have the same seed; shares are over all seeds." if seeds > 1 else "",
        f"Images that did not fool the source have no change to transfer ({'; '.join(told)})." if told else "",
    ]


def targeted_matrix(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """True classes in rows, targets in columns; colour and number are the median change that the attack needed.

    `table` has a row for each model, `class`, `target` and required confidence with `images`, `success` and
    `median_mean_change`, infinite where half of the images or more never became the target. The scale of colours is the
    same for all models of the table, from zero on. Cells in which some image did not get there say how many did; with
    more than `WRITTEN` classes they are marked with a dot, and there are no numbers.
    """
    classes = [str(name) for name in spec["dataset"]["classes"]]
    sure = [row for row in table if is_level(row["required_confidence"], spec["required_confidence"])]
    medians = [row["median_mean_change"] for row in sure]
    largest = max(filter(math.isfinite, medians), default=1.0)
    own = [row for row in sure if row["model"] == spec["model"]]
    any_wrong = [row for row in table if row["model"] == spec["model"] and is_level(row["required_confidence"], ARGMAX)]
    taken = sum(row[Outcome.SUCCESS] for row in any_wrong)
    unsure = taken - sum(row[Outcome.SUCCESS] for row in own)
    values, images, success = (
        _square(own, name, classes) for name in ("median_mean_change", "images", Outcome.SUCCESS)
    )
    with style.theme():
        figure, axes = _class_canvas(len(classes))
        shown = _heat(axes, np.where(np.isfinite(values), values, np.nan), largest)
        _hatch_infinite(axes, values)
        if len(classes) <= WRITTEN:
            _write_cells(axes, shown, values, images, success)
        else:
            rows, columns = np.nonzero(success < images)
            axes.plot(columns, rows, linestyle="", marker=".", markersize=2, color="#D55E00")
        _class_ticks(axes, classes)
        bar = figure.colorbar(shown, ax=axes, fraction=0.05, aspect=25, pad=0.02)
        bar.set_label("median of the mean change per pixel", fontsize=style.SMALL_SIZE)
        bar.outline.set_visible(False)
        title = next((model["title"] for model in spec["models"] if model["name"] == spec["model"]), spec["model"])
        style.caption(
            figure,
            f"{spec['dataset']['title']}: from class to class, {title}",
            [
                *_targeted_words(own, images, success, len(classes)),
                f"{unsure:,} more were taken for the target, but with less than the required probability."
                if unsure > 0
                else "",
            ],
            spec["footnote"],
        )
    return figure


def _square(table: Sequence[Row], name: str, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return a column as a matrix of true class × target; nan where there is no row."""
    places = {each: place for place, each in enumerate(classes)}
    square = np.full((len(classes), len(classes)), np.nan)
    for row in table:
        square[places[row["class"]], places[row["target"]]] = row[name]
    return square


def _class_canvas(count: int) -> tuple[Figure, Axes]:
    side = min(style.PAGE_WIDTH - 1.2, max(2.2, 0.52 * count))
    figure = style.blank(side + 1.2, side + 0.5)
    return figure, figure.subplots()


def _hatch_infinite(axes: Axes, values: NDArray[np.float64]) -> None:
    """Hatch the pairs where half of the images or more never became the target."""
    from matplotlib.patches import Rectangle

    for row, column in zip(*np.nonzero(np.isinf(values)), strict=True):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor=style.GREY, hatch="////", linewidth=0))


def _write_cells(
    axes: Axes,
    shown: AxesImage,
    values: NDArray[np.float64],
    images: NDArray[np.float64],
    success: NDArray[np.float64],
) -> None:
    small = style.SMALL_SIZE if len(values) <= 12 else style.SMALL_SIZE - 2
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for row, column in zip(*np.nonzero(images > 0), strict=True):
        value, all_reached = values[row, column], success[row, column] == images[row, column]
        known = bool(np.isfinite(value))
        text = [_short(value)] if known else []
        if not all_reached:
            text.append(f"{success[row, column]:.0f} of {images[row, column]:.0f}")
        colour = _ink(shown, value) if known else style.INK
        axes.text(
            column,
            row,
            "\n".join(text),
            ha="center",
            va="center",
            color=colour,
            fontsize=small if all_reached else small - 0.5,
            fontweight="normal" if all_reached else "bold",
            linespacing=1.1,
            bbox=None if known else box,
            **WITHIN,
        )


def _class_ticks(axes: Axes, classes: Sequence[str]) -> None:
    step = math.ceil(len(classes) / 40)
    places = range(0, len(classes), step)
    names = [classes[place] for place in places]
    upright = max(style.text_width(name, style.SMALL_SIZE) for name in names) > 0.45 or len(classes) > WRITTEN
    size = style.SMALL_SIZE if len(classes) <= WRITTEN else style.SMALL_SIZE - 1.5
    axes.set_xticks(places, names, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.set_xlabel("target class")
    axes.set_ylabel("true class")


def _targeted_words(
    table: Sequence[Row], images: NDArray[np.float64], success: NDArray[np.float64], classes: int
) -> list[str]:
    attacked, reached = int(np.nansum(images)), int(np.nansum(success))
    seeds = max((row["seeds"] for row in table), default=0)
    each = int(np.nanmax(images)) if attacked else 0
    pairs = int((images > 0).sum())
    marked = (
        "with the number of images that became the target, where not all did"
        if classes <= WRITTEN
        else "with a dot where not all images became the target"
    )
    toward = int((images > 0).sum(axis=1).max())
    drawn = f"Each class was attacked toward {toward} others, which were drawn." if 0 < toward < classes - 1 else ""
    return [
        f"Each cell: the median over {'one image' if each == 1 else f'up to {each} images'}, {marked}; hatched where "
        "half of the images or more did not become the target, gray where no image was attacked, as where the model "
        "classifies none of the class correctly. An image that did not become the target counts as needing an infinite "
        "change.",
        drawn,
        f"{reached:,} of {attacked:,} attacks on {pairs:,} pairs of classes succeeded "
        f"({counted(seeds, 'seed')}). All models of the dataset share one scale of colours.",
    ]


def _heat(axes: Axes, values: NDArray[np.float64], largest: float) -> AxesImage:
    """The values as coloured squares, from 0 to `largest`, gray where they are nan, without ticks or a frame."""
    axes.set_facecolor(EMPTY)
    shown = axes.imshow(values, cmap=COLOURS, vmin=0, vmax=largest, aspect="auto", interpolation="none")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return shown


def _ink(shown: AxesImage, value: float) -> str:
    """The colour of text on a cell: white on dark ones."""
    red, green, blue, _ = shown.to_rgba(value)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else style.INK


def _narrow(text: str, room: float) -> str:
    return style.wrap(text, room - 0.06, style.SMALL_SIZE)


def _short(value: float) -> str:
    """Two significant digits, without the zero before the point."""
    if value == 0:
        return "0"
    decimals = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}".removeprefix("0") if value < 1 else f"{value:.{decimals}f}"
