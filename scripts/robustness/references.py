"""Outside references: how much change others needed on undefended models, and ours beside theirs.

Pure data and functions on pandas tables of measures. Exists because a number that agrees with nothing known outside of
this workflow is suspect, and because a number that looks alike need not be comparable: each pair says what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from robustness.attack_spec import ARGMAX
from robustness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray

    from robustness.statistics import Interval

CARLINI_WAGNER = (
    "N. Carlini and D. Wagner: Towards Evaluating the Robustness of Neural Networks. "
    "IEEE Symposium on Security and Privacy, 2017"
)
FMN = (
    "Measured when this project was designed, with the library adv-lib; the attack: M. Pintor, F. Roli, W. Brendel and "
    "B. Biggio: Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints. NeurIPS, 2021"
)
DDN = (
    "Measured when this project was designed, with the library adv-lib; the attack: J. Rony, L. G. Hafemann, "
    "L. S. Oliveira, I. Ben Ayed, R. Sabourin and E. Granger: Decoupling Direction and Norm for Efficient "
    "Gradient-Based L2 Adversarial Attacks and Defenses. CVPR, 2019"
)

NETWORK_DIFFERS = "Their convolutional network is another than our ResNet, and so was its training."
BEST_CASE = (
    "Theirs is the easiest of nine targets with the least change that an optimiser finds; ours is untargeted and goes "
    "in steps of α."
)
NOT_L2 = "Our steps along the sign change all pixels alike, which no attack does that looks for a small L2 norm."

PERCEPTRON = {"family": "perceptron", "hidden": 50}


@dataclass(frozen=True)
class Reference:
    """What someone measured on an undefended model, with what of ours stands beside it.

    `norm` is a column of the measures, `statistic` what was taken of it over images, `value` the result, for pixels in
    [0, 1]. `beside` are the settings that an architecture of ours must have to stand beside it; only clean models do,
    with any wrong class as the goal. `expected` is the range that ours divided by theirs should lie in, where known.
    """

    source: str
    year: int
    table: str
    dataset: str
    network: str
    attack: str
    stop: str
    statistic: Literal["mean", "median"]
    norm: Literal["l2", "linf"]
    value: float
    beside: Mapping[str, Any]
    comparable: Literal["yes", "partly", "no"]
    why: str
    expected: tuple[float, float] | None = None


def _best_case(dataset: str, norm: Literal["l2", "linf"], value: float) -> Reference:
    """One of Carlini and Wagner's means over images of the change that the easiest target class needed."""
    kind = "L∞" if norm == "linf" else "L2"
    return Reference(
        source=CARLINI_WAGNER,
        year=2017,
        table="Table IV",
        dataset=dataset,
        network="their convolutional network, undefended",
        attack=f"Carlini and Wagner's {kind} attack, best case over the target classes",
        stop="the target class is predicted",
        statistic="mean",
        norm=norm,
        value=value,
        beside={"family": "resnet"},
        comparable="partly" if norm == "linf" else "no",
        why=f"{NETWORK_DIFFERS} {BEST_CASE}" + (f" {NOT_L2}" if norm == "l2" else ""),
    )


REFERENCES = (
    _best_case("mnist", "l2", 1.36),
    _best_case("mnist", "linf", 0.13),
    _best_case("cifar", "l2", 0.17),
    _best_case("cifar", "linf", 0.0092),
    Reference(
        source=FMN,
        year=2021,
        table="",
        dataset="mnist",
        network="a perceptron with 50 hidden units, undefended",
        attack="FMN, which looks for the smallest L∞ norm",
        stop="any wrong class is predicted",
        statistic="median",
        norm="linf",
        value=0.0435,
        beside=PERCEPTRON,
        comparable="yes",
        why="The same kind of network, data, goal and norm. FMN looks for the smallest change, ours goes in steps of α "
        "along the sign, so that ours should be 1.06 to 1.18 times theirs; another training moves both.",
        expected=(1.06, 1.18),
    ),
    Reference(
        source=DDN,
        year=2019,
        table="",
        dataset="mnist",
        network="a perceptron with 50 hidden units, undefended",
        attack="DDN, which looks for the smallest L2 norm",
        stop="any wrong class is predicted",
        statistic="median",
        norm="l2",
        value=0.703,
        beside=PERCEPTRON,
        comparable="partly",
        why=f"The same kind of network, data and goal, but ours must be above theirs. {NOT_L2}",
    ),
)

Measures = Mapping[tuple[str, str], Sequence["pandas.DataFrame"]]
"""The measures of each (attack, model): a table for each seed."""


def references_of(dataset: str) -> list[Reference]:
    """The references for a dataset, by its name in the configuration."""
    return [reference for reference in REFERENCES if reference.dataset == dataset]


def beside(
    references: Iterable[Reference], models: Sequence[Mapping[str, Any]], measures: Measures
) -> pandas.DataFrame:
    """One row for each reference, clean model of ours that stands beside it, and attack of ours.

    `models` are the clean ones, with `name` and `architecture` (its settings). Of the measures those at which any wrong
    class was reached are taken (`required_confidence` 0). Images that were not fooled are counted in `not_fooled`: they
    enter a median as infinite, and a mean with the change that they had reached, which makes it a lower `bound`.
    `skipped` images are left out. With several seeds an image's value is its mean over seeds. A reference without a
    model beside it keeps a row of its own. Raises `UserError` where an attack did not record any wrong class.
    """
    import pandas

    return pandas.DataFrame([row for each in references for row in _rows(each, models, measures)])


def _rows(reference: Reference, models: Sequence[Mapping[str, Any]], measures: Measures) -> Iterator[dict[str, object]]:
    theirs: dict[str, object] = {
        "source": reference.source,
        "year": reference.year,
        "table": reference.table,
        "dataset": reference.dataset,
        "network": reference.network,
        "their_attack": reference.attack,
        "their_stop": reference.stop,
        "statistic": reference.statistic,
        "norm": reference.norm,
        "their_value": reference.value,
    }
    chosen = [model["name"] for model in models if reference.beside.items() <= model["architecture"].items()]
    judged = {"comparable": reference.comparable, "why": reference.why}
    if not chosen:
        yield theirs | {"comparable": "no", "why": "No model of this configuration is like theirs."}
    for model in chosen:
        for (attack, name), tables in measures.items():
            if name == model:
                yield theirs | {"model": model, "attack": attack} | _ours(reference, attack, tables) | judged


def _ours(reference: Reference, attack: str, tables: Sequence[pandas.DataFrame]) -> dict[str, object]:
    """Our columns of a row: what was counted, the value with its interval, and how it compares."""
    import pandas

    records = pandas.concat(tables)
    records = records[records["required_confidence"] == ARGMAX]
    if records.empty:
        raise UserError(
            f"attack {attack} did not record the change at which any wrong class was reached, where references stop: "
            f"add `argmax` to attacks.{attack}.other_confidences"
        )
    attacked = records[records["ended"] != "skipped"]
    fooled = attacked["ended"] == "success"
    interval = _interval(reference, attacked, fooled)
    ratio = interval.estimate / reference.value
    columns: dict[str, object] = {
        "stop": "any wrong class is predicted",
        "seeds": len(tables),
        "attacked": len(attacked),
        "not_fooled": int((~fooled).sum()),
        "value": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "bound": "at least" if reference.statistic == "mean" and not fooled.all() else "",
        "ratio": ratio,
    }
    low, high = reference.expected or (math.nan, math.nan)
    as_expected = {True: "yes", False: "no"}[low <= ratio <= high] if reference.expected else ""
    return columns | {"ratio_expected_low": low, "ratio_expected_high": high, "as_expected": as_expected}


def _interval(reference: Reference, attacked: pandas.DataFrame, fooled: pandas.Series[bool]) -> Interval:
    from robustness.statistics import bootstrap_mean

    change = attacked[reference.norm].astype(float)
    if reference.statistic == "median":
        change = change.where(fooled, math.inf)
    values = change.groupby(attacked["image"]).mean().to_numpy().astype("float64")
    return bootstrap_mean(values) if reference.statistic == "mean" else _censored_median(values)


def _censored_median(values: NDArray[np.float64]) -> Interval:
    """The median with its interval where some values are infinite; infinite wherever it reaches one of those."""
    from robustness.inference import median_of, over_images

    return over_images(median_of(values), [len(values)])
