"""How far verdicts hang on what the report does not say: the attack's step α and the noise level σ.

Pure functions on pandas tables of verdicts. Exists because a verdict that another step or another level would turn is a
verdict about our choice of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas

PARAMETERS = ("alpha", "sigma")
"""What is swept, in the order of the table and of the figure's panels."""


def over_values(judged: Sequence[pandas.DataFrame], configured: Mapping[str, float]) -> pandas.DataFrame:
    """The verdicts at single values as one table, by parameter, claim and value, with two columns added.

    `configured` says whether the value is the one that everything else was computed with; `changes` whether the verdict
    is another than at the next lower value.
    """
    table = pandas.concat(judged, ignore_index=True)
    order = table["parameter"].map(PARAMETERS.index)
    table = table.assign(order=order).sort_values(["order", "claim", "value"], ignore_index=True).drop(columns="order")
    before = table.groupby(["parameter", "claim"])["weights_verdict"].shift()
    table.insert(2, "configured", table["value"] == table["parameter"].map(dict(configured)))
    table["changes"] = before.notna() & (before != table["weights_verdict"])
    return table
