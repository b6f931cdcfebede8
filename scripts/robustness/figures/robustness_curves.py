"""Draws robustness curves: the share of attacked images fooled by a change up to a given size, one line per model.

A mean hides what a curve shows: whether a model withstands small changes to all images or large changes to a few.
A mean also has no place for images that were never fooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robustness.errors import UserError
from robustness.figures import style
from robustness.stats.censoring import attacked, censored, changes, first_censored, fooled_within
from robustness.storage.levels import ARGMAX, is_level
from robustness.text import listed, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 400  # of a line: more than a column's width shows
SHOWN = 0.99
"""The share of the models' fooled images that an axis reaches; a few images would otherwise squeeze all others."""
TITLES = {"linf": "L∞ norm", "l2": "L2 norm", "mean_change": "mean change"}

Table = Mapping[str, NDArray[Any]]
"""Measures: arrays by the names of their columns."""


def robustness_curves(models: Mapping[str, Sequence[Table]], spec: Mapping[str, Any]) -> Figure:
    """Draw a panel for each of `spec["panels"]` (keys `measure`, `required_confidence`), side by side.

    `models` has, for each model, the measures of one attack, a table for each seed. A line steps up at each change that
    fools an image; images that were not fooled are part of the total, so a line may end below 1. Its band is the
    pointwise 95 % interval of `stats.censoring.fooled_within`. A ring marks the smallest change at which an attack
    had ended without success. Raises `UserError` for a model without measures at a panel's confidence.
    """
    panels = spec["panels"]
    looks = style.looks(spec)
    alone = len(panels) == 1
    shown = [_at(models, spec, panel["required_confidence"]) for panel in panels]
    with style.theme():
        figure = style.blank(style.COLUMN_WIDTH if alone else style.PAGE_WIDTH, 3.4 if alone else 2.7)
        # The legend has axes of its own: one that is anchored to the figure moves when the caption enlarges it.
        grid = figure.add_gridspec(2, len(panels), height_ratios=(1, 0.12 if alone else 0.06))
        first: Axes | None = None
        needed = [_needed(tables, panel["measure"]) for tables, panel in zip(shown, panels, strict=True)]
        reach = max(_reach(np.concatenate(of_panel)) for of_panel in needed)
        for place, (panel, tables) in enumerate(zip(panels, shown, strict=True)):
            axes = figure.add_subplot(grid[0, place], sharey=first)
            _draw(axes, tables, panel["measure"], looks, reach)
            axes.set_xlabel(_axis_label(panel["measure"], spec["dataset"], 3.6 if alone else 1.5))
            if not alone:
                axes.set_title(_level(panel["required_confidence"]), loc="left")
            if first is None:
                axes.set_ylabel("share of attacked images fooled")
                axes.set_ylim(0, 1.02)
            else:
                axes.tick_params(axis="y", labelleft=False)
            axes.grid(True)
            axes.spines[["top", "right"]].set_visible(False)
            first = first or axes
        below = figure.add_subplot(grid[1, :])
        below.set_axis_off()
        columns = 2 if alone else 4
        keys = [style.line_key(model, looks[model["name"]], 1.4, 1.5) for model in spec["models"]]
        below.legend(handles=keys, loc="center", ncols=columns, frameon=False, handlelength=2.4)
        style.caption(
            figure,
            _title(spec["dataset"]["title"], panels),
            [
                "Lines: share of the attacked images that a change up to this size fooled; bands: its 95 % interval "
                f"at each change, over {_drawn(models)}.",
                _not_fooled(spec, shown),
                _ring(shown),
                _beyond(needed, reach),
            ],
            spec["footnote"],
        )
    return figure


def _needed(models: Mapping[str, Sequence[Table]], measure: str) -> list[NDArray[np.float64]]:
    """Return, for each model, the changes that fooled an image."""
    needed = (changes(tables, measure) for tables in models.values())
    return [values[np.isfinite(values)] for values in needed]


def _reach(needed: NDArray[np.float64]) -> float:
    """Return the change up to which `SHOWN` of the images that were fooled were fooled; 0 where none was."""
    return float(np.quantile(needed, SHOWN, method="inverted_cdf")) if needed.size else 0.0


def _at(models: Mapping[str, Sequence[Table]], spec: Mapping[str, Any], confidence: float) -> dict[str, list[Table]]:
    found = {}
    for model in spec["models"]:
        tables = [
            _rows(table, is_level(table["required_confidence"], confidence)) for table in models.get(model["name"], [])
        ]
        if not tables or not all(table["image"].size for table in tables):
            raise UserError(
                f"there are no measures of model '{model['name']}' at confidence {confidence}: delete them and run the "
                "workflow again"
            )
        found[model["name"]] = tables
    return found


def _rows(table: Table, which: NDArray[np.bool_]) -> Table:
    return {name: np.asarray(table[name])[which] for name in table}


def _draw(
    axes: Axes, models: Mapping[str, Sequence[Table]], measure: str, looks: Mapping[str, style.Look], reach: float
) -> None:
    allowed = np.linspace(0, _edge(reach), POINTS)
    needed = {name: changes(tables, measure) for name, tables in models.items()}
    for name, values in needed.items():
        band, look = fooled_within(values, allowed), looks[name]
        axes.fill_between(allowed, band.low, band.high, step="post", color=look.edge, alpha=0.16, linewidth=0)
        (line,) = axes.step(allowed, band.estimate, where="post", color=look.edge, linewidth=1.4)
        line.set_dashes(look.dashes)
        start = first_censored(models[name], measure)
        if censored(models[name]) and start <= allowed[-1]:
            share = fooled_within(values, np.array([start])).estimate
            axes.plot(
                [start], share, "o", markersize=5, markerfacecolor="white", markeredgecolor=look.edge, clip_on=False
            )
    axes.set_xlim(0, allowed[-1])


def _level(confidence: float) -> str:
    return "any wrong class" if is_level(confidence, ARGMAX) else f"probability {confidence:g}"


def _title(dataset: str, panels: Sequence[Mapping[str, Any]]) -> str:
    if len(panels) == 1:
        return f"{dataset}: images fooled, by {TITLES[panels[0]['measure']]}"
    return f"{dataset}: images fooled, by required confidence"


def _axis_label(measure: str, dataset: Mapping[str, Any], width: float) -> str:
    change = "|x′ − x|" if dataset["image_size"][0] == 1 else "Σ over channels |x′ − x|"
    units = {
        "linf": "L∞ norm of the change allowed (pixels in [0, 1])",
        "l2": "L2 norm of the change allowed (pixels in [0, 1])",
        "mean_change": f"mean change per pixel allowed ({change}, pixels in [0, 1])",
    }
    return style.wrap(units[measure], width, style.TEXT_SIZE)


def _drawn(models: Mapping[str, Sequence[Table]]) -> str:
    return "seeds, then images" if max(map(len, models.values())) > 1 else "images"


def _not_fooled(spec: Mapping[str, Any], shown: Sequence[Mapping[str, Sequence[Table]]]) -> str:
    """Say how many of each model's attacked images were not fooled, panel by panel."""
    told = []
    for model in spec["models"]:
        counts = listed([f"{censored(tables[model['name']]):,}" for tables in shown])
        told.append(f"{model['title']} {counts} of {attacked(shown[0][model['name']]):,}")
    return f"Attacked and not fooled{'' if len(shown) == 1 else ', panel by panel'}: {'; '.join(told)}."


def _ring(shown: Sequence[Mapping[str, Sequence[Table]]]) -> str:
    if not any(censored(tables) for panel in shown for tables in panel.values()):
        return ""
    return (
        "Ring: the smallest change at which an attack ended without success; to its right the true share may be larger "
        "than drawn."
    )


def _beyond(needed: Sequence[Sequence[NDArray[np.float64]]], reach: float) -> str:
    """Say how many images needed a change that the axis does not show."""
    edge = _edge(reach)
    beyond = sum(int((values > edge).sum()) for of_panel in needed for values in of_panel)
    if not beyond:
        return ""
    largest = max(values.max(initial=0) for of_panel in needed for values in of_panel)
    return (
        f"The axis ends where {percent(SHOWN, 2)} of the models' fooled images are shown; {beyond:,} needed more, up "
        f"to {largest:.3g}."
    )


def _edge(reach: float) -> float:
    """Return where the axis ends."""
    return 1.02 * reach or 1.0
