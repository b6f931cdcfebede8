"""Checks keys of a configuration against each other, which no schema can do: a dataset's source must exist.

Looks only at keys in which the schema found nothing wrong, so that one mistake is reported once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from robustness.config import claim_entry, model_entry
from robustness.config.schema_problems import Key, Problem, dotted
from robustness.text import listed

TARGET_RULES = ("next", "random", "least_likely")
AUTO = "auto"
"""The step of a dataset's attacks where a pilot chooses it, as where the dataset has no `alpha`."""
TAKEN = ("benchmarks", "downloads", "logs", "run_time", "slurm_logs")
"""Folders in the folder for results that are not datasets."""
SMALL_COPY = "-noise-levels"
"""What the name of a dataset's small copy, whose models are trained at other noise levels, adds to its name."""
RESNET_PIXELS = range(25, 33)
"""Heights and widths that three halvings bring to 4, as robustness.models.architectures needs."""


class Sound:
    """A configuration seen only where the schema found nothing wrong."""

    def __init__(self, config: Mapping[str, Any], broken: list[Key]) -> None:
        self._config = config
        self._broken = broken

    def get(self, *key: str | int) -> Any:
        """Return the value at `key`; None where it is absent, or has a problem at, above or below it."""
        if any(each[: len(key)] == key for each in self._broken):
            return None
        return self._at(key)

    def length(self, *key: str) -> int:
        """Return the length of the list at `key`, whatever is wrong in it; 0 where there is none."""
        value = self._at(key)
        return len(value) if isinstance(value, list) else 0

    def names(self, *key: str) -> list[str] | None:
        """Return the names in the mapping at `key`, whatever is wrong below them; None where the mapping is broken."""
        value = self._at(key)
        return list(value) if isinstance(value, Mapping) else None

    def _at(self, key: Key) -> Any:
        if any(key[: len(each)] == each for each in self._broken):
            return None
        value: Any = self._config
        for part in key:
            in_list = isinstance(value, list) and isinstance(part, int)
            if not in_list and not (isinstance(value, Mapping) and part in value):
                return None
            value = value[part]
        return value


def renamed(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem where a configuration of an earlier version names the paper's attack `report`."""
    attacks = config.get("attacks")
    if isinstance(attacks, Mapping) and "report" in attacks:
        yield Problem(("attacks", "report"), "attacks.report: the paper's attack is now named original: rename the key")


def reference_problems(sound: Sound) -> Iterator[Problem]:
    """Yield the problems between keys."""
    datasets = sound.names("datasets")
    study = sound.get("study")
    if study is not None and datasets is not None:
        for index, dataset in enumerate(study):
            yield from _reference(("study", index), dataset, "dataset", datasets, "datasets")
    for dataset in datasets or []:
        yield from _dataset_problems(sound, dataset)
    yield from _targeted_problems(sound)
    for attack in sound.names("attacks") or []:
        yield from _attack_problems(sound, attack, [each for each in datasets or [] if each in (study or [])])
    for dataset in sound.names("sensitivity") or []:
        yield from _reference(("sensitivity", dataset), dataset, "dataset", datasets, "datasets")
        yield from _sweep_problems(sound, dataset)
    for index in range(sound.length("claims")):
        yield from _claim_problems(sound, ("claims", index))


def _reference(key: Key, name: str | None, what: str, names: list[str] | None, table: str) -> Iterator[Problem]:
    """Yield a problem when `name` is not one of the `names` of `table`."""
    if name is None or names is None or name in names:
        return
    guess = difflib.get_close_matches(name, names, n=1)
    advice = f"did you mean '{guess[0]}'?" if guess else f"{table} has {listed(names) if names else 'none'}"
    yield Problem(key, f"{dotted(key)} names the {what} '{name}', which is not in {table}; {advice}")


def _dataset_problems(sound: Sound, dataset: str) -> Iterator[Problem]:
    here = ("datasets", dataset)
    whole = dataset.removesuffix(SMALL_COPY)
    if dataset in TAKEN or (whole != dataset and whole in (sound.names("datasets") or [])):
        yield Problem(
            here, f"{dotted(here)} cannot have that name, which the folder for results already uses: rename the dataset"
        )
    yield from _file_name_problems(sound, here)
    yield from _reference((*here, "source"), sound.get(*here, "source"), "source", sound.names("sources"), "sources")
    size = sound.get(*here, "image_size")
    for model in sound.names(*here, "models") or []:
        key = (*here, "models", model, "architecture")
        architecture = sound.get(*key)
        yield from _reference(key, architecture, "architecture", sound.names("architectures"), "architectures")
        is_resnet = sound.get("architectures", architecture or "", "family") == "resnet"
        if is_resnet and size is not None and not all(length in RESNET_PIXELS for length in size[1:]):
            yield Problem(
                key,
                f"{dotted(key)} is '{architecture}', a resnet, which takes images of 25 to 32 pixels, but "
                f"datasets.{dataset}.image_size is {size}: resize the images, or use a perceptron or a network of your "
                "own (factory)",
            )
        yield from _model_problems(sound, (*here, "models", model), size)
    yield from _title_problems(sound, here)

    classes = sound.get(*here, "classes")
    for index, example in enumerate(sound.get(*here, "example_classes") or []):
        yield from _reference((*here, "example_classes", index), example, "class", classes, f"{dotted(here)}.classes")
    for name in set(classes or []) & set(TARGET_RULES):
        yield Problem(
            here,
            f"datasets.{dataset}.classes has '{name}', which is the name of a rule for attack targets: "
            "rename the class",
        )

    attacked, test = sound.get(*here, "attacked_images"), sound.get(*here, "split", "test")
    if attacked is not None and test is not None and attacked > test:
        yield Problem(
            (*here, "attacked_images"),
            f"datasets.{dataset}.attacked_images is {attacked}, but the test split has {test}: "
            f"attack fewer images, or raise datasets.{dataset}.split.test",
        )


def _file_name_problems(sound: Sound, here: tuple[str, ...]) -> Iterator[Problem]:
    """Yield a problem for each model whose attacks would share the names of logs and saved states with another's."""
    pairs: dict[str, tuple[str, str]] = {}
    for attack in sound.names("attacks") or []:
        for model in sound.names(*here, "models") or []:
            name, key = f"{attack}-{model}", (*here, "models", model)
            other, others = pairs.setdefault(name, (attack, dotted(key)))
            if other != attack:
                yield Problem(
                    key,
                    f"the attack {other} on {others} and the attack {attack} on {dotted(key)} would write the "
                    f"same files, named {name}: rename an attack or a model",
                )


def _model_problems(sound: Sound, here: tuple[str, ...], size: list[int] | None) -> Iterator[Problem]:
    """Yield the settings of one model that contradict each other."""
    data = sound.get(*here, "data")
    needed = {"noisy": "augmentation", "adversarial": "adversarial"}.get(data, "")
    if needed and needed not in (sound.names(*here[:2]) or [needed]):
        yield Problem(
            (*here[:2], needed),
            f"{dotted(here)}.data is {data}, but {dotted(here[:2])} lacks the key '{needed}', which says what "
            f"{data} images are: add it, or set data to clean",
        )
    normalisation = sound.get(*here, "normalisation")
    if normalisation is None:
        return
    key = (*here, "normalisation")
    mean, std = len(normalisation["mean"]), len(normalisation["std"])
    if mean != std:
        yield Problem(
            key, f"{dotted(key)} has {mean} values in mean and {std} in std: give one of each for every channel"
        )
    elif size is not None and size[0] not in (1, mean):
        yield Problem(
            key,
            f"{dotted(key)} has {mean} values in mean and std, but {dotted(here[:2])}.image_size has {size[0]} "
            "channels: give one value for each channel",
        )


def _title_problems(sound: Sound, here: tuple[str, ...]) -> Iterator[Problem]:
    """Yield a problem for each model that figures could not tell from another."""
    entries = sound.get(*here, "models")
    architectures = sound.get("architectures")
    if entries is None or architectures is None:
        return
    titles: dict[str, str] = {}
    networks: dict[str, tuple[str, str]] = {}
    for name, model in entries.items():
        if not model_entry.is_own(model) and model["architecture"] not in architectures:
            continue
        key = (*here, "models", name)
        title = model_entry.title({"architectures": architectures}, model)
        own, entry = model_entry.architecture({"architectures": architectures}, model)
        network = model_entry.network(entry) if model_entry.is_own(model) else ""
        first, other = networks.setdefault(own, (name, network))
        if title in titles:
            yield Problem(
                key,
                f"{dotted(key)} and {titles[title]} are both titled '{title}' in figures: give one of them "
                "another title, with the key 'title'",
            )
        elif network != other:
            yield Problem(
                key,
                f"{dotted(key)} and {first} have the same factory, but different kwargs, resize or normalisation: give "
                "each its own 'title'",
            )
        titles.setdefault(title, name)


def _sweep_problems(sound: Sound, dataset: str) -> Iterator[Problem]:
    steps = ("sensitivity", dataset, "alpha")
    is_given = "alpha" in (sound.names("datasets", dataset) or ["alpha"])
    if sound.get(*steps) and (not is_given or sound.get("datasets", dataset, "alpha") == AUTO):
        yield Problem(
            steps,
            f"{dotted(steps)} lists steps to compare with the dataset's own, but a pilot chooses datasets.{dataset}"
            f".alpha during the run: give datasets.{dataset}.alpha a number, or set {dotted(steps)} to []",
        )
    key = ("sensitivity", dataset, "sigma")
    if sound.get(*key) is None:
        return
    kind = sound.get("datasets", dataset, "augmentation", "kind")
    if "augmentation" not in (sound.names("datasets", dataset) or ["augmentation"]):
        yield Problem(
            key,
            f"{dotted(key)} lists levels of Gaussian noise, but datasets.{dataset} has no augmentation: set "
            f"{dotted(key)} to null",
        )
    elif kind not in (None, "gaussian_noise"):
        yield Problem(
            key,
            f"{dotted(key)} lists levels of Gaussian noise, but the kind of datasets.{dataset}.augmentation is "
            f"'{kind}': set {dotted(key)} to null",
        )


def _claim_problems(sound: Sound, here: Key) -> Iterator[Problem]:
    """Yield where a claim that is sound by itself names what is not there, or compares nothing."""
    claim = sound.get(*here)
    if claim is None:
        return
    entries = list(claim_entry.stated(claim))
    if not entries:
        yield Problem(here, f"{dotted(here)} makes no comparison: add one of {', '.join(claim_entry.KINDS)}")
    for key, entry in entries:
        groups = list(claim_entry.groups(entry))
        for side, group in groups:
            dataset = group["dataset"]
            place = (*here, *key, *side)
            yield from _reference((*place, "dataset"), dataset, "dataset", sound.names("datasets"), "datasets")
            known = sound.names("datasets", dataset, "models")
            for name, model in claim_entry.models(group):
                yield from _reference((*place, *name), model, "model", known, f"datasets.{dataset}.models")
        same = {group["dataset"] for _, group in groups} if len(groups) == 2 else set()
        if not claim_entry.of_single_models(entry):
            yield Problem((*here, *key), f"{dotted((*here, *key))} compares a model with itself: name two models")
        elif len(same) == 1:
            yield Problem((*here, *key), f"{dotted((*here, *key))} compares a dataset with itself: name two datasets")


def _targeted_problems(sound: Sound) -> Iterator[Problem]:
    key = ("targeted", "attack")
    attack = sound.get(*key)
    yield from _reference(key, attack, "attack", sound.names("attacks"), "attacks")
    if attack is not None and sound.get("attacks", attack, "library") is not None:
        yield Problem(
            key,
            f"{dotted(key)} is '{attack}', which comes from a library and has no target: name one of the "
            "workflow's own attacks, such as original",
        )


def _attack_problems(sound: Sound, attack: str, studied: list[str]) -> Iterator[Problem]:
    here = ("attacks", attack)
    if attack == "original" and sound.get(*here, "library") is not None:
        yield Problem(
            here, "attacks.original comes from a library, but the figures show the paper's own attack: rename the entry"
        )
    classes = {dataset: sound.get("datasets", dataset, "classes") for dataset in studied}
    if not classes or any(names is None for names in classes.values()):
        return
    others = sound.get(*here, "other_confidences") or []
    levels = [("confidence", sound.get(*here, "confidence")), *(("other_confidences", each) for each in others)]
    for dataset, names in classes.items():
        for key, level in levels:
            if isinstance(level, float) and level <= 1 / len(names):
                yield Problem(
                    (*here, key),
                    f"attacks.{attack}.{key} {'is' if key == 'confidence' else 'has'} {level}, but with the "
                    f"{len(names)} classes of datasets.{dataset} every prediction has at least {1 / len(names):.3g}: "
                    "set it above that" + (", or to argmax" if key == "other_confidences" else ""),
                )
    target = sound.get(*here, "target")
    if target is None or target in TARGET_RULES:
        return
    if lacking := [dataset for dataset, names in classes.items() if target not in names]:
        theirs = "one of its classes" if len(studied) == 1 else f"a class that {listed(studied)} have"
        yield Problem(
            (*here, "target"),
            f'attacks.{attack}.target is "{target}", which is not a class of {listed(lacking, "or")}: '
            f"use null, {', '.join(TARGET_RULES)}, or {theirs}",
        )
