"""Bars of run time: for each dataset and stage the seconds that its jobs took, split by model.

Takes the table of times; reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 0.03
"""Rules that take a smaller share of a dataset's time are drawn together, as what is left."""


def run_time_bars(table: pd.DataFrame, spec: Mapping[str, Any]) -> Figure:
    """A panel for each dataset of the spec: a horizontal bar for each rule, longest first, stacked by model.

    `table` has the columns `dataset`, `rule`, `attack`, `model`, `jobs`, `seconds`, `device`; `model` and `attack` are
    empty where a rule has none. Rules under 3 % of a dataset's time share one bar, and a dataset without times has no
    panel. Raises `UserError` for a table without any of the spec's datasets.
    """
    import seaborn

    panels = []
    for dataset in spec["datasets"]:
        own = table[table["dataset"] == dataset["name"]]
        if not own.empty:
            panels.append((dataset, own, _stages(own)))
    if not panels:
        names = ", ".join(dataset["name"] for dataset in spec["datasets"])
        raise UserError(f"the table of times has no row for any of {names}: run the workflow first")
    heights = [len(stages) for _, _, stages in panels]
    with style.theme():
        figure = style.blank(style.PAGE_WIDTH, 0.9 + 0.3 * sum(heights) + 0.35 * len(panels))
        # One scale for all panels, so that bars of different datasets can be compared.
        every = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights).flatten()
        longest = max(rows["seconds"].sum() for _, _, stages in panels for _, rows in stages)
        unit, length = ("minutes", 60.0) if longest >= 300 else ("seconds", 1.0)
        for axes, (dataset, own, stages) in zip(every, panels, strict=True):
            for place, (_, rows) in enumerate(stages):
                _bar(axes, place, rows, dataset["models"], spec["architectures"], length)
            axes.set_ylim(len(stages) - 0.5, -0.5)
            axes.set_yticks(range(len(stages)), [name for name, _ in stages])
            axes.tick_params(axis="y", length=0)
            axes.set_xlim(0, 1.3 * longest / length)
            axes.xaxis.grid(True)
            axes.set_axisbelow(True)
            axes.set_title(f"{dataset['title']}: {written(own['seconds'].sum())}", loc="left", fontweight="bold")
            seaborn.despine(ax=axes, left=True)
        every[-1].set_xlabel(f"{unit} of all jobs together")
        figure.legend(
            handles=_keys([dataset for dataset, _, _ in panels], spec["architectures"]),
            loc="outside right upper",
            frameon=False,
        )
        style.caption(figure, "Where the time went", [*_words(table), *spec["footnote"]])
    return figure


def _stages(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rules' names with their rows, longest first, and what is left at the end."""
    totals = rows.groupby("rule")["seconds"].sum().sort_values(ascending=False, kind="stable")
    large = [rule for rule, seconds in totals.items() if seconds >= SMALL * totals.sum()]
    stages = [(str(rule).replace("_", " "), rows[rows["rule"] == rule]) for rule in large]
    small = len(totals) - len(large)
    if small:
        words = f"{small} other rule{'s' if small > 1 else ''}"
        stages.append((words, rows[~rows["rule"].isin(large)]))
    return stages


def _bar(
    axes: Axes,
    place: int,
    rows: pd.DataFrame,
    models: Sequence[Mapping[str, Any]],
    architectures: Sequence[str],
    length: float,
) -> None:
    known = [model["name"] for model in models]
    parts = [(rows[~rows["model"].isin(known)]["seconds"].sum(), style.RULE, style.GREY, "")]
    for model in models:
        look = style.look(model, architectures)
        parts.append((rows[rows["model"] == model["name"]]["seconds"].sum(), look.fill, look.edge, look.hatch))
    left = 0.0
    for seconds, fill, edge, hatch in parts:
        if seconds:
            axes.barh(
                place, seconds / length, left=left, height=0.62, color=fill, edgecolor=edge, hatch=hatch, linewidth=0.6
            )
            left += seconds / length
    jobs = int(rows["jobs"].sum())
    axes.annotate(
        f"{written(rows['seconds'].sum())}, {jobs:,} job{'' if jobs == 1 else 's'}",
        (left, place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL_SIZE,
    )


def _keys(datasets: Sequence[Mapping[str, Any]], architectures: Sequence[str]) -> list[Any]:
    """A patch for each model, once for all datasets that have it, and one for what belongs to none."""
    from matplotlib.patches import Patch

    looks = {model["title"]: style.look(model, architectures) for dataset in datasets for model in dataset["models"]}
    keys = [
        Patch(
            facecolor=look.fill,
            edgecolor=look.edge,
            hatch=look.hatch,
            linewidth=0.6,
            label=style.wrap(title, 1.2, style.TEXT_SIZE),
        )
        for title, look in looks.items()
    ]
    return [*keys, Patch(facecolor=style.RULE, edgecolor=style.GREY, linewidth=0.6, label="no single model")]


def _words(table: pd.DataFrame) -> list[str]:
    names = sorted({name.replace("cpu", "CPU") for name in table["device"].dropna()})
    told = [f"Trained on {style.listed(names)}."] if names else []
    return [
        "Wall time of each job without its wait for a free GPU, added up; jobs that ran side by side overlap.",
        *told,
    ]


def written(seconds: float) -> str:
    """A time as people say it: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
