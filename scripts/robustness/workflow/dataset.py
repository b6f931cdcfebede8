"""Holds one dataset of the study: its models and networks, its files, its attacks, and what is swept for it.

Pure functions of the configuration, except for a step of the attack that a pilot chooses.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from robustness.config import model_entry
from robustness.config.cross_checks import AUTO
from robustness.config.threat_models import budgets_of
from robustness.storage.atomic import read_json
from robustness.workflow.sweep import Entry, Sweep, small_entry, small_name, sweep_of

STUDIED_ATTACK = "original"
"""The attack that figures show, that models are judged by, and whose step is swept."""
COLOURS = 6
"""The number of colours that figures have for architectures; the seventh has the first one's."""
PILOT_IMAGES = 20
"""The number of test images, from the first on, that the pilot attacks."""


class StepNotChosen(Exception):
    """Nothing can be said of the attack's step yet: the pilot of `dataset` has not run."""

    def __init__(self, dataset: str) -> None:
        super().__init__(dataset)
        self.dataset = dataset


@dataclass(frozen=True)
class Attack:
    """An attack as files are named after it: an entry of `attacks:`, with another step `alpha` where that is swept."""

    entry: str
    alpha: float | None = None

    @property
    def name(self) -> str:
        """The name in paths: `original`, or `original-alpha=0.005`."""
        return self.entry if self.alpha is None else f"{self.entry}-alpha={self.alpha}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset of the configuration, or the small copy of one whose models are trained with other noise levels.

    `config` is the whole configuration, and `entry` says what the dataset consists of. `name` is its wildcard, the name
    of its folder of results, and its name in the headers of files. `whole` is the name of the dataset that a small copy
    belongs to, and empty for a dataset of the configuration.
    """

    config: Entry
    name: str
    entry: Entry
    whole: str = ""

    @property
    def is_small(self) -> bool:
        """Whether it is the small copy of a dataset."""
        return bool(self.whole)

    # ---- files ------------------------------------------------------------------------------------------------------

    @property
    def results(self) -> str:
        """The folder of all that is computed; `./results` is `results`, as Snakemake compares paths as text."""
        return os.path.normpath(self.config["results"])

    @cached_property
    def path(self) -> str:
        """The folder of its files."""
        return f"{self.results}/{self.name}"

    def of_every_network(self, name: str) -> list[str]:
        """Return one file for each model and seed; `name` holds `{model}` and `{seed}`."""
        return self.of_networks(name, self.models)

    def of_networks(self, name: str, models: Iterable[str]) -> list[str]:
        """Return one file for each of `models` and each seed; `name` holds `{model}` and `{seed}`."""
        return [f"{self.path}/{name.format(model=model, seed=seed)}" for model in models for seed in self.seeds]

    def measures(self, attacks: Iterable[str], models: Iterable[str] | None = None) -> list[str]:
        """Return the measures of some attacks on all models (or some) and all seeds, attack by attack."""
        chosen = self.models if models is None else list(models)
        names = [f"attacks/{attack}/{{model}}/seed{{seed}}/measures.parquet" for attack in attacks]
        return [path for name in names for path in self.of_networks(name, chosen)]

    @property
    def download(self) -> str:
        """The manifest of its downloaded files; a small copy uses the files of the whole dataset."""
        return f"{self.results}/{self.whole or self.name}/data/download.json"

    # ---- models -----------------------------------------------------------------------------------------------------

    @property
    def seeds(self) -> list[int]:
        """The seeds of the study."""
        seeds: list[int] = self.config["seeds"]
        return seeds

    @property
    def entries(self) -> Entry:
        """The entries of its models, by name."""
        entries: Entry = self.entry["models"]
        return entries

    @cached_property
    def models(self) -> list[str]:
        """The names of its models, in the order of the configuration."""
        return list(self.entries)

    @cached_property
    def trained(self) -> list[str]:
        """The names of its models that are trained here, and not pretrained."""
        return [name for name, model in self.entries.items() if not model_entry.is_given(model)]

    @cached_property
    def clean(self) -> list[str]:
        """The names of its models trained here on unchanged images; how pretrained models were trained is not known."""
        return [name for name in self.trained if self.entries[name]["data"] == "clean"]

    @cached_property
    def kinds_of_data(self) -> set[str]:
        """What any of its models is trained on: `clean`, `noisy`, `adversarial`."""
        return set(map(model_entry.data, self.entries.values()))

    @cached_property
    def calibrated(self) -> list[str]:
        """Its noisy models that tell the noise level: the paper gives their accuracy, which falls as the noise grows.

        These are perceptrons, whose training takes seconds: noise hardly changes the accuracy of a ResNet.
        """
        return [
            name
            for name in self.trained
            if self.entries[name]["data"] == "noisy"
            and self.entries[name].get("published_accuracy") is not None
            and self.entry["augmentation"]["kind"] == "gaussian_noise"
            and self.architecture(name)[1].get("family") == "perceptron"
        ]

    @cached_property
    def networks(self) -> list[tuple[str, int]]:
        """Model and seed of every network; a pretrained model is the same for each seed."""
        return [
            (model, seed) for model in self.models for seed in (self.seeds if model in self.trained else self.seeds[:1])
        ]

    def seed_of(self, model: str, seed: str | int) -> int:
        """Return what the attacks on a network and its checks draw random numbers with.

        A pretrained model is the same for each seed, and so is what becomes of it: other random numbers would make one
        network look like several trainings.
        """
        return int(seed) if model in self.trained else self.seeds[0]

    @property
    def has_judges(self) -> bool:
        """Whether it has a second network that can judge what fooled the first."""
        return len(self.networks) > 1

    def architecture(self, model: str) -> tuple[str, dict[str, Any]]:
        """Return the name and the entry of a model's architecture."""
        return model_entry.architecture(self.config, self.entries[model])

    @cached_property
    def architectures(self) -> dict[str, dict[str, Any]]:
        """The architectures of its models, by name: first `architectures:` in their order, then the user's own."""
        entries = dict(map(self.architecture, self.models))
        return {name: entries[name] for name in model_entry.architectures(self.config) if name in entries}

    def drawn_models(self, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return its models as figures name and colour them; `only` names them where it is not all.

        `alike` counts the models before it that have its colour and its kind of data, if there are any.
        """
        shown = set(self.models if only is None else only)
        architectures = list(model_entry.architectures(self.config))
        found, before = [], Counter[tuple[int, str]]()
        for name, model in self.entries.items():
            architecture, data = self.architecture(name)[0], model_entry.data(model)
            look = architectures.index(architecture) % COLOURS, data
            drawn = {"name": name, "title": model_entry.title(self.config, model)}
            drawn |= {"architecture": architecture, "data": data}
            if name in shown:
                found.append(drawn | ({"alike": before[look]} if before[look] and not self.is_small else {}))
            before[look] += 1
        return found

    # ---- images -----------------------------------------------------------------------------------------------------

    @property
    def source(self) -> Entry:
        """The entry of `sources:` that it names."""
        source: Entry = self.config["sources"][self.entry["source"]]
        return source

    @property
    def is_downloaded(self) -> bool:
        """Whether its source has files to fetch."""
        return "files" in self.source

    # ---- attacks ----------------------------------------------------------------------------------------------------

    @property
    def chosen_step(self) -> str | None:
        """The file of the attack's step where a pilot chooses it; a small copy has the step of the whole dataset."""
        if self.entry.get("alpha", AUTO) != AUTO:
            return None
        return f"{self.results}/{self.whole or self.name}/step.json"

    @property
    def alpha(self) -> float:
        """The attack's step, as configured or chosen; raises `StepNotChosen` before there is a choice."""
        if self.chosen_step is None:
            return float(self.entry["alpha"])
        if not Path(self.chosen_step).exists():
            raise StepNotChosen(self.whole or self.name)
        return float(read_json(Path(self.chosen_step))["alpha"])

    @property
    def pilot_images(self) -> int:
        """How many test images the pilot is given, of those that are attacked."""
        return min(PILOT_IMAGES, int(self.entry["attacked_images"]))

    def attack_settings(self, attack: Attack) -> dict[str, Any]:
        """Return an attack's settings with its step, or the dataset's; a class that it aims at becomes its number."""
        return self.settings_without_step(attack) | {"alpha": self.alpha if attack.alpha is None else attack.alpha}

    def settings_without_step(self, attack: Attack) -> dict[str, Any]:
        """Return an attack's settings without the step, which may not be known yet."""
        settings = dict(self.config["attacks"][attack.entry])
        if settings["target"] in self.entry["classes"]:
            settings["target"] = self.entry["classes"].index(settings["target"])
        return settings

    @cached_property
    def shards(self) -> list[str]:
        """The ranges of test images that make up an attack: `<start>-<stop>`, so that more images only add ranges."""
        return self._ranges(self.entry["attacked_images"])

    @cached_property
    def swept_shards(self) -> list[str]:
        """The ranges of test images that make up an attack whose step is swept, on fewer images."""
        return self._ranges(self.sweep.images)

    @cached_property
    def budgets(self) -> dict[str, list[float]]:
        """The budgets of each norm within which AutoAttack looks for changes; empty where it does not."""
        return {} if self.is_small or not self.config["autoattack"] else budgets_of(self.entry.get("threat_models"))

    @property
    def bound_images(self) -> int:
        """How many test images AutoAttack is given, of those that our attacks have."""
        images: int = min(self.config["autoattack"]["images"], self.entry["attacked_images"])
        return images

    @property
    def bound_records(self) -> list[str]:
        """The records of AutoAttack on all models, seeds and ranges of test images."""
        shards = self._ranges(self.bound_images)
        names = [f"autoattack/{{model}}/seed{{seed}}/{shard}.parquet" for shard in shards]
        return [path for name in names for path in self.of_every_network(name)]

    def bound_shards_of(self, model: str, seed: int | str) -> list[str]:
        """Return the records of AutoAttack on one model and seed."""
        shards = self._ranges(self.bound_images)
        return [f"{self.path}/autoattack/{model}/seed{seed}/{shard}.parquet" for shard in shards]

    def _ranges(self, total: int) -> list[str]:
        size = self.config["shard_images"]
        return [f"{start}-{min(start + size, total)}" for start in range(0, total, size)]

    # ---- the sweep --------------------------------------------------------------------------------------------------

    @cached_property
    def sweep(self) -> Sweep:
        """What is swept for it; a small copy is part of a sweep, and nothing is swept for it in turn."""
        asked = {} if self.is_small else (self.config["sensitivity"] or {}).get(self.name) or {}
        return sweep_of(asked, self.entry)

    def with_alpha(self, alpha: float) -> Attack:
        """Return the attack with another step; just the attack for the configured one."""
        return Attack(STUDIED_ATTACK, None if alpha == self.sweep.configured.get("alpha") else alpha)

    @property
    def swept_attacks(self) -> list[Attack]:
        """The attack with all steps that are swept."""
        return [self.with_alpha(alpha) for alpha in self.sweep.values.get("alpha", [])]

    @cached_property
    def small(self) -> Dataset | None:
        """Its small copy, whose models are trained with other noise levels; None where these are not swept."""
        if "sigma" not in self.sweep.values:
            return None
        entry = small_entry(self.entry, self.sweep)
        return Dataset(self.config, small_name(self.name), entry, whole=self.name)
