"""Compares the change that others needed on undefended models with ours.

Pure data and functions on pandas tables of measures. A number that agrees with nothing known outside of this workflow
is suspect, and a number that looks alike need not be comparable: each pair says whether it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from robustness.errors import UserError
from robustness.outcome import Outcome
from robustness.storage.levels import ARGMAX, at_level

if TYPE_CHECKING:
    import pandas

    from robustness.stats.intervals import Interval

CARLINI_WAGNER = (
    "N. Carlini and D. Wagner: Towards Evaluating the Robustness of Neural Networks. "
    "IEEE Symposium on Security and Privacy, 2017"
)
FMN = (
    "Unpublished, measured for this project in 2026 with the library adv-lib; the attack: M. Pintor, F. Roli, W. "
    "Brendel and B. Biggio: Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints. NeurIPS, 2021"
)
DDN = (
    "Unpublished, measured for this project in 2026 with the library adv-lib; the attack: J. Rony, L. G. Hafemann, "
    "L. S. Oliveira, I. Ben Ayed, R. Sabourin and E. Granger: Decoupling Direction and Norm for Efficient "
    "Gradient-Based L2 Adversarial Attacks and Defenses. CVPR, 2019"
)

NETWORK_DIFFERS = "Their convolutional network is another than our ResNet, and so was its training."
BEST_CASE = (
    "Theirs is the easiest of nine targets with the least change that an optimiser finds; ours is untargeted and goes "
    "in steps of α."
)
NOT_L2 = "Our steps along the sign change all pixels alike, which no attack does that looks for a small L2 norm."
HERE = "Measured here, with the library adv-lib; the same attack as in the row above, on our model and the same images"
SAME_MODEL = "The same model, images, goal and norm; the ratio is the median over images."
ANY_WRONG = "any wrong class is predicted"

PERCEPTRON = {"family": "perceptron", "hidden": 50}


@dataclass(frozen=True)
class Reference:
    """What someone measured on an undefended model, and which of our models it is compared with.

    `norm` is a column of the measures, `statistic` what was taken of it over images, `value` the result, for pixels in
    [0, 1]. `beside` are the settings that an architecture of ours must have to be compared with it; only clean models
    are, with any wrong class as the goal. `method` is the comparator that is their attack. `expected` is the known
    range, if any, for the median over images of our change divided by the comparator's change on one model.
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
    method: Literal["fmn", "ddn"] | None = None
    expected: tuple[float, float] | None = None


def _best_case(dataset: str, norm: Literal["l2", "linf"], value: float) -> Reference:
    """Return one of Carlini and Wagner's means over images of the change that the easiest target class needed."""
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
        year=2026,
        table="",
        dataset="mnist",
        network="a perceptron with 50 hidden units, undefended",
        attack="FMN, which looks for the smallest L∞ norm",
        stop=ANY_WRONG,
        statistic="median",
        norm="linf",
        value=0.0435,
        beside=PERCEPTRON,
        comparable="partly",
        why="The same kind of network, data, goal and norm, but another training, which moves both. On one model ours "
        "should be 1 to 1.18 times FMN's, the less the smaller α is (on one of ours 1.12 with 0.01, 1.07 with 0.005): "
        "scales/comparators.yaml adds FMN on ours.",
        method="fmn",
        expected=(1.0, 1.18),
    ),
    Reference(
        source=DDN,
        year=2026,
        table="",
        dataset="mnist",
        network="a perceptron with 50 hidden units, undefended",
        attack="DDN, which looks for the smallest L2 norm",
        stop=ANY_WRONG,
        statistic="median",
        norm="l2",
        value=0.703,
        beside=PERCEPTRON,
        comparable="partly",
        why=f"The same kind of network, data and goal, but another training, which moves both. {NOT_L2}",
        method="ddn",
    ),
)

Measures = Mapping[tuple[str, str], Sequence["pandas.DataFrame"]]
"""The measures of each (attack, model): a table for each seed."""


def references_of(dataset: str) -> list[Reference]:
    """Return the references for a dataset, by its name in the configuration."""
    return [reference for reference in REFERENCES if reference.dataset == dataset]


def beside(
    references: Iterable[Reference],
    models: Sequence[Mapping[str, Any]],
    measures: Measures,
    comparators: Mapping[str, str],
) -> pandas.DataFrame:
    """Tabulate one row for each reference, clean model of ours that it is compared with, and attack of ours.

    `models` are the clean ones, with `name` and `architecture` (its settings); `comparators` gives the method of each
    attack in the measures that is not ours. Where one is the reference's own method, a row says what it found on our
    model, with the ratio image by image (images that neither fooled are left out), which may be held against what is
    expected.

    The measures are taken where any wrong class was reached (`required_confidence` 0). Images that were not fooled are
    counted in `not_fooled`: they enter a median as infinite, and a mean with the change that they had reached, which
    makes it a lower `bound`. `skipped` images are left out. With several seeds a value is the mean of the seeds'
    values, and a ratio on one model their geometric mean; intervals are computed by `stats.seeds`. A reference without
    a model to compare it with keeps its own row. Raises `UserError` where an attack did not record any wrong class.
    """
    import pandas

    any_wrong = {key: [_any_wrong(key[0], table) for table in tables] for key, tables in measures.items()}
    ours = [attack for attack in dict.fromkeys(attack for attack, _ in measures) if attack not in comparators]
    return pandas.DataFrame(
        [
            row
            for reference in references
            for row in _rows(reference, models, any_wrong, ours, [*_named(comparators, reference.method)])
        ]
    )


def _named(comparators: Mapping[str, str], method: str | None) -> Iterator[str]:
    yield from (name for name, its in comparators.items() if its == method)


def _any_wrong(attack: str, table: pandas.DataFrame) -> pandas.DataFrame:
    rows = at_level(table, ARGMAX)
    if rows.empty:
        raise UserError(
            f"attack {attack} did not record the change at which any wrong class was reached, where references stop: "
            f"add `argmax` to attacks.{attack}.other_confidences"
        )
    return rows


def _rows(
    reference: Reference,
    models: Sequence[Mapping[str, Any]],
    measures: Measures,
    ours: Sequence[str],
    comparators: Sequence[str],
) -> Iterator[dict[str, object]]:
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
    if not chosen:
        yield theirs | {"comparable": "no", "why": "No model of this configuration is like theirs."}
    for model in chosen:
        for attack in ours:
            tables = measures[attack, model]
            value, counts = _value(reference, tables)
            row = theirs | {"model": model, "attack": attack, "stop": ANY_WRONG, **counts}
            ratio = value._replace(**{name: each / reference.value for name, each in value._asdict().items()})
            yield row | _compared(value, ratio) | {"comparable": reference.comparable, "why": reference.why}
            for comparator in comparators:
                found, _ = _value(reference, measures[comparator, model])
                here = {"source": HERE, "network": f"ours: {model}", "their_value": found.estimate}
                ratio = _image_by_image(reference.norm, tables, measures[comparator, model])
                expected = _as_expected(ratio.estimate, reference.expected)
                yield row | here | _compared(value, ratio) | expected | {"comparable": "yes", "why": SAME_MODEL}


def _value(reference: Reference, tables: Sequence[pandas.DataFrame]) -> tuple[Interval, dict[str, object]]:
    """Return the reference's statistic of one attack's change to one model's images, and what was counted."""
    import pandas

    from robustness.stats.seeds import MEAN, MEDIAN, by_seed, interval

    records = pandas.concat(tables, keys=range(len(tables)), names=["seed", None]).set_index("image", append=True)
    attacked = records[records["ended"] != Outcome.SKIPPED].droplevel(1)
    fooled = attacked["ended"] == Outcome.SUCCESS
    is_mean = reference.statistic == "mean"
    change = attacked[reference.norm].astype(float)
    values = by_seed(change if is_mean else change.where(fooled, math.inf))
    counts: dict[str, object] = {
        "seeds": len(tables),
        "attacked": len(attacked),
        "not_fooled": int((~fooled).sum()),
        "bound": "at least" if is_mean and not fooled.all() else "",
    }
    return interval(MEAN if is_mean else MEDIAN, values), counts


def _image_by_image(norm: str, ours: Sequence[pandas.DataFrame], theirs: Sequence[pandas.DataFrame]) -> Interval:
    """Return the median over images of our change divided by theirs."""
    import numpy as np

    from robustness.stats.censoring import changes
    from robustness.stats.seeds import MEDIAN_RATIO, interval

    with np.errstate(invalid="ignore"):
        ratios = changes(ours, norm) / changes(theirs, norm)
    return interval(MEDIAN_RATIO, ratios[:, ~np.isnan(ratios).all(axis=0)])


def _compared(value: Interval, ratio: Interval) -> dict[str, object]:
    return {
        "value": value.estimate,
        "low": value.low,
        "high": value.high,
        "ratio": ratio.estimate,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
    }


def _as_expected(ratio: float, expected: tuple[float, float] | None) -> dict[str, object]:
    if expected is None:
        return {}
    low, high = expected
    as_expected = "yes" if low <= ratio <= high else "no"
    return {"ratio_expected_low": low, "ratio_expected_high": high, "as_expected": as_expected}
