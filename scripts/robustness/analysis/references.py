"""Compares the change that others needed on undefended models with ours.

Pure data and functions on pandas tables of measures. A number that agrees with nothing known outside of this workflow
is suspect, and a number that looks alike need not be comparable: each pair says whether it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.config.threat_models import NORMS
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

NETWORK_DIFFERS = "Their convolutional network is another than our ResNet, and so was its training."
BEST_CASE = (
    "Theirs is the easiest of nine targets with the least change that an optimiser finds; ours is untargeted and goes "
    "in steps of α."
)
NOT_L2 = "Our steps along the sign change all pixels alike, which no attack does that looks for a small L2 norm."
ANY_WRONG = "any wrong class is predicted"


COMPARED_WITH = {"family": "resnet"}
"""The settings that an architecture of ours must have to be compared with theirs."""
COMPARABLE = {
    "linf": {"comparable": "partly", "why": f"{NETWORK_DIFFERS} {BEST_CASE}"},
    "l2": {"comparable": "no", "why": f"{NETWORK_DIFFERS} {BEST_CASE} {NOT_L2}"},
}

Reference = Mapping[str, Any]
"""What others measured on an undefended model, by columns of the table: `their_value` is a mean over images."""


def _best_case(dataset: str, norm: str, value: float) -> Reference:
    """Return one of Carlini and Wagner's means over images of the change that the easiest target class needed."""
    return {
        "source": CARLINI_WAGNER,
        "year": 2017,
        "table": "Table IV",
        "dataset": dataset,
        "network": "their convolutional network, undefended",
        "their_attack": f"Carlini and Wagner's {NORMS[norm]} attack, best case over the target classes",
        "their_stop": "the target class is predicted",
        "statistic": "mean",
        "norm": norm,
        "their_value": value,
    }


REFERENCES = (
    _best_case("mnist", "l2", 1.36),
    _best_case("mnist", "linf", 0.13),
    _best_case("cifar", "l2", 0.17),
    _best_case("cifar", "linf", 0.0092),
)

Measures = Mapping[tuple[str, str], Sequence["pandas.DataFrame"]]
"""The measures of each (attack, model): a table for each seed."""


def references_of(dataset: str) -> list[Reference]:
    """Return the references for a dataset, by its name in the configuration."""
    return [reference for reference in REFERENCES if reference["dataset"] == dataset]


def beside(
    references: Iterable[Reference],
    models: Sequence[Mapping[str, Any]],
    measures: Measures,
) -> pandas.DataFrame:
    """Tabulate one row for each reference, clean model of ours that it is compared with, and attack of ours.

    `models` are the clean ones, with `name` and `architecture` (its settings).

    The measures are taken where any wrong class was reached (`required_confidence` 0). Images that were not fooled are
    counted in `not_fooled`: they enter the mean with the change that they had reached, which makes it a lower `bound`.
    `skipped` images are left out. With several seeds a value is the mean of the seeds' values; intervals are computed
    by `stats.seeds`. A reference without a model to compare it with keeps its own row. Raises `UserError` where an
    attack did not record any wrong class.
    """
    import pandas

    any_wrong = {key: [_any_wrong(key[0], table) for table in tables] for key, tables in measures.items()}
    attacks = list(dict.fromkeys(attack for attack, _ in measures))
    return pandas.DataFrame([row for reference in references for row in _rows(reference, models, any_wrong, attacks)])


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
    attacks: Sequence[str],
) -> Iterator[dict[str, object]]:
    chosen = [model["name"] for model in models if COMPARED_WITH.items() <= model["architecture"].items()]
    if not chosen:
        yield {**reference} | {"comparable": "no", "why": "No model of this configuration is like theirs."}
    for model in chosen:
        for attack in attacks:
            tables = measures[attack, model]
            value, counts = _value(reference["norm"], tables)
            row = {**reference} | {"model": model, "attack": attack, "stop": ANY_WRONG, **counts}
            ratio = value._replace(**{name: each / reference["their_value"] for name, each in value._asdict().items()})
            yield row | _compared(value, ratio) | COMPARABLE[reference["norm"]]


def _value(norm: str, tables: Sequence[pandas.DataFrame]) -> tuple[Interval, dict[str, object]]:
    """Return the mean of one attack's change to one model's images, and what was counted."""
    import pandas

    from robustness.stats.seeds import MEAN, by_seed, interval

    records = pandas.concat(tables, keys=range(len(tables)), names=["seed", None]).set_index("image", append=True)
    attacked = records[records["ended"] != Outcome.SKIPPED].droplevel(1)
    fooled = attacked["ended"] == Outcome.SUCCESS
    counts: dict[str, object] = {
        "seeds": len(tables),
        "attacked": len(attacked),
        "not_fooled": int((~fooled).sum()),
        "bound": "" if fooled.all() else "at least",
    }
    return interval(MEAN, by_seed(attacked[norm].astype(float))), counts


def _compared(value: Interval, ratio: Interval) -> dict[str, object]:
    return {
        "value": value.estimate,
        "low": value.low,
        "high": value.high,
        "ratio": ratio.estimate,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
    }
