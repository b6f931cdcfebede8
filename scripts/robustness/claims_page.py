"""The page of claims: the table of claims as HTML that a person reads, in one file.

Takes the table and the template; reads and writes nothing. Exists because a CSV with sentences in it is hard to read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robustness.claims import COLUMNS, FAILS, HOLDS, UNDECIDED
from robustness.errors import UserError

if TYPE_CHECKING:
    import pandas

VERDICTS = (HOLDS, FAILS, UNDECIDED)


def page(table: pandas.DataFrame, spec: Mapping[str, Any], template: str) -> str:
    """The page for a table of `robustness.claims.claims`, as it is read back from CSV.

    `spec` has scale, seeds and datasets (name, title, settings). Raises `UserError` for a table without its columns.
    """
    from jinja2 import Environment, StrictUndefined

    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise UserError(f"the table of claims has no column {', '.join(missing)}: delete it and run the workflow again")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {"number": _number, "p": _p}
    texts = ["dataset", "sentence", "unit", "test", "why", "not_trustworthy"]
    table = table.astype({"censored": float})
    rows = table.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, "")).to_dict("records")
    for row in rows:
        row["asks"] = row["test"].partition(". ")[0]
    counts = {
        about: {verdict: int((table[about] == verdict).sum()) for verdict in VERDICTS}
        for about in ("verdict", "weights_verdict")
    }
    return environment.from_string(template).render(claims=rows, counts=counts, **spec)


def _number(value: float) -> str:
    """Three significant digits; a dash for nothing."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = round(value, 9)
    return (f"{rounded:.0f}" if abs(rounded) >= 1000 else f"{rounded:.3g}").replace("-", "−")


def _p(value: float) -> str:
    """What follows the p of a p-value; small ones are only bounded, as nothing depends on how small they are."""
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}"
