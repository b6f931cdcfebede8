"""Reads the entry of a model in the configuration: its architecture, its title, what it is trained on.

A model names one of `architectures:` or brings its own; these functions let everything else treat the two alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]
Entry = Mapping[str, Any]


def is_own(model: Entry) -> bool:
    """Return whether a model is the user's own, from a function of theirs or of a library."""
    return "factory" in model


def is_given(model: Entry) -> bool:
    """Return whether a model is pretrained, so that it is not trained here."""
    return "weights" in model


def data(model: Entry) -> str:
    """Return what a model is trained on here: `clean`, `noisy` or `adversarial`; pretrained models count as clean."""
    return "clean" if is_given(model) else model["data"]


def architecture(config: Config, model: Entry) -> tuple[str, dict[str, Any]]:
    """Return the name and the entry of a model's architecture.

    Own models of the same title and factory share one. Its name holds a colon, which no name in `architectures:` does.
    """
    if not is_own(model):
        return model["architecture"], dict(config["architectures"][model["architecture"]])
    title = model.get("title", model["factory"].partition(":")[2])
    entry = {
        "title": title,
        "family": "factory",
        "factory": model["factory"],
        "kwargs": model.get("kwargs", {}),
        "normalisation": model["normalisation"],
    } | ({"resize": model["resize"]} if "resize" in model else {})
    return f"{title} ({model['factory']})", entry


def title(config: Config, model: Entry) -> str:
    """Return a model's name in figures."""
    trained_on = "" if data(model) == "clean" else f", {data(model)}"
    return f"{model.get('title', architecture(config, model)[1]['title'])}{trained_on}"


def architectures(config: Config) -> list[str]:
    """Return the names of all architectures, `architectures:` first, then own models'; colours follow this order."""
    entries = [model for dataset in config["datasets"].values() for model in dataset["models"].values()]
    return list(dict.fromkeys([*config["architectures"], *(architecture(config, entry)[0] for entry in entries)]))


def networks(config: Config) -> list[str]:
    """Return what builds each own model, as sorted JSON: no file of weights may name anything else."""
    entries = [model for dataset in config["datasets"].values() for model in dataset["models"].values()]
    return sorted({network(architecture(config, model)[1]) for model in entries if is_own(model)})


def network(architecture: Entry) -> str:
    """Return what builds an own architecture's network, as sorted JSON: factory, arguments, size, normalisation."""
    keys = ("factory", "kwargs", "resize", "normalisation")
    return json.dumps({key: architecture[key] for key in keys if key in architecture}, sort_keys=True)
