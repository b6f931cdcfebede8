"""Draws loss and accuracy over epochs for each model, so that a reader can see whether training had converged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WIDTHS = {"validation": 1.7, "train": 0.7}  # points
PANELS = {"loss": "cross-entropy loss", "accuracy": "accuracy"}


def training_curves(histories: Sequence[tuple[str, pd.DataFrame]], spec: Mapping[str, Any]) -> Figure:
    """Draw two panels, loss and accuracy; per history (a model's name and its table) a validation and a training line.

    Tables have the columns `epoch`, `train_loss`, `train_accuracy`, `validation_loss`, `validation_accuracy`. A model
    trained with several seeds has several histories, drawn alike. Raises `UserError` for a model without a history.
    """
    import seaborn
    from matplotlib.ticker import MaxNLocator

    together = _together(histories, spec["models"])
    once = together[together.groupby("run")["epoch"].transform("size") == 1]  # a line needs two epochs
    looks = style.looks(spec)
    order = [model["name"] for model in spec["models"]]
    with style.theme():
        figure = style.blank(style.PAGE_WIDTH, 2.5)
        for axes, (quantity, label) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
            for split, width in WIDTHS.items():
                seaborn.lineplot(
                    data=together,
                    x="epoch",
                    y=f"{split}_{quantity}",
                    hue="model",
                    hue_order=order,
                    palette={name: looks[name].edge for name in order},
                    style="model",
                    style_order=order,
                    dashes={name: looks[name].dashes or "" for name in order},
                    units="run",
                    estimator=None,
                    linewidth=width,
                    legend=False,
                    ax=axes,
                )
                for row in once.to_dict("records"):
                    marker = {"marker": "D" if looks[row["model"]].dashed else "o", "markersize": 3 * width}
                    axes.plot(row["epoch"], row[f"{split}_{quantity}"], color=looks[row["model"]].edge, **marker)
            axes.set_ylabel(label)
            if len(once) == len(together):
                axes.set_xticks([1])
            else:
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.grid(True)
            axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(top=min(1.005, axes.get_ylim()[1]))
        figure.legend(handles=_keys(spec["models"], looks), loc="outside right upper", frameon=False, handlelength=2.4)
        style.caption(figure, f"{spec['dataset']['title']}: training", [], spec["footnote"])
    return figure


def _together(histories: Sequence[tuple[str, pd.DataFrame]], models: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    for model in models:
        if model["name"] not in [name for name, _ in histories]:
            raise UserError(f"model '{model['name']}' has no training history: pass its history.csv")
    for name, table in histories:
        for column in ("epoch", *(f"{split}_{quantity}" for split in WIDTHS for quantity in PANELS)):
            if column not in table.columns:
                raise UserError(f"the training history of '{name}' has no column '{column}': train that model again")
    runs = [table.assign(model=name, run=run) for run, (name, table) in enumerate(histories)]
    return pd.concat(runs, ignore_index=True)


def _keys(models: Sequence[Mapping[str, Any]], looks: Mapping[str, style.Look]) -> list[Line2D]:
    """Return the legend's lines: a colour and dash for each model, a width for each split."""
    from matplotlib.lines import Line2D

    keys = [style.line_key(model, looks[model["name"]], WIDTHS["validation"], 1.3) for model in models]
    for split, words in {"validation": "validation (thick)", "train": "training (thin)"}.items():
        keys.append(Line2D([], [], color=style.GREY, linewidth=WIDTHS[split], label=words))
    return keys
