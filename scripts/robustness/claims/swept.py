"""Judges claims about one dataset for one set of trained models and one attack on them.

Pure functions on pandas tables of measures. `results/claims.csv` judges the claims for the study as it is configured;
the sweep judges them for models under other settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas

from robustness.claims.stated import Claim
from robustness.claims.study import Study
from robustness.claims.verdicts import Answer, answer, verdicts
from robustness.stats.censoring import attacked
from robustness.storage.levels import at_level


def judged(stated: Sequence[Claim], dataset: str, measures: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame:
    """Return a row for each claim that the measures of a dataset's models (a table for each, by name) can judge.

    The columns are the columns of `claims.verdicts.table` that are about the weights, with `attacked` and `censored`
    counted over images and models. Holm's correction is for the claims of this table. `asks` says what is tested; if a
    claim is about several datasets, only its comparisons on this dataset are tested.
    """
    study = Study(measures={(dataset, model): [table] for model, table in measures.items()}, predictions={})
    answers = [answer(claim, study) for claim in _told_by(stated, study, dataset)]
    found = verdicts([each.support("weights") for each in answers])
    return pandas.DataFrame(
        [
            _row(each, study, p_holm, verdict)
            for each, (_, p_holm, verdict) in zip(answers, found, strict=True)
            if each.decisive
        ]
    )


def first_images(measures: pandas.DataFrame, images: int, required_confidence: float) -> pandas.DataFrame:
    """Return the rows of the first `images` test images at one required confidence."""
    return at_level(measures[measures["image"] < images], required_confidence).reset_index(drop=True)


def _told_by(stated: Sequence[Claim], study: Study, dataset: str) -> Iterator[Claim]:
    """Yield the claims, each with only the comparisons that use attacks and are about this dataset's models alone."""
    for claim in stated:
        comparisons = tuple(
            each
            for each in claim.comparisons
            if each.uses_attack and {name for name, _ in each.models} == {dataset} and not each.lacking(study)
        )
        if comparisons:
            yield replace(claim, comparisons=comparisons)


def _row(answered: Answer, study: Study, p_holm: float, verdict: str) -> dict[str, object]:
    decisive = answered.decisive
    assert decisive is not None
    models: Sequence[tuple[str, str]] = [model for model in answered.claim.models if model in study.measures]
    return {
        "claim": answered.claim.number,
        "asks": answered.claim.asks,
        "estimate": decisive.estimate.estimate,
        "low": decisive.estimate.low,
        "high": decisive.estimate.high,
        "unit": decisive.unit,
        "weights_p_holm": p_holm,
        "weights_verdict": verdict,
        "attacked": sum(attacked(study.measures[model]) for model in models),
        "censored": study.censored(models),
    }
