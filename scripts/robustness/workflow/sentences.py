"""Writes the sentences on figures and pages that say how their numbers were made, from the configuration."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from robustness.config.threat_models import NORMS, attacks_of, in_words, value_of
from robustness.text import counted
from robustness.workflow.dataset import STUDIED_ATTACK, Dataset
from robustness.workflow.sweep import Entry


def scale(config: Entry) -> str:
    """Return the sentence that names the scale, and says whether its numbers mean little."""
    little = " A demonstration: its numbers mean little." if config["scale"]["demonstration"] else ""
    return f"Scale {config['scale']['name']}: {config['scale']['title']}.{little}"


def changed_data(dataset: Dataset) -> str:
    """Return the sentences that say what noisy and adversarial models were trained on; none without such models."""
    return " ".join(filter(None, (_noise(dataset), _adversarial(dataset))))


def _adversarial(dataset: Dataset) -> str:
    if "adversarial" not in dataset.kinds_of_data:
        return ""
    entry = dataset.entry["adversarial"]
    size, steps = in_words(value_of(entry["step_size"])), counted(entry["pgd_steps"], "step")
    return (
        "Adversarial models: in each epoch, every training image is changed by PGD (Madry et al., 2018) within "
        f"{NORMS[entry['ball']]} ≤ {in_words(value_of(entry['epsilon']))}, in {steps} of {size}."
    )


def _noise(dataset: Dataset) -> str:
    if "noisy" not in dataset.kinds_of_data:
        return ""
    entry = dataset.entry["augmentation"]
    if entry["kind"] == "gaussian_noise":
        return f"Noisy models: Gaussian noise, σ = {entry['sigma']}, added to the training images in each epoch."
    flip = ", half of them mirrored" if entry["flip"] else ""
    return (
        f"Noisy models: training images rotated by up to {entry['rotation']}°, shifted by {100 * entry['shift']:g}%, "
        f"sheared by {entry['shear']}°, zoomed by {100 * entry['zoom']:g}%{flip}, anew in each epoch."
    )


def step(dataset: Dataset) -> str:
    """Return the attack's step as text, with how it was chosen where a pilot did."""
    by_pilot = f" (chosen by a pilot on {counted(dataset.pilot_images, 'image')})" if dataset.chosen_step else ""
    return f"{dataset.alpha}{by_pilot}"


def attack(dataset: Dataset, name: str = STUDIED_ATTACK, goal: str | None = None, iterations: int | None = None) -> str:
    """Return the sentence that says how images were attacked; the attack's own goal and iterations by default."""
    entry = dataset.config["attacks"][name]
    iterations = iterations or entry["max_iterations"]
    goal = goal or ("any wrong class" if entry["target"] is None else f"target {entry['target']}")
    reward = {"probability": "probability", "cross_entropy": "cross-entropy"}[entry["reward"]]
    return (
        f"Attack {name}: {reward} reward, {entry['direction']} steps, α = {step(dataset)}, until {goal} has "
        f"probability {entry['confidence']}, at most {iterations} iterations."
    )


def training(dataset: Dataset) -> str:
    """Return the sentence that says on how many images, and with how many seeds, models were trained."""
    return f"{counted(dataset.entry['split']['train'], 'training image')}, {counted(len(dataset.seeds), 'seed')}."


def attacked(dataset: Dataset) -> str:
    """Return the sentences that say how many images were attacked, with how many seeds."""
    return f"{counted(dataset.entry['attacked_images'], 'test image')}, {_seeds(dataset)}"


def _seeds(dataset: Dataset) -> str:
    """Return the end of a sentence about seeds, and a sentence about networks that are the same for each seed."""
    same = len(dataset.seeds) > 1 and set(dataset.models) - set(dataset.trained)
    over_images = " Networks that came with their weights are the same for each seed: their intervals are over images."
    return f"{counted(len(dataset.seeds), 'seed')}.{over_images if same else ''}"


def bounded(dataset: Dataset) -> str:
    """Return the sentences that say how AutoAttack was used, and on how many images."""
    entry = dataset.config["autoattack"]
    attacks, targets = attacks_of(entry)
    version = "standard version" if entry["version"] == "standard" else "not the standard version"
    aims = f"; {counted(targets, 'target class', 'target classes')} at most" if {"apgd-t", "fab-t"} & {*attacks} else ""
    images = counted(dataset.bound_images, "test image")
    return f"AutoAttack, {version}: {', '.join(attacks)}{aims}; the first {images}, {_seeds(dataset)}"


def swept(dataset: Dataset) -> list[str]:
    """Return the sentences that say how each swept value was judged."""
    sweep = dataset.sweep
    images, seed = counted(sweep.images, "attacked test image"), dataset.seeds[0]
    words = [f"Attack {STUDIED_ATTACK} on the first {images}; one seed ({seed})."]
    if "alpha" in sweep.values:
        words.append("Other α: the same models as in the other figures.")
    if "sigma" in sweep.values:
        train = counted(sweep.train_images, "image")
        words.append(f"Other σ: models trained anew on {train}, α = {step(dataset)}.")
    return words


def command(files: Iterable[str | Path], given: Mapping[str, Any], base: Path) -> str:
    """Return the command that makes these results, without what changes no result: places of files, and resources.

    `files` are the configuration files that were named, with `base`, which needs no naming, or without it. `given` are
    the values of `--config`.
    """
    words = ["snakemake", "--cores", "8"]
    if overlays := [path for path in map(os.path.relpath, files) if path != os.path.relpath(base)]:
        words += ["--configfile", *overlays]
    values = sorted((key, value) for key, value in given.items() if key not in ("downloads", "mirror"))
    if values:
        written = (f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values)
        words += ["--config", *written]
    return shlex.join(words)
