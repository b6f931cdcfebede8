"""Says what the study's page shows of each kind of figure: its section, its caption and its alt text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustness.pages.captions import caption
from robustness.pages.files import Dataset
from robustness.pages.pictures import Picture
from robustness.pages.tables import at_goal
from robustness.text import number


@dataclass(frozen=True)
class Kind:
    """A kind of figure: its section, its caption in report/, its alt text, and the wildcard that its name ends with.

    In the alt text, `{dataset}`, `{what}` (the wildcard's value), `{models}` and `{values}` are filled in.
    """

    section: str
    caption: str
    alt: str
    wildcard: str = ""


KINDS = {
    "architecture": Kind("appendix", "architecture", "Diagram of the networks of {dataset}, layer by layer."),
    "skip_connection": Kind(
        "appendix", "skip_connection", "Diagram of two residual blocks with their skip connections."
    ),
    "training_noise": Kind(
        "training", "training_noise", "Pictures: training images of {dataset}, and what noisy models see of them."
    ),
    "training_curves": Kind(
        "training", "training_curves", "Line charts: loss and accuracy per epoch of {models} on {dataset}."
    ),
    "robust_accuracy": Kind(
        "robustness",
        "robust_accuracy",
        "Line chart: share of the images of {dataset} that no attack fools, against the change allowed, a line for "
        "each of {models}.",
    ),
    "mean_change": Kind(
        "robustness", "bars", "Bar chart: mean change per pixel until the model was wrong. {values}", "measure"
    ),
    "pixels_changed": Kind(
        "robustness", "bars", "Bar chart: pixels changed until the model was wrong. {values}", "measure"
    ),
    "examples_": Kind(
        "examples",
        "examples",
        "Pictures: an image of class {what} of {dataset}, and what the attack made of it on {models}.",
        "label",
    ),
    "differences_": Kind(
        "examples", "differences", "Pictures: what the attack added to an image of class {what} on {models}.", "label"
    ),
    "robustness_curves_": Kind(
        "robustness",
        "robustness_curves",
        "Line chart: share of the images of {dataset} that are fooled, against the change allowed ({what}), "
        "a line for each of {models}.",
        "curves",
    ),
    "believability": Kind(
        "believability",
        "believability",
        "Chart: what other networks answer to the adversarial images of {models}, and to noise of the same size.",
    ),
    "transfer": Kind(
        "transfer", "transfer", "Matrix of {models}: share of the images that fooled one model and fool another."
    ),
    "targeted_": Kind(
        "appendix",
        "targeted",
        "Heat map: change needed on the model {what} to turn an image of each class of {dataset} into each other.",
        "model",
    ),
    "sensitivity": Kind(
        "sensitivity",
        "sensitivity",
        "Chart: each claim’s estimate and verdict over the values of α and σ on {dataset}.",
    ),
}
"""Kinds of figures by their names, or by what their names begin with; in the order in which a section shows them."""

PAIR = ("examples_", "differences_")
"""An image with what was made of it, and what was added: shown next to each other."""


@dataclass(frozen=True)
class Shown:
    """A figure with its one caption, a title and what was drawn, and what its numbers mean (`about`, folded away)."""

    name: str
    picture: Picture
    title: str
    told: str
    about: str
    alt: str


def section_of(name: str, pair: str) -> str:
    """Return the section that shows a figure; images of the class `pair` are shown where robustness is."""
    kind = kind_of(name)
    if kind in PAIR and name.removeprefix(kind) == pair:
        return "robustness"
    return KINDS[kind].section if kind else "others"


def kind_of(name: str) -> str:
    """Return the key in `KINDS` of a figure; empty for an unknown figure."""
    return name if name in KINDS else next((key for key in KINDS if key.endswith("_") and name.startswith(key)), "")


def order(name: str) -> tuple[int, str, int]:
    """Sort figures in the order of their kinds, each class's example next to what was added to it."""
    kind = kind_of(name)
    place = list(KINDS).index(kind) if kind else len(KINDS)
    return (list(KINDS).index(PAIR[0]), name.removeprefix(kind), place) if kind in PAIR else (place, name, 0)


def shown(
    name: str,
    dataset: Dataset,
    entry: Mapping[str, Any],
    captions: Mapping[str, str],
    config: Mapping[str, Any],
    confidence: float,
) -> Shown:
    """Return a figure of a dataset (`entry` of the page's spec) with its words.

    The caption has the drawing's own title and sentences, where it names them, and `captions` explain the numbers.
    """
    picture = dataset.pictures[name]
    kind = KINDS.get(kind_of(name))
    if kind is None or kind.caption not in captions:
        words = name.replace("_", " ")
        return Shown(name, picture, picture.title or words, "", "", f"Figure {words} of {entry['title']}.")
    ending = name.removeprefix(kind_of(name)) if kind_of(name).endswith("_") else name
    wildcards = {kind.wildcard: ending} if kind.wildcard else {}
    explained = caption(captions[kind.caption], config, dataset=entry["name"], **wildcards)
    of_model = {model["name"]: model["title"] for model in entry["models"]}
    if kind.wildcard == "model":
        ending = of_model.get(ending, ending)
    values = [
        f"{of_model[row['model']]}: {number(row[name])}"
        for row in at_goal(dataset.tables["robustness"], confidence).to_dict("records")
        if kind.caption == "bars"
    ]
    alt = kind.alt.format_map(
        {
            "dataset": entry["title"],
            "models": "; ".join(of_model.values()),
            "what": {"linf": "L∞ norm", "l2": "L2 norm", "mean_change": "mean change per pixel"}.get(
                ending, "L2 norm, by required probability" if ending == "confidence" else ending
            ),
            "values": "; ".join(values) + ".",
        }
    )
    own = f". {picture.sentences}" if picture.sentences else ""
    told, about = (own, explained.whole) if picture.title else (explained.text, "")
    return Shown(name, picture, picture.title or explained.title, told, about, alt)
