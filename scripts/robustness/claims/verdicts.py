"""Judges claims: for these weights, and for the recipes.

Pure functions on pandas tables. A claim is a conjunction of comparisons. It holds when each comparison holds
(intersection-union: the largest p-value counts), and does not hold when one comparison is reversed (the smallest
p-value, times the number of comparisons, counts); in all other cases it is undecided, or `not studied` where the study
lacks models of each comparison. `docs/claims.md` says why each claim is read as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas

from robustness.claims.comparisons import UNKNOWN, Evidence, Support
from robustness.claims.stated import Claim
from robustness.claims.study import Model, Study
from robustness.stats import tests

LEVEL = 0.05
"""The accepted probability of a false verdict, over all claims of the table together."""

HOLDS, FAILS, UNDECIDED, NOT_STUDIED = "holds", "does not hold", "undecided", "not studied"

COLUMNS = (
    "claim",
    "dataset",
    "sentence",
    "estimate",
    "low",
    "high",
    "unit",
    "test",
    "p",
    "p_holm",
    "verdict",
    "why",
    "weights_p",
    "weights_p_holm",
    "weights_verdict",
    "seeds",
    "images",
    "censored",
    "not_trustworthy",
)


@dataclass(frozen=True)
class Answer:
    """What a study says about one claim before the correction for the number of claims."""

    claim: Claim
    found: tuple[Evidence, ...]
    lacking: tuple[str, ...]

    def support(self, what: str) -> Support:
        """Return the p-values for and against all comparisons together, about the `weights` or the `recipe`.

        When a comparison is lacking, the claim cannot hold, but the other comparisons can still speak against it.
        """
        parts: list[Support] = [getattr(each, what) for each in self.found]
        if not parts or any(math.isnan(part.holds) for part in parts):
            return UNKNOWN
        holds = 1.0 if self.lacking else max(part.holds for part in parts)
        return Support(holds, min(1.0, len(parts) * min(part.fails for part in parts)))

    def under(self, other: Study) -> Answer:
        """Return what the same study says with another attack."""
        return answer(self.claim, other) if self.claim.uses_attack else self

    @property
    def decisive(self) -> Evidence | None:
        """The comparison that is furthest from holding; its estimate is the claim's estimate."""
        return max(self.found, key=lambda each: each.weights.holds, default=None)


def answer(claim: Claim, study: Study) -> Answer:
    """Make the comparisons of a claim, as far as the study has what they need."""
    found, lacking = [], []
    for each in claim.comparisons:
        missing = _not_studied(each.models, study) or each.lacking(study)
        if missing:
            lacking.append(missing)
        else:
            found.append(each.evidence(study))
    return Answer(claim, tuple(found), tuple(dict.fromkeys(lacking)))


def _not_studied(models: Sequence[Model], study: Study) -> str:
    for dataset, model in models:
        if not any(dataset == studied for studied, _ in study.measures):
            return f"The dataset {dataset} is not studied in this configuration."
        if (dataset, model) not in study.measures:
            return f"The model {model} of {dataset} is not in this configuration."
    return ""


def verdicts(supports: Sequence[Support]) -> list[tuple[float, float, str]]:
    """Return each claim's p-value, the p-value after Holm's correction for the number of claims, and the verdict."""
    corrected = tests.holm([support.p for support in supports])
    found = []
    for support, p_holm in zip(supports, corrected, strict=True):
        if not p_holm < LEVEL:
            verdict = UNDECIDED
        elif support.holds <= support.fails:
            verdict = HOLDS
        else:
            verdict = FAILS
        found.append((support.p, p_holm, verdict))
    return found


def table(stated: Sequence[Claim], study: Study, others: Mapping[str, Study] | None = None) -> pandas.DataFrame:
    """Return the table of claims, with `COLUMNS`; `others` are the same study with other attacks, by attack name.

    `verdict`, `p` and `p_holm` are about the recipe; the columns that start with `weights_` are about the weights of
    the first seed. `estimate` with `low` and `high` (95 %) belongs to the comparison that is furthest from holding; the
    interval is over seeds where there are several, else over images. `images` counts the images of all datasets that
    the comparisons use; `censored` counts, over models and seeds, the attacks that did not fool (empty where nothing
    was attacked).
    """
    answers = [answer(claim, study) for claim in stated]
    recipe = verdicts([each.support("recipe") for each in answers])
    weights = verdicts([each.support("weights") for each in answers])
    elsewhere = {}
    for name, other in (others or {}).items():
        under = [each.under(other) for each in answers]
        found = verdicts([each.support("weights") for each in under])
        elsewhere[name] = [verdict if each.found else "" for each, (*_, verdict) in zip(under, found, strict=True)]
    rows = []
    for index, each in enumerate(answers):
        attacked = each.claim.uses_attack
        distrusted = study.distrusted(each.claim.models) if attacked else {}
        both = [recipe[index], weights[index]]
        if distrusted and each.claim.void_where_distrusted:
            both = [(p, p_holm, UNDECIDED) for p, p_holm, _ in both]
        if all(_not_studied(comparison.models, study) for comparison in each.claim.comparisons):
            both = [(p, p_holm, NOT_STUDIED) for p, p_holm, _ in both]
        (p, p_holm, verdict), (weights_p, weights_p_holm, weights_verdict) = both
        others_say = {name: said[index] for name, said in elsewhere.items() if attacked and said[index]}
        decisive = each.decisive
        present = [model for model in each.claim.models if model in study.measures]
        rows.append(
            {
                "claim": each.claim.number,
                "dataset": ", ".join(each.claim.datasets),
                "sentence": each.claim.sentence,
                "estimate": decisive.estimate.estimate if decisive else math.nan,
                "low": decisive.estimate.low if decisive else math.nan,
                "high": decisive.estimate.high if decisive else math.nan,
                "unit": decisive.unit if decisive else "",
                "test": f"{each.claim.asks} {each.claim.tests}.",
                "p": p,
                "p_holm": p_holm,
                "verdict": verdict,
                "why": _why(each, study, verdict, weights_verdict, distrusted, others_say),
                "weights_p": weights_p,
                "weights_p_holm": weights_p_holm,
                "weights_verdict": weights_verdict,
                "seeds": study.seeds,
                "images": sum(_images(each).values()),
                "censored": study.censored(present) if attacked else None,
                "not_trustworthy": ", ".join(
                    model if len(each.claim.datasets) == 1 else f"{dataset}/{model}" for dataset, model in distrusted
                ),
            }
        )
    return pandas.DataFrame(rows, columns=list(COLUMNS)).astype({"censored": "Int64"})


def _images(answered: Answer) -> dict[str, int]:
    """Return the number of images of each dataset that a claim's comparisons use."""
    counts: dict[str, int] = {}
    for each in answered.found:
        for dataset, images in each.images.items():
            counts[dataset] = max(images, counts.get(dataset, 0))
    return counts


def _why(
    answered: Answer,
    study: Study,
    verdict: str,
    weights_verdict: str,
    distrusted: Mapping[Model, Sequence[str]],
    others: Mapping[str, str],
) -> str:
    """Return the sentences that say why the verdict is what it is, then what each comparison found."""
    told = []
    for (_, model), failed in distrusted.items():
        told.append(f"Not trustworthy: {model} ({' '.join(failed)})")
    told += answered.lacking
    if not answered.found:
        return " ".join(told)
    is_void = distrusted and answered.claim.void_where_distrusted
    about_weights = f"about these weights it {_STANDS[weights_verdict]}."
    if is_void:
        told.append("Numbers of a model whose checks failed decide nothing.")
    elif study.seeds == 1:
        told.append(f"One seed says nothing about another training of the same recipe; {about_weights}")
    elif math.isnan(answered.support("recipe").holds):
        told.append(f"Fewer than two trainings differ and have values: nothing about the recipe; {about_weights}")
    else:
        told.append(f"Over {study.seeds} seeds {_REASONS[verdict]}")
        if any(math.isnan(each.estimate.low) for each in answered.found):
            told.append(
                "Where a seed's median ratio is infinite or zero, since half of its images were not fooled or needed "
                "nothing of what is measured, it has no standard error, and its test is the sign test over seeds, for "
                "which a handful of them is too few."
            )
    told.append(f"Found: {'; '.join(each.words for each in answered.found)}.")
    for name, found in ({} if is_void else others).items():
        told.append(f"Under the attack {name}, about these weights, it {_STANDS[found]}.")
    return " ".join(told)


_STANDS = {HOLDS: "holds", FAILS: "does not hold", UNDECIDED: "is undecided"}
_REASONS = {
    HOLDS: "every comparison bears it out, after correction for the number of claims.",
    FAILS: "a comparison contradicts it, after correction for the number of claims.",
    UNDECIDED: "the comparisons neither bear it out nor contradict it, after correction for the number of claims.",
}
