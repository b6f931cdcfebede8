"""Orders models by several criteria of robustness, and says where the orders differ.

No model is the most robust without a criterion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from robustness.config.threat_models import NORMS, in_words
from robustness.pages.tables import at_goal, interval
from robustness.storage.levels import ARGMAX
from robustness.text import listed, number, percent

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Order:
    """A criterion in words, each model's value by it (a larger one is more robust) with its 95 % interval.

    `write` writes values and bounds.
    """

    criterion: str
    values: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    write: Callable[[float], str]

    def most(self) -> list[str]:
        """Return the models with the largest value."""
        return [model for model, value in self.values.items() if value == max(self.values.values())]

    def least(self) -> list[str]:
        """Return the models with the smallest value."""
        return [model for model, value in self.values.items() if value == min(self.values.values())]

    def contradicts(self, other: Order) -> bool:
        """Return whether two models are in the one order here and in the opposite order there; ties agree with both."""
        common = [model for model in self.values if model in other.values]
        return any(
            (self.values[one] > self.values[two] and other.values[one] < other.values[two])
            or (self.values[one] < self.values[two] and other.values[one] > other.values[two])
            for one, two in combinations(common, 2)
        )


def by_change(table: pandas.DataFrame, confidence: float, models: Iterable[str]) -> Order:
    """Order models by the median change that the paper's attack needed until a wrong class had a confidence."""
    rows = at_goal(table, confidence).set_index("model")
    rows = rows[rows["median_mean_change"].notna()]
    return _order(f"the median change until {reached(confidence)}", rows, models, "median_mean_change", number)


def by_robust_accuracy(table: pandas.DataFrame, models: Sequence[str]) -> list[Order]:
    """Order models by their robust accuracy: for each norm, at the budget that tells them apart most."""
    orders = []
    for norm in dict.fromkeys(table["norm"]):
        of_norm = table[table["norm"] == norm]
        of_norm = of_norm[of_norm["model"].isin(models)]
        spread = of_norm.groupby("budget")["robust_accuracy"].agg(lambda values: values.max() - values.min())
        if not spread.empty and spread.max() > 0:
            budget = spread.idxmax()
            rows = of_norm[of_norm["budget"] == budget].set_index("model")
            words = f"robust accuracy under AutoAttack within {NORMS.get(norm, norm)} {in_words(budget)}"
            orders.append(_order(words, rows.rename(columns=_ROBUST), models, "robust_accuracy", percent))
    return orders


_ROBUST = {"robust_low": "robust_accuracy_low", "robust_high": "robust_accuracy_high"}


def _order(
    criterion: str, rows: pandas.DataFrame, models: Iterable[str], column: str, write: Callable[[float], str]
) -> Order:
    """Return the order of the models that have a row (by their names), by a column that has `_low` and `_high`, too."""
    value, low, high = (rows[name].to_dict() for name in (column, f"{column}_low", f"{column}_high"))
    known = [model for model in models if model in value]
    return Order(
        criterion,
        {model: float(value[model]) for model in known},
        {model: (float(low[model]), float(high[model])) for model in known},
        write,
    )


def others(tables: Mapping[str, pandas.DataFrame], models: Sequence[str]) -> list[Order]:
    """Return the orders that the headline's order is compared with: by any wrong class, and by robust accuracy."""
    robust = by_robust_accuracy(tables["robust_accuracy"], models) if "robust_accuracy" in tables else []
    return [by_change(tables["robustness"], ARGMAX, models), *robust]


def disagreements(main: Order, rest: Iterable[Order], titles: Mapping[str, str]) -> list[str]:
    """Say of each order that contradicts `main` which model is its most robust and which its least, with intervals."""
    return [
        f"By {order.criterion}, the most robust is {_named(order.most(), order, titles)}, and the least robust is "
        f"{_named(order.least(), order, titles)}."
        for order in rest
        if order.contradicts(main)
    ]


def reached(confidence: float) -> str:
    """Write what ends an attack at a required confidence."""
    return (
        "any wrong class is predicted" if confidence == ARGMAX else f"a wrong class has a probability of {confidence:g}"
    )


def _named(models: Sequence[str], order: Order, titles: Mapping[str, str]) -> str:
    """Name models with the same value, and the value; the interval where they have the same."""
    value, bounds = order.write(order.values[models[0]]), {order.bounds[model] for model in models}
    between = interval(*bounds.pop(), order.write) if len(bounds) == 1 else ""
    return f"{listed(titles[model] for model in models)} ({value}{f', 95 % interval {between}' if between else ''})"
