"""Studies that tests ask: the default configuration, or one with something laid over it."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from robustness.workflow.study import Study

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
COMPARATORS = yaml.safe_load((ROOT / "scales" / "comparators.yaml").read_text(encoding="utf-8"))

GIVEN = {
    "factory": "my_networks:small",
    "kwargs": {"classes": 10},
    "normalisation": None,
    "weights": "mine.pt",
}
"""A model that comes with its weights."""


def merged(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` over `base`, key by key, as Snakemake merges configuration files."""
    result = copy.deepcopy(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def made_study(root: Path = ROOT, **overlay: Any) -> Study:
    """The study of the default configuration with `overlay` over it."""
    return Study(merged(DEFAULT, overlay), root)


def of_models(models: dict[str, Any], **overlay: Any) -> Study:
    """The study in which MNIST has these models and no others."""
    study = made_study(**overlay)
    mnist = study.config["datasets"]["mnist"] | {"models": models}
    return Study({**study.config, "datasets": study.config["datasets"] | {"mnist": mnist}}, ROOT)


def job(dataset: str = "mnist", **wildcards: str) -> Any:
    """A job's wildcards: those of the paper's attack on the first images of a model, less what is given."""
    of_all = {"model": "basic-clean", "attack": "original", "seed": "0", "start": "0", "stop": "200"}
    return SimpleNamespace(dataset=dataset, **of_all | wildcards)
