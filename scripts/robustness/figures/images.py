"""Draws rows of pictures: attacked examples, what the attack added, and what noisy models are trained on.

The paper's Fig. 1, 4, 5 and 8 to 11. Reads the safetensors file of examples; the figures take arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robustness.errors import UserError
from robustness.figures import style
from robustness.outcome import Outcome
from robustness.storage.tensors import read_metadata, read_tensors
from robustness.text import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Floats = NDArray[np.float32]
LABEL = 7.5  # points: size of the text above and beneath a picture
MARGIN = 0.12  # inches that such text keeps free of its neighbour


@dataclass(frozen=True)
class Examples:
    """K test images and what the attack made of them on M models; pixels are in [0, 1].

    Arrays: `original` (K, C, H, W), `adversarial` (K, M, C, H, W), `label` (K), `label_before`, `label_after` and
    `confidence_after` (K, M). Lists: `classes` and `image` (K), `models` (M names), `ended` (K lists of M).
    """

    original: Floats
    adversarial: Floats
    label: NDArray[np.int64]
    label_before: NDArray[np.int64]
    label_after: NDArray[np.int64]
    confidence_after: Floats
    classes: list[str]
    models: list[str]
    ended: list[list[str]]
    image: list[int]

    def rows(self, class_name: str) -> list[int]:
        """Return the rows that show `class_name`; raises `UserError` when there are none."""
        found = [row for row, name in enumerate(self.classes) if name == class_name]
        if not found:
            raise UserError(f"no example of class '{class_name}' was attacked (there are {', '.join(self.classes)})")
        return found

    def columns(self, models: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the column of each model; raises `UserError` for one that is missing."""
        for model in models:
            if model["name"] not in self.models:
                raise UserError(
                    f"the examples lack model '{model['name']}' (they have {', '.join(self.models)}): delete the "
                    "file of examples and run the workflow again"
                )
        return [self.models.index(model["name"]) for model in models]


def read_examples(path: Path) -> Examples:
    """Read the examples in a safetensors file; raises `UserError` when it is missing, damaged or incomplete."""
    names = ("original", "adversarial", "label", "label_before", "label_after", "confidence_after")
    described = read_metadata(path)
    for key in ("classes", "models", "ended", "image"):
        if key not in described:
            raise UserError(f"{path} does not say its '{key}': delete it and run the workflow again")
    arrays: dict[str, Any] = dict(zip(names, read_tensors(path, *names), strict=True))
    return Examples(**arrays, **{key: described[key] for key in ("classes", "models", "ended", "image")})


def examples(data: Examples, spec: Mapping[str, Any]) -> Figure:
    """Draw a row per example of `spec["class"]`: the original, then each model's result and prediction.

    A picture on which the attack did not succeed says how it ended instead. Frames have the models' colours.
    """
    rows, columns, models = data.rows(spec["class"]), data.columns(spec["models"]), spec["models"]
    classes = spec["dataset"]["classes"]
    with style.theme():
        figure, grid, wide = _grid(len(rows), 1 + len(models), data.original.shape)
        for line, row in zip(grid, rows, strict=True):
            picture(line[0], data.original[row])
            _beneath(line[0], classes[data.label[row]], wide)
            for axes, model, column in zip(line[1:], models, columns, strict=True):
                picture(axes, data.adversarial[row, column])
                _frame(axes, style.look(model, spec["architectures"]))
                _beneath(axes, _guess(data, row, column, classes), wide)
        _label(grid, ["original", *(model["title"] for model in models)], [data.image[row] for row in rows], wide)
        style.caption(
            figure,
            f"{spec['dataset']['title']}: “{spec['class']}” after the attack on each model",
            ["Beneath each picture: the model's prediction and its probability.", _frames(models)],
            spec["footnote"],
        )
    return figure


def differences(data: Examples, spec: Mapping[str, Any]) -> Figure:
    """Draw a row per example of `spec["class"]`: what the attack added, x′ − x, with its largest absolute value (L∞).

    Gray images: one diverging colour map, symmetric and the same for all models. Colour images: 0.5 plus the
    difference times a stated factor, the same for all models.
    """
    rows, columns, models = data.rows(spec["class"]), data.columns(spec["models"]), spec["models"]
    added = (data.adversarial[:, columns] - data.original[:, None])[rows]
    largest = float(np.abs(added).max())
    factor = _factor(largest)
    gray = added.shape[2] == 1
    with style.theme():
        figure, grid, wide = _grid(len(rows), len(models), data.original.shape, room=0.75 if gray else 0.0)
        for line, row, changes in zip(grid, rows, added, strict=True):
            for axes, model, column, change in zip(line, models, columns, changes, strict=True):
                if gray:
                    shown = _signed(axes, change[0], largest or 1.0)
                else:
                    picture(axes, 0.5 + factor * change)
                _frame(axes, style.look(model, spec["architectures"]))
                skipped = data.ended[row][column] == Outcome.SKIPPED
                size = f"L∞ = {np.abs(change).max():.3f}"
                _beneath(axes, "not attacked:\nwrong from the start" if skipped else size, wide)
        _label(grid, [model["title"] for model in models], [data.image[row] for row in rows], wide)
        if gray:
            everywhere = [axes for line in grid for axes in line]
            bar = figure.colorbar(shown, ax=everywhere, fraction=0.05, aspect=14, pad=0.02)
            bar.set_label("x′ − x, pixels in [0, 1]", fontsize=style.SMALL_SIZE)
            bar.outline.set_visible(False)
            scaling = "All models share one colour scale."
        else:
            scaling = (
                f"Shown: 0.5 + {factor:g} · (x′ − x), with the same factor for all models; mid-gray means no change."
            )
        norm = "L∞: largest change of any pixel and channel."
        style.caption(
            figure,
            f"{spec['dataset']['title']}: what the attack added to “{spec['class']}”",
            [scaling, norm, _frames(models)],
            spec["footnote"],
        )
    return figure


def training_noise(original: Floats, augmented: Floats, spec: Mapping[str, Any]) -> Figure:
    """Draw rows of a training image and its noisy versions: `original` (k, C, H, W), `augmented` (k, r, C, H, W).

    `spec["augmentation"]` is worded beneath the figure. Pixels are in [0, 1].
    """
    draws = augmented.shape[1]
    with style.theme():
        figure, grid, wide = _grid(len(original), 1 + draws, original.shape, widest=1.15)
        for line, image, seen in zip(grid, original, augmented, strict=True):
            picture(line[0], image)
            for axes, draw in zip(line[1:], seen, strict=True):
                picture(axes, draw)
        _label(grid, ["original", *(f"draw {draw + 1}" for draw in range(draws))], [], wide)
        style.caption(
            figure,
            f"{spec['dataset']['title']}: what noisy models are trained on",
            [augmentation_sentence(spec["augmentation"])],
            spec["footnote"],
        )
    return figure


def augmentation_sentence(augmentation: Mapping[str, Any]) -> str:
    """Say an `augmentation:` entry of the configuration in words; raises `UserError` for an unknown kind."""
    match augmentation["kind"]:
        case "gaussian_noise":
            what = f"Gaussian noise of standard deviation σ = {augmentation['sigma']:g}, clipped to [0, 1]"
        case "affine":
            parts = [f"rotation up to ±{augmentation['rotation']:g}°"]
            parts.append(f"shift up to ±{100 * augmentation['shift']:g} % of the size")
            parts.append(f"shear up to ±{augmentation['shear']:g}°")
            parts.append(f"zoom up to ±{100 * augmentation['zoom']:g} %")
            if augmentation["flip"]:
                parts.append("a left–right flip of half of the images")
            what = f"Random {listed(parts)}"
        case other:
            raise UserError(f"augmentation kind '{other}' is unknown; known are gaussian_noise and affine")
    return f"{what}; drawn anew for every image in each epoch. Test images are never transformed."


def picture(axes: Axes, image: Floats) -> AxesImage:
    """Show one (C, H, W) image in [0, 1], gray or RGB, pixel by pixel; values beyond are clipped."""
    pixels = np.clip(image, 0, 1)
    # "none" keeps the SVG's picture at its own few pixels; viewers then draw them as squares.
    if len(pixels) == 1:
        return axes.imshow(pixels[0], cmap="gray", vmin=0, vmax=1, interpolation="none")
    return axes.imshow(np.moveaxis(pixels, 0, -1), interpolation="none")


def _signed(axes: Axes, values: Floats, limit: float) -> AxesImage:
    return axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="none")


def _grid(
    rows: int, columns: int, shape: Sequence[int], *, widest: float = 1.7, room: float = 0.0
) -> tuple[Figure, list[list[Axes]], float]:
    """Return a figure of `rows` × `columns` pictures without ticks, and a column's width in inches.

    `shape` (…, H, W) is the images'; none is drawn taller than `widest`. `room` inches are kept at the right for a
    colour bar.
    """
    wide = min(widest, (style.PAGE_WIDTH - room) / columns)
    tall = min(widest, wide * shape[-2] / shape[-1])
    figure = style.blank(wide * columns + room, rows * (tall + 0.45), "compressed")
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(style.RULE)
    return figure, [list(line) for line in grid], wide


def _label(grid: Sequence[Sequence[Axes]], names: Sequence[str], images: Sequence[int], wide: float) -> None:
    """Write names above the columns, and next to each row which test image it shows."""
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(style.wrap(name, wide - MARGIN, LABEL), fontsize=LABEL, pad=4, linespacing=1.1)
    for line, image in zip(grid, images, strict=False):
        line[0].set_ylabel(f"test image {image}", fontsize=style.SMALL_SIZE, color=style.GREY)


def _beneath(axes: Axes, text: str, wide: float) -> None:
    """Write what a model made of a picture under it."""
    wrapped = style.wrap(text, wide - MARGIN, LABEL, "bold")
    axes.set_xlabel(wrapped, fontsize=LABEL, fontweight="bold", labelpad=4, linespacing=1.1)


def _guess(data: Examples, row: int, column: int, classes: Sequence[str]) -> str:
    """Return the model's prediction on a picture, or how its attack ended if it did not succeed."""
    if data.ended[row][column] == Outcome.SKIPPED:
        return f"{classes[data.label_before[row, column]]}: wrong\nfrom the start"
    same = data.label_after[row, column] == data.label[row]
    answer = f"{classes[data.label_after[row, column]]} ({data.confidence_after[row, column]:.2f})"
    match data.ended[row][column]:
        case Outcome.SUCCESS:
            return answer
        case Outcome.DEFAULT_STATE:
            how = "default state"
        case Outcome.CAP:
            how = "cap"
        case other:
            raise UserError(f"an attack ended as '{other}', which is not one of {', '.join(Outcome)}")
    return f"{'still ' if same else ''}{answer}:\n{how}"


def _frame(axes: Axes, look: style.Look) -> None:
    axes.spines[:].set_color(look.edge)
    axes.spines[:].set_linewidth(1.4)
    axes.spines[:].set_linestyle((0, look.dashes) if look.dashed else "solid")


def _frames(models: Sequence[Mapping[str, Any]]) -> str:
    if any(model.get("alike") for model in models):
        return ""  # then dashes tell models apart, too
    kinds = {model["data"] for model in models}
    words = {"noisy": "Dashed frames", "adversarial": "Frames of dashes and dots"}
    return " ".join(f"{frames}: trained on {kind} data." for kind, frames in words.items() if kind in kinds)


def _factor(largest: float) -> float:
    """Return the largest of 1, 2, 5, 10, … that keeps 0.5 ± factor · `largest` within [0, 1]; 1 if nothing changed."""
    if largest <= 0:
        return 1.0
    limit = 0.5 / largest * (1 + 1e-6)
    power = 10.0 ** math.floor(math.log10(limit))
    return max(1.0, max(step * power for step in (1, 2, 5) if step * power <= limit))
