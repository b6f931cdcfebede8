"""Finds values that are sound by themselves and that would do nothing, or the wrong thing, in silence.

Each problem names the key, the value and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from robustness.config.cross_checks import Sound
from robustness.config.schema_problems import Key, Problem, dotted
from robustness.config.threat_models import value_of
from robustness.text import listed

_SMALLEST_STEP = 2.0**-24
"""The distance between float32 numbers just below 1: a pixel of that value does not move by less than half of it."""
_FOLDERS = (
    "benchmarks",
    "claims",
    "docs",
    "envs",
    "profiles",
    "report",
    "rules",
    "scales",
    "schemas",
    "scripts",
    "slurm",
)
"""The repository's own folders."""


def no_effect_problems(sound: Sound) -> Iterator[Problem]:
    """Yield the values that have no effect, or one that nobody can want."""
    yield from _folder_problems(sound)
    for dataset in sound.names("datasets") or []:
        here = ("datasets", dataset)
        yield from _step_problems((*here, "alpha"), sound.get(*here, "alpha"))
        for index, step in enumerate(sound.get("sensitivity", dataset, "alpha") or []):
            yield from _step_problems(("sensitivity", dataset, "alpha", index), step)
        for index, budget in enumerate(sound.get(*here, "threat_models", "linf") or []):
            yield from _budget_problems((*here, "threat_models", "linf", index), budget)
        if sound.get(*here, "adversarial", "ball") == "linf":
            for name in ("epsilon", "step_size"):
                yield from _budget_problems((*here, "adversarial", name), sound.get(*here, "adversarial", name) or 0)
        for model in sound.names("datasets", dataset, "models") or []:
            yield from _normalisation_problems(sound, (*here, "models", model, "normalisation"))
        yield from _noise_problems(sound, dataset)
        yield from _batch_problems(sound, dataset)


def _folder_problems(sound: Sound) -> Iterator[Problem]:
    results, downloads = (os.path.normpath(sound.get(key) or key) for key in ("results", "downloads"))
    if results == downloads:
        yield Problem(
            ("results",),
            f"results and downloads are both {results}: set results to a folder of its own, such as results",
        )
    elif results == "." or PurePosixPath(results).parts[0] in _FOLDERS:
        yield Problem(
            ("results",),
            f"results is {sound.get('results')}, where the workflow's own files are: set results to a folder of its "
            "own, such as results",
        )


def _step_problems(key: Key, step: Any) -> Iterator[Problem]:
    if isinstance(step, int | float) and step < _SMALLEST_STEP:
        yield Problem(
            key,
            f"{dotted(key)} is {step}, but pixels are float32 numbers from 0 to 1, and no step below "
            f"{_SMALLEST_STEP:.0e} moves a bright one: set a larger step, such as 0.001",
        )


def _budget_problems(key: Key, budget: float | str) -> Iterator[Problem]:
    if value_of(budget) >= 1:
        yield Problem(
            key,
            f"{dotted(key)} is {budget}, but pixels are numbers from 0 to 1, and it reaches any other image: "
            "write 8/255 for 8 levels of 255",
        )


def _normalisation_problems(sound: Sound, key: Key) -> Iterator[Problem]:
    values = sound.get(*key) or {}
    if any(mean > 1 for mean in values.get("mean") or []):
        yield Problem(
            key,
            f"{dotted(key)} has the mean {listed(f'{mean:g}' for mean in values['mean'])}, but pixels are numbers from "
            "0 to 1: divide its mean and std by 255",
        )


def _noise_problems(sound: Sound, dataset: str) -> Iterator[Problem]:
    key = ("datasets", dataset, "augmentation", "sigma")
    models = sound.get("datasets", dataset, "models") or {}
    noisy = [name for name, model in models.items() if model.get("data") == "noisy"]
    if sound.get(*key) == 0 and noisy:
        yield Problem(
            key,
            f"{dotted(key)} is 0, so that {noisy[0]}, whose data is noisy, would be trained without noise: set a level "
            "above 0, or set the model's data to clean",
        )


def _batch_problems(sound: Sound, dataset: str) -> Iterator[Problem]:
    images = sound.get("datasets", dataset, "split", "train")
    models = sound.get("datasets", dataset, "models")
    if images is None or not isinstance(models, Mapping):
        return
    for name, model in models.items():
        own = ("datasets", dataset, "models", name, "training", "batch_size")
        key = own if "batch_size" in (model.get("training") or {}) else ("training", "batch_size")
        batch = sound.get(*key)
        if "weights" not in model and batch is not None and batch > images:
            yield Problem(
                key,
                f"{dotted(key)} is {batch}, but datasets.{dataset}.split.train has {images} images to train {name} on: "
                f"set it to at most {images}, or raise the number of training images",
            )
