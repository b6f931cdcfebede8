"""Reads claims as the configuration states them: each with its sentence, how it is read, and its comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robustness.claims.comparisons import (
    Alike,
    Believable,
    Comparison,
    EndsMostly,
    Models,
    More,
    MoreAccurate,
    MoreThanDataset,
)
from robustness.claims.study import Model
from robustness.config.claim_entry import Entry, comparisons


@dataclass(frozen=True)
class Claim:
    """A sentence, how it is read (`asks`), and the comparisons that must all hold for it to hold."""

    number: int
    sentence: str
    asks: str
    comparisons: tuple[Comparison, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that the claim is about."""
        return tuple(dict.fromkeys(model for each in self.comparisons for model in each.models))

    @property
    def tests(self) -> str:
        """The tests of its comparisons, as the table names them."""
        return "; ".join(dict.fromkeys(each.test for each in self.comparisons))

    @property
    def uses_attack(self) -> bool:
        """Whether the claim uses attacks, so that it says nothing where they failed."""
        return any(each.uses_attack for each in self.comparisons)

    @property
    def void_where_distrusted(self) -> bool:
        """Whether the claim says nothing about a model whose checks failed."""
        return any(each.uses_attack and not each.about_the_attack for each in self.comparisons)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that the claim is about."""
        return tuple(dict.fromkeys(dataset for dataset, _ in self.models))


def claims_of(entries: Sequence[Entry]) -> tuple[Claim, ...]:
    """Return the claims of a checked configuration, numbered from 1; without `read_as`, one is read as its sentence."""
    return tuple(
        Claim(
            number,
            entry["sentence"],
            entry.get("read_as", entry["sentence"]).rstrip(".") + ".",
            tuple(_comparison(kind, each) for kind, each in comparisons(entry)),
        )
        for number, entry in enumerate(entries, 1)
    )


def _comparison(kind: str, entry: Entry) -> Comparison:
    match kind:
        case "more":
            return More(**entry)
        case "more_than_dataset":
            sides = {name: Models(entry[name]["dataset"], tuple(entry[name]["models"])) for name in ("first", "second")}
            return MoreThanDataset(**{**entry, **sides})
        case "alike":
            return Alike(**entry)
        case "ends_mostly":
            return EndsMostly(**entry)
        case "more_accurate":
            return MoreAccurate(**entry)
        case "believable":
            return Believable(**entry)
    raise ValueError(f"no comparison is called {kind}")
