"""Holds the study that a configuration describes: its datasets and its attacks.

Pure functions of a checked configuration, which nothing here changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from robustness.config import claim_entry
from robustness.config.validate import read_yaml
from robustness.errors import UserError
from robustness.workflow.dataset import STUDIED_ATTACK, Attack, Dataset
from robustness.workflow.sweep import Entry


@dataclass(frozen=True, eq=False)
class Study:
    """The configuration as rules see it; `root` is the folder of the workflow's own files."""

    config: Entry
    root: Path

    @cached_property
    def results(self) -> str:
        """The folder of all that is computed."""
        return os.path.normpath(self.config["results"])

    @property
    def seeds(self) -> list[int]:
        """The seeds of all models and attacks."""
        seeds: list[int] = self.config["seeds"]
        return seeds

    # ---- datasets ---------------------------------------------------------------------------------------------------

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """All datasets by name; the small copies that a sweep needs come last."""
        found = {name: Dataset(self.config, name, entry) for name, entry in self.config["datasets"].items()}
        small = [found[name].small for name in self.config["study"]]
        return found | {dataset.name: dataset for dataset in small if dataset is not None}

    @cached_property
    def studied(self) -> list[Dataset]:
        """The datasets that are studied."""
        return [self.datasets[name] for name in self.config["study"]]

    @cached_property
    def claims(self) -> list[Entry]:
        """The claims that are judged: the configuration's own, or the paper's if a model of theirs is studied."""
        own = self.config["claims"]
        if own != claim_entry.PAPER:
            return list(own)
        claims: list[Entry] = read_yaml(self.root / "claims" / "paper.yaml")["claims"]
        studied = {(dataset.name, model) for dataset in self.studied for model in dataset.models}
        return claims if any(studied.intersection(claim_entry.subjects(claim)) for claim in claims) else []

    @property
    def judges_paper(self) -> bool:
        """Whether the claims that are judged are the paper's."""
        return self.config["claims"] == claim_entry.PAPER and bool(self.claims)

    @cached_property
    def claimed(self) -> list[Dataset]:
        """The studied datasets that claims are about."""
        named = {dataset for claim in self.claims for dataset, _ in claim_entry.subjects(claim)}
        return [dataset for dataset in self.studied if dataset.name in named]

    @property
    def piloted(self) -> list[str]:
        """The names of the datasets whose step a pilot chooses."""
        return [name for name, dataset in self.datasets.items() if dataset.chosen_step and not dataset.is_small]

    @property
    def timed(self) -> list[Dataset]:
        """The datasets that are studied, and their small copies."""
        whole_names = self.config["study"]
        return [each for each in self.datasets.values() if (each.whole or each.name) in whole_names]

    def places_of_models(self, trained: bool) -> list[str]:
        """Return the places, as `<dataset>/models/<model>`, of all models that are trained here, or are not."""
        return [
            f"{dataset.name}/models/{model}"
            for dataset in self.datasets.values()
            for model in dataset.models
            if (model in dataset.trained) == trained
        ]

    # ---- attacks ----------------------------------------------------------------------------------------------------

    @cached_property
    def attacks(self) -> dict[str, Attack]:
        """All attacks by their names in paths: attacks of the configuration, then attacks whose step is swept."""
        swept = [attack for dataset in self.studied for attack in dataset.swept_attacks]
        return {attack.name: attack for attack in [*map(Attack, self.config["attacks"]), *swept]}

    @cached_property
    def comparators(self) -> list[str]:
        """The names of the attacks that come from a library."""
        return [name for name, attack in self.config["attacks"].items() if "library" in attack]

    @cached_property
    def own_attacks(self) -> list[str]:
        """The names of the attacks that are ours."""
        return [name for name in self.config["attacks"] if name not in self.comparators]

    @cached_property
    def swept_attacks(self) -> list[str]:
        """The names of the attacks that differ from one of ours only in a swept step."""
        return [name for name in self.attacks if name not in self.config["attacks"]]

    @cached_property
    def untargeted_attacks(self) -> list[str]:
        """The names of our attacks that take any wrong class."""
        return [name for name in self.own_attacks if self.config["attacks"][name]["target"] is None]

    @property
    def compared_attacks(self) -> list[str]:
        """Our attacks that comparators are compared with: like these, they take any wrong class."""
        return self.untargeted_attacks if self.comparators else []

    @property
    def claim_attacks(self) -> list[str]:
        """The attacks that answer claims: the paper's, then the others of ours that take any wrong class."""
        return [STUDIED_ATTACK, *(name for name in self.untargeted_attacks if name != STUDIED_ATTACK)]

    @cached_property
    def checked_attacks(self) -> list[str]:
        """The paper's attack, and the one called `strong` if it is ours and has the same target and a common level."""
        if "strong" not in self.own_attacks:
            return [STUDIED_ATTACK]
        both = [STUDIED_ATTACK, "strong"]
        attacks = [self.config["attacks"][name] for name in both]
        levels = [{attack["confidence"], *attack["other_confidences"]} for attack in attacks]
        alike = attacks[0]["target"] == attacks[1]["target"] and levels[0] & levels[1]
        return both if alike else [STUDIED_ATTACK]

    @property
    def targeted(self) -> Entry:
        """The entry of the targeted attack; raises `UserError` where the configuration leaves it out."""
        entry: Entry | None = self.config["targeted"]
        if entry is None:
            raise UserError("targeted is null, so that no image is attacked toward a class: give it settings")
        return entry

    @property
    def studied_attack(self) -> Entry:
        """The entry of the paper's attack."""
        entry: Entry = self.config["attacks"][STUDIED_ATTACK]
        return entry


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression for a wildcard that is one of `names`; without names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def in_order(settings: Entry, base: Entry) -> dict[str, Any]:
    """Return a mapping in the order of `base`: an overlay's keys otherwise come first, and colours follow the order."""
    names = [*(name for name in base if name in settings), *(name for name in settings if name not in base)]
    return {
        name: in_order(value, base.get(name) or {}) if isinstance(value := settings[name], dict) else value
        for name in names
    }
