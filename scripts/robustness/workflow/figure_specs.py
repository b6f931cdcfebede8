"""Makes the specs of figures: names, titles, and the footnotes that say how their numbers were made.

Functions of the study and of a job's wildcards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from robustness.config import model_entry
from robustness.text import counted
from robustness.workflow import sentences
from robustness.workflow.dataset import Dataset
from robustness.workflow.inputs import of
from robustness.workflow.params import Wildcards
from robustness.workflow.specs import Spec
from robustness.workflow.study import Study


def figure(study: Study, dataset: Dataset, *footnote: str, only: Iterable[str] | None = None, **more: Any) -> Spec:
    """Return the spec of a figure of a dataset: names, titles, its footnote, and what this figure needs.

    `only` names the models that are shown, where it is not all of them.
    """
    names = ("title", "classes", "image_size", "changed_pixel_threshold")
    return {
        "dataset": {"name": dataset.name} | {name: dataset.entry[name] for name in names},
        "models": dataset.drawn_models(only),
        "architectures": model_entry.architectures(study.config),
        "footnote": [sentences.scale(study.config), *footnote],
        **more,
    }


def how_attacked(dataset: Dataset) -> tuple[str, str, str]:
    """Return the sentences about the paper's attack, changed training data, and the number of attacked images."""
    return sentences.attack(dataset), sentences.changed_data(dataset), sentences.attacked(dataset)


def bars(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of a bar chart of one measure of the paper's attack."""
    dataset, confidence = of(study, wildcards), study.studied_attack["confidence"]
    own = {"attack": "original", "required_confidence": confidence, "measure": wildcards.measure}
    return figure(study, dataset, *how_attacked(dataset), **own)


def pictures(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of one class's example images, and of what the paper's attack made of them."""
    dataset = of(study, wildcards)
    images, seeds = counted(dataset.entry["attacked_images"], "attacked test image"), dataset.seeds
    shown = f"One of {images}; weights of seed {seeds[0]} ({counted(len(seeds), 'seed')})."
    words = (sentences.attack(dataset), sentences.changed_data(dataset), shown)
    return figure(study, dataset, *words, **{"class": wildcards.label})


def training_curves(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of the training curves of the models that are trained here."""
    dataset = of(study, wildcards)
    means = "Training values are means over an epoch's batches, on the changed images where a model trains on such."
    given = [model for model in dataset.models if model not in dataset.trained]
    untrained = f"Not trained here: {', '.join(given)}." if given else ""
    words = (means, sentences.changed_data(dataset), sentences.training(dataset), untrained)
    return figure(study, dataset, *words, only=dataset.trained)


def training_noise(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of examples of the noisy training data."""
    dataset = of(study, wildcards)
    return figure(study, dataset, sentences.training(dataset), augmentation=dataset.entry["augmentation"])


def networks(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of a figure of the networks themselves."""
    return figure(study, of(study, wildcards))


def robustness_curves(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of curves of a measure at the paper's confidence, or of the L2 norm at all confidences."""
    dataset, attack = of(study, wildcards), study.studied_attack
    levels = {attack["confidence"], *(0.0 if each == "argmax" else each for each in attack["other_confidences"])}
    if wildcards.curves == "confidence":
        panels = [{"measure": "l2", "required_confidence": level} for level in sorted(levels)]
    else:
        panels = [{"measure": wildcards.curves, "required_confidence": attack["confidence"]}]
    return figure(study, dataset, *how_attacked(dataset), panels=panels)


def robust_accuracy(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of the robust accuracy over the budgets of each norm."""
    dataset = of(study, wildcards)
    return figure(
        study, dataset, sentences.bounded(dataset), sentences.changed_data(dataset), norms=list(dataset.budgets)
    )


def of_the_original_attack(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of a figure about the images that the paper's attack made."""
    dataset = of(study, wildcards)
    return figure(study, dataset, *how_attacked(dataset))


def targeted(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of the heat map of the targeted attack on one model."""
    dataset, targeted = of(study, wildcards), study.targeted
    told = sentences.attack(dataset, targeted["attack"], "the target class", targeted["max_iterations"])
    confidence = study.config["attacks"][targeted["attack"]]["confidence"]
    own = {"model": wildcards.model, "required_confidence": confidence}
    return figure(study, dataset, told, sentences.changed_data(dataset), **own)


def sensitivity(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of the verdicts over the swept values."""
    dataset = of(study, wildcards)
    return figure(study, dataset, *sentences.swept(dataset))


def run_time(study: Study, wildcards: Wildcards) -> Spec:
    """Return the spec of the times of all jobs, by rule and model."""
    entries = [
        {
            "name": dataset.name,
            "title": dataset.entry["title"] + (", noise levels" if dataset.is_small else ""),
            "models": dataset.drawn_models(),
        }
        for dataset in study.timed
    ]
    footnote = [sentences.scale(study.config), f"{counted(len(study.seeds), 'seed')}."]
    return {"datasets": entries, "architectures": model_entry.architectures(study.config), "footnote": footnote}
