"""Draws how the share of right answers falls with the budget, from the clean accuracy on: a panel for each norm.

A model has one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.config.threat_models import NORMS, in_words
from robustness.errors import UserError
from robustness.figures import style
from robustness.storage.tables import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DODGE, WIDEST = 0.013, 0.07
"""How far a model's points are from the next one's, and all points from each other, as shares of the axis."""
LINE_HEIGHT = 0.08
"""Room for a line of a label, in shares, where the figure has its usual height."""
LETTER, GAP = 0.031, 0.02
"""Room for a letter under the axis, and between two budgets, as shares of the axis."""


def robust_accuracy(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """A panel for each of `spec["norms"]`, with a line, intervals and a label for each model of the spec.

    `table` has a row for each model, norm and budget, with `clean`, `robust` and `ours` as `…_accuracy`, `…_low` and
    `…_high`, and the counts `images` and `seeds`. Lines begin at a budget of 0 with the clean accuracy; the thin dotted
    ones are what our attacks alone leave. Raises `UserError` for a model that has no rows of a norm.
    """
    looks = style.looks(spec)
    alone = len(spec["norms"]) == 1
    taller = max(1.0, LINE_HEIGHT * sum(1 + _words(model).count("\n") for model in spec["models"]))
    with style.theme():
        figure = style.blank(style.COLUMN_WIDTH if alone else style.PAGE_WIDTH, (3.3 if alone else 2.9) * taller)
        panels = figure.subplots(1, len(spec["norms"]), sharey=True, squeeze=False)[0]
        for axes, norm in zip(panels, spec["norms"], strict=True):
            rows = {model["name"]: _rows(table, model["name"], norm) for model in spec["models"]}
            _draw(axes, rows, spec["models"], looks, LINE_HEIGHT / taller)
            unit = _unit([row["budget"] for each in rows.values() for row in each])
            scaled = f"in 1{unit}, " if unit else ""
            label = f"{NORMS[norm]} norm of the change allowed ({scaled}pixels in [0, 1])"
            axes.set_xlabel(style.wrap(label, 3.4 if alone else 2.2, 8))
        panels[0].set_ylabel("share of test images classified correctly")
        panels[0].set_ylim(-0.02, 1.02)
        style.caption(figure, f"{spec['dataset']['title']}: robust accuracy", [_how(table)], spec["footnote"])
    return figure


def _rows(table: Sequence[Row], model: str, norm: str) -> list[Row]:
    """The rows of a model and a norm, the smallest budget first."""
    rows = sorted((row for row in table if (row["model"], row["norm"]) == (model, norm)), key=lambda row: row["budget"])
    if not rows:
        raise UserError(
            f"the table of robust accuracies has no rows of model '{model}' for the norm {norm}: delete it and run the "
            "workflow again"
        )
    return rows


def _draw(
    axes: Axes,
    models: Mapping[str, Sequence[Row]],
    entries: Sequence[Mapping[str, Any]],
    looks: Mapping[str, style.Look],
    line_height: float,
) -> None:
    budgets = sorted({row["budget"] for rows in models.values() for row in rows})
    reach = budgets[-1]
    ends = {}
    for place, entry in enumerate(entries):
        look, rows = looks[entry["name"]], models[entry["name"]]
        shift = (place - (len(entries) - 1) / 2) * min(DODGE, WIDEST / len(entries)) * reach
        where = [shift, *(row["budget"] + shift for row in rows)]
        shares = {name: _falling(rows, name) for name in ("robust", "ours")}
        spread = [[max(0, centre - low), max(0, high - centre)] for centre, low, high in shares["robust"]]
        heights = [centre for centre, *_ in shares["robust"]]
        (line,) = axes.plot(where, heights, color=look.edge, linewidth=1.5)
        axes.errorbar(
            where,
            heights,
            yerr=[list(side) for side in zip(*spread, strict=True)],
            fmt="D" if look.dashed else "o",
            color=look.edge,
            markerfacecolor="white" if look.dashed else look.edge,
            markersize=4,
            elinewidth=0.9,
            capsize=2,
        )
        axes.plot(where, [centre for centre, *_ in shares["ours"]], ":", color=look.edge, linewidth=1.1)
        line.set_dashes(look.dashes)
        ends[entry["name"]] = heights[-1]
    _label(axes, entries, ends, looks, reach, line_height)
    words = [in_words(budget).removesuffix(_unit(budgets)) for budget in budgets]
    axes.set_xticks([0, *budgets], _in_room(["0", *words], [0, *budgets]))
    axes.set_xlim(-0.04 * reach, 1.04 * reach)
    axes.grid(True)
    axes.spines[["top", "right"]].set_visible(False)


def _unit(budgets: Sequence[float]) -> str:
    """What all budgets in words end with, if they are all fractions with one denominator: `/255`."""
    denominators = {in_words(budget).partition("/")[2] for budget in budgets}
    return f"/{denominators.pop()}" if len(denominators) == 1 and "" not in denominators else ""


def _in_room(words: Sequence[str], where: Sequence[float]) -> list[str]:
    """The words under an axis, from left to right; those too close to the first or to the next ones are left out."""

    def fit(left: int, right: int) -> bool:
        room = (len(words[left]) + len(words[right])) / 2 * LETTER + GAP
        return where[right] - where[left] >= room * where[-1]

    kept = {len(words) - 1}
    for place in range(len(words) - 2, 0, -1):
        if fit(0, place) and fit(place, min(kept)):
            kept.add(place)
    return [word if place in kept | {0} else "" for place, word in enumerate(words)]


def _falling(rows: Sequence[Row], name: str) -> list[tuple[float, float, float]]:
    """A share with the bounds of its interval at a budget of 0, where it is the clean accuracy, and at each budget."""
    first = [tuple(rows[0][f"clean_{part}"] for part in ("accuracy", "low", "high"))]
    return [*first, *(tuple(row[f"{name}_{part}"] for part in ("accuracy", "low", "high")) for row in rows)]


def _label(
    axes: Axes,
    entries: Sequence[Mapping[str, Any]],
    ends: Mapping[str, float],
    looks: Mapping[str, style.Look],
    reach: float,
    line_height: float,
) -> None:
    """Write each model's title to the right of its line's end; labels are moved apart where lines end together."""
    titles = {entry["name"]: _words(entry) for entry in entries}
    free = -1.0
    for name in sorted(ends, key=lambda each: ends[each]):
        room = line_height * (1 + titles[name].count("\n"))
        height = max(ends[name], free + room / 2)
        free = height + room / 2
        colour = looks[name].edge
        axes.plot([1.05 * reach, 1.09 * reach], [ends[name], height], color=colour, linewidth=0.6, clip_on=False)
        axes.text(1.1 * reach, height, titles[name], va="center", color=colour, fontsize=style.SMALL_SIZE)


def _words(model: Mapping[str, Any]) -> str:
    return style.wrap(model["title"], 1.5, style.SMALL_SIZE)


def _how(table: Sequence[Row]) -> str:
    drawn = "seeds, then images" if max(row["seeds"] for row in table) > 1 else "images"
    return (
        "Lines: share of the test images that neither AutoAttack nor any attack of ours fools within the budget; "
        f"images that are wrong unchanged count as fooled. Bars: 95 % interval, over {drawn}. Dotted: "
        "our attacks alone. Points are moved apart so that bars can be told from each other."
    )
