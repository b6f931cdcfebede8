"""Reads the entry of a claim in the configuration: the comparisons that it makes, and the models that it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any

Entry = Mapping[str, Any]
Key = tuple[str | int, ...]

PAPER = "paper"
"""The value of `claims` that stands for the paper's claims, in claims/paper.yaml."""
KINDS = ("more", "more_than_dataset", "alike", "ends_mostly", "more_accurate", "believable")
"""The kinds of comparison, in the order in which a claim's comparisons are made."""
UNSWEPT = ("more_accurate", "believable")
"""Kinds that need other files than the measures of attacks, which are all that a sweep has."""


def stated(claim: Entry) -> Iterator[tuple[Key, Entry]]:
    """Yield each comparison of a claim as it is written, with its key in the claim, which begins with its kind."""
    for kind in KINDS:
        entries = claim.get(kind, [])
        if isinstance(entries, list):
            yield from (((kind, index), entry) for index, entry in enumerate(entries))
        else:
            yield (kind,), entries


def of_single_models(entry: Entry) -> list[Entry]:
    """Return the comparisons that an entry stands for, one for each choice from its lists of models.

    No model is compared with itself.
    """
    lists = {name: entry[name] for name in ("first", "second", "model") if isinstance(entry.get(name), list)}
    chosen = [{**entry, **dict(zip(lists, models, strict=True))} for models in product(*lists.values())]
    return [each for each in chosen if "first" not in each or each["first"] != each.get("second")]


def comparisons(claim: Entry) -> list[tuple[str, Entry]]:
    """Return the comparisons of a claim, each with its kind and of single models."""
    return [(str(kind), each) for (kind, *_), entry in stated(claim) for each in of_single_models(entry)]


def groups(entry: Entry) -> Iterator[tuple[Key, Entry]]:
    """Yield what names a dataset and its models, with its key in the entry: the entry itself, or each of its sides."""
    if "dataset" in entry:
        yield (), entry
    else:
        yield from (((side,), entry[side]) for side in ("first", "second"))


def models(group: Entry) -> Iterator[tuple[Key, str]]:
    """Yield the models that a group names, with their keys in it."""
    for name in ("first", "second", "model", "models"):
        named = group.get(name, [])
        if isinstance(named, list):
            yield from (((name, index), model) for index, model in enumerate(named))
        else:
            yield (name,), named


def subjects(claim: Entry) -> list[tuple[str, str]]:
    """Return the datasets and models that a claim is about."""
    return [subject for _, entry in stated(claim) for subject in _subjects(entry)]


def _subjects(entry: Entry) -> list[tuple[str, str]]:
    return [(group["dataset"], model) for _, group in groups(entry) for _, model in models(group)]


def can_be_swept(claim: Entry, dataset: str, studied: Collection[str]) -> bool:
    """Return whether a claim makes a comparison of attacks on the `studied` models of this dataset alone."""
    return any(
        kind not in UNSWEPT and all(name == dataset and model in studied for name, model in _subjects(entry))
        for kind, entry in comparisons(claim)
    )
