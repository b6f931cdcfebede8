"""Tabulates how far verdicts depend on what the paper leaves out: the attack's step α and the noise level σ.

Pure functions on pandas tables of verdicts. If another step or level reverses a verdict, the verdict says something
about our choice of that value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas

from robustness.claims.verdicts import UNDECIDED

PARAMETERS = ("alpha", "sigma")
"""The swept parameters, in the order of the table and of the figure's panels."""


def over_values(judged: Sequence[pandas.DataFrame], configured: Mapping[str, float]) -> pandas.DataFrame:
    """Join the verdicts at single values into one table, by parameter, claim and value, with two columns added.

    `configured` says whether everything else was computed with this value. `changes` says whether the verdict is the
    opposite of the verdict at the next lower value that is decided; an undecided verdict contradicts nothing.
    """
    table = pandas.concat(judged, ignore_index=True)
    order = table["parameter"].map(PARAMETERS.index)
    table = table.assign(order=order).sort_values(["order", "claim", "value"], ignore_index=True).drop(columns="order")
    decided = table["weights_verdict"].where(table["weights_verdict"] != UNDECIDED)
    claims = [table["parameter"], table["claim"]]
    before = decided.groupby(claims).ffill().groupby(claims).shift()
    table.insert(2, "configured", table["value"] == table["parameter"].map(dict(configured)))
    table["changes"] = decided.notna() & before.notna() & (before != decided)
    return table
