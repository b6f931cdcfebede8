"""Writes the page of a dataset's trust checks: every check of every model, what it asks, and what its failure means.

The page needs no other file and no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustness.errors import UserError
from robustness.pages.templates import rendered, unbroken
from robustness.text import percent
from robustness.trust.questions import QUESTIONS, Row


def trust_page(table: Sequence[Row], spec: Mapping[str, Any], template: Path) -> str:
    """Return the page as HTML; `spec` is like a figure's (dataset, models with their titles, footnote) with
    `images` and `scale`.

    Raises `UserError` for a model of the spec that the table lacks, or a table with a check that is not known.
    """
    for row in table:
        if row.check not in QUESTIONS:
            raise UserError(
                f"the table of trust checks has an unknown check '{row.check}': delete it and run the workflow again"
            )
    subjects = [subject for model in spec["models"] for subject in subjects_of(table, model)]
    return rendered(
        template,
        {"percent": percent, "unbroken": unbroken},
        dataset=spec["dataset"]["title"],
        subjects=subjects,
        kind="model" if len(subjects) == len(spec["models"]) else "trained network",
        failed=[subject for subject in subjects if subject["failed"]],
        questions=QUESTIONS,
        images=spec["images"],
        footnote=spec["footnote"],
        scale=spec["scale"],
    )


def subjects_of(table: Sequence[Row], model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a model's checks, seed by seed: all, the failed ones and the passed ones."""
    rows = [row for row in table if row.model == model["name"]]
    if not rows:
        raise UserError(
            f"the table of trust checks lacks model '{model['name']}': delete it and run the workflow again"
        )
    seeds = list(dict.fromkeys(row.seed for row in rows))
    return [
        {
            "anchor": f"{model['name']}-{seed}",
            "title": model["title"] + (f", seed {seed}" if len(seeds) > 1 else ""),
            "rows": (of_seed := [row for row in rows if row.seed == seed]),
            "failed": [row for row in of_seed if not row.passed],
            "passed": [row for row in of_seed if row.passed],
        }
        for seed in seeds
    ]
