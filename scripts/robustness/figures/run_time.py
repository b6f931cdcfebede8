"""Draws run time as bars: for each dataset and stage the seconds that its jobs took, split by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style
from robustness.storage.tables import Row
from robustness.text import counted, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 0.03
"""Rules that take a smaller share of a dataset's time share the last bar."""


def run_time_bars(table: Sequence[Row], spec: Mapping[str, Any]) -> Figure:
    """Draw a panel for each dataset of the spec: a horizontal bar for each rule, longest first, stacked by model.

    `table` has the columns `dataset`, `rule`, `attack`, `model`, `jobs`, `seconds`, `device`; `model` and `attack` are
    empty where a rule has none. Rules under 3 % of a dataset's time share one bar, and a dataset without times has no
    panel. Raises `UserError` for a table without any of the spec's datasets.
    """
    panels = []
    for dataset in spec["datasets"]:
        own = [row for row in table if row["dataset"] == dataset["name"]]
        if own:
            panels.append((dataset, own, _stages(own)))
    if not panels:
        names = ", ".join(dataset["name"] for dataset in spec["datasets"])
        raise UserError(f"the table of times has no row for any of {names}: run the workflow first")
    heights = [len(stages) for _, _, stages in panels]
    with style.theme():
        figure = style.blank(style.PAGE_WIDTH, 0.9 + 0.3 * sum(heights) + 0.35 * len(panels))
        # One scale for all panels, so that bars of different datasets can be compared.
        every = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights).flatten()
        longest = max(_seconds(rows) for _, _, stages in panels for _, rows in stages)
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
            axes.set_title(f"{dataset['title']}: {written(_seconds(own))}", loc="left", fontweight="bold")
            axes.spines[["top", "right", "left"]].set_visible(False)
        every[-1].set_xlabel(f"{unit} of all jobs together")
        figure.legend(
            handles=_keys([dataset for dataset, _, _ in panels], spec["architectures"]),
            loc="outside right upper",
            frameon=False,
        )
        style.caption(figure, "Where the time went", _words(table), spec["footnote"])
    return figure


def _seconds(rows: Iterable[Row]) -> float:
    return sum(row["seconds"] for row in rows)


def _stages(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rules' names with their rows, longest first, and the small ones together at the end."""
    rules = {rule: [row for row in rows if row["rule"] == rule] for rule in sorted({row["rule"] for row in rows})}
    longest_first = sorted(rules, key=lambda rule: _seconds(rules[rule]), reverse=True)
    large = [rule for rule in longest_first if _seconds(rules[rule]) >= SMALL * _seconds(rows)]
    stages = [(rule.replace("_", " "), rules[rule]) for rule in large]
    small = len(rules) - len(large)
    if small:
        words = counted(small, "other rule")
        stages.append((words, [row for row in rows if row["rule"] not in large]))
    return stages


def _bar(
    axes: Axes,
    place: int,
    rows: Sequence[Row],
    models: Sequence[Mapping[str, Any]],
    architectures: Sequence[str],
    length: float,
) -> None:
    known = [model["name"] for model in models]
    parts = [(_seconds(row for row in rows if row["model"] not in known), style.RULE, style.GREY, "")]
    for model in models:
        look = style.look(model, architectures)
        seconds = _seconds(row for row in rows if row["model"] == model["name"])
        parts.append((seconds, look.fill, look.edge, look.hatch))
    left = 0.0
    for seconds, fill, edge, hatch in parts:
        if seconds:
            axes.barh(
                place, seconds / length, left=left, height=0.62, color=fill, edgecolor=edge, hatch=hatch, linewidth=0.6
            )
            left += seconds / length
    jobs = sum(row["jobs"] for row in rows)
    axes.annotate(
        f"{written(_seconds(rows))}, {counted(jobs, 'job')}",
        (left, place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL_SIZE,
    )


def _keys(datasets: Sequence[Mapping[str, Any]], architectures: Sequence[str]) -> list[Any]:
    """Draw a patch for each title and look of models, once for all datasets, and one for jobs of no model."""
    from matplotlib.patches import Patch

    models = [model for dataset in datasets for model in dataset["models"]]
    looks = dict.fromkeys((model["title"], style.look(model, architectures)) for model in models)
    keys = [
        Patch(
            facecolor=look.fill,
            edgecolor=look.edge,
            hatch=look.hatch,
            linewidth=0.6,
            label=style.wrap(title, 1.2, style.TEXT_SIZE),
        )
        for title, look in looks
    ]
    return [*keys, Patch(facecolor=style.RULE, edgecolor=style.GREY, linewidth=0.6, label="no single model")]


def _words(table: Sequence[Row]) -> list[str]:
    names = sorted({name.replace("cpu", "CPU") for row in table if (name := row["device"])})
    told = [f"Trained on {listed(names)}."] if names else []
    return [
        "Wall times of the jobs, added up, without the wait for a free GPU; jobs that ran side by side overlap.",
        *told,
    ]


def written(seconds: float) -> str:
    """Write a time as people say it: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
