"""Writes the page of claims: the table of claims as one HTML file, since a CSV with sentences in it is hard to read.

The study's page (`robustness.pages.page`) shows the same rows and counts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustness.claims.verdicts import COLUMNS, FAILS, HOLDS, NOT_STUDIED, UNDECIDED
from robustness.errors import UserError
from robustness.pages.templates import rendered
from robustness.text import counted, listed, number

if TYPE_CHECKING:
    import pandas


def page(table: pandas.DataFrame, spec: Mapping[str, Any], template: Path, guide: str) -> str:
    """Return the page for a table of `robustness.claims.verdicts.table`, as it is read back from CSV.

    `spec` has scale, seeds, papers_claims (whether they are the paper's) and datasets (name, title, settings); `guide`
    is the address of `docs/claims.md`. Raises `UserError` for a table without its columns.
    """
    filters: dict[str, Callable[..., str]] = {"number": number, "counted": counted, "p": p_value}
    return rendered(template, filters, claims=rows(table), tallies=tallies(table), guide=guide, **spec)


def guide(template: Path, page: Path) -> str:
    """Return the address of `docs/claims.md`, which says how to state claims, as a link from a page."""
    return Path(os.path.relpath(template.parents[1] / "docs" / "claims.md", page.parent)).as_posix()


def rows(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each claim, as templates take it, with what it asks in one sentence (`asks`).

    Raises `UserError` for a table without its columns.
    """
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise UserError(f"the table of claims has no column {', '.join(missing)}: delete it and run the workflow again")
    texts = ["dataset", "sentence", "unit", "test", "why", "not_trustworthy"]
    table = table.astype({"censored": float})
    found = table.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, "")).to_dict("records")
    return [
        {str(key): value for key, value in row.items()} | {"asks": row["test"].rpartition(". ")[0]} for row in found
    ]


def tallies(table: pandas.DataFrame) -> dict[str, str]:
    """Count the claims of each verdict in words, about the recipes (`verdict`) and the weights (`weights_verdict`)."""
    return {about: _tally(Counter(table[about])) for about in ("verdict", "weights_verdict")}


def _tally(count: Mapping[str, int]) -> str:
    holds, fails, undecided, absent = (count[each] for each in (HOLDS, FAILS, UNDECIDED, NOT_STUDIED))
    told = [
        f"{holds} {'holds' if holds == 1 else 'hold'}",
        f"{fails} {'does' if fails == 1 else 'do'} not hold",
        f"{undecided} {'is' if undecided == 1 else 'are'} undecided",
    ]
    return listed([*told, f"{absent} {'is' if absent == 1 else 'are'} not studied"] if absent else told)


def p_value(value: float) -> str:
    """Write what follows the p of a p-value; small ones are only bounded, as nothing depends on how small they are."""
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}"
