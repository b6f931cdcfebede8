"""Says what is swept for a dataset: values of the attack's step α and of the noise level σ, which the paper omits.

Pure functions of the configuration. At the configured value, the sweep uses the attacks and models of the study itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustness.config import model_entry
from robustness.config.cross_checks import AUTO, SMALL_COPY

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Sweep:
    """The values of each swept parameter, in rising order and with the configured one: `{"alpha": [0.005, 0.01]}`.

    `configured` holds what everything but the sweep uses: the step, unless a pilot chooses it, and the noise level,
    where the noise has one. `images` is the number of test images that are attacked at each value, `train_images` the
    number that models are trained on at each noise level.
    """

    values: Mapping[str, list[float]]
    configured: Mapping[str, float]
    images: int
    train_images: int


def sweep_of(asked: Entry, entry: Entry) -> Sweep:
    """Return the sweep that the entry of a dataset under `sensitivity:` asks for; without values where it is empty."""
    noise = entry.get("augmentation", {}).get("sigma")
    found = {"alpha": entry.get("alpha", AUTO), "sigma": noise}
    configured = {parameter: float(value) for parameter, value in found.items() if value not in (None, AUTO)}
    levels = asked.get("sigma") or {}
    listed = {"alpha": asked.get("alpha") or [], "sigma": levels.get("values", [])}
    values = {
        parameter: sorted({*map(float, values), configured[parameter]})
        for parameter, values in listed.items()
        if values
    }
    images = min(asked.get("attacked_images", entry["attacked_images"]), entry["attacked_images"])
    train_images = min(levels.get("train_images", entry["split"]["train"]), entry["split"]["train"])
    return Sweep(values, configured, images, train_images)


def small_name(dataset: str) -> str:
    """Return the name of a dataset's small copy, whose models are trained at other noise levels."""
    return dataset + SMALL_COPY


def trained_at(name: str, model: Entry, sigma: float) -> str:
    """Return a model's name in the small dataset at a noise level; a model without noise is the same at all levels."""
    return f"{name}-sigma={sigma}" if model_entry.data(model) == "noisy" else name


def small_entry(entry: Entry, sweep: Sweep) -> dict[str, Any]:
    """Return the entry of a dataset's small copy: fewer images, and each noisy model once for each noise level."""
    models: dict[str, Any] = {}
    for name, model in entry["models"].items():
        for sigma in sweep.values["sigma"]:
            noise = {"augmentation": entry["augmentation"] | {"sigma": sigma}}
            models[trained_at(name, model, sigma)] = model | noise
    return {
        **entry,
        "split": entry["split"] | {"train": sweep.train_images, "test": sweep.images},
        "attacked_images": sweep.images,
        "models": models,
    }
