"""Says what was found, in a few sentences: the section "In short" of the study's page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustness.config import model_entry
from robustness.pages import claims_page, orders
from robustness.pages.files import Dataset, Material
from robustness.pages.orders import reached
from robustness.pages.tables import at_goal, interval
from robustness.pages.templates import unbroken
from robustness.text import number, percent
from robustness.trust import questions

if TYPE_CHECKING:
    from markupsafe import Markup

DAGGER = "\u00a0†"


def titles(entry: Mapping[str, Any], dataset: Dataset) -> dict[str, str]:
    """Return the titles of a dataset's models by name, with a dagger where one failed a trust check."""
    failed = questions.failures(dataset.trust)
    return {model["name"]: model["title"] + (DAGGER if model["name"] in failed else "") for model in entry["models"]}


def summary(material: Material, spec: Mapping[str, Any]) -> list[Markup]:
    """Say what was found, in a few sentences that hold for this study."""
    from markupsafe import Markup

    found: list[Markup] = []
    confidence = goal(spec)
    for entry, dataset in zip(spec["datasets"], material.datasets, strict=True):
        accuracy = Markup(" ") + accuracy_range(entry, dataset) if "accuracy" in dataset.tables else Markup("")
        sentences, otherwise = most_and_least_robust(entry, dataset, confidence)
        found.append(sentences + accuracy + _list(otherwise))
    found += [_fooled(material, spec), *_out_of_reach(material, spec), _trusted(material, spec)]
    if len(material.claims) and not spec["scale"]["demonstration"]:
        told = claims_page.tallies(material.claims)
        found.append(
            Markup("Of {}{} claims, about these weights {}; about the recipes {}.").format(
                "the paper’s " if spec["papers_claims"] else "",
                len(material.claims),
                told["weights_verdict"],
                told["verdict"],
            )
        )
    found.append(_trained(spec))
    return [sentence for sentence in found if sentence]


def _trained(spec: Mapping[str, Any]) -> Markup:
    """Say how often networks were trained, and which came with weights, which no seed changes."""
    from markupsafe import Markup

    several = len(spec["datasets"]) > 1
    given = [
        Markup("<b>{}</b>").format(model["title"]) + (f" ({entry['title']})" if several else "")
        for entry in spec["datasets"]
        for model in entry["models"]
        if model_entry.is_given(spec["config"]["datasets"][entry["name"]]["models"][model["name"]])
    ]
    seeds, unknown = len(spec["seeds"]), "nothing here says how much another training"
    often = "once" if seeds == 1 else f"with {seeds} seeds"
    if not given:
        end = f": {unknown} of it would differ." if seeds == 1 else "."
        return Markup("Each network was trained {}{}").format(often, end)
    came = Markup(" and ").join(given) + f" came with {'its' if len(given) == 1 else 'their'} weights"
    if len(given) == sum(len(entry["models"]) for entry in spec["datasets"]):
        return came + f": {unknown} would differ."
    if seeds == 1:
        return came + f", and each other network was trained once: {unknown} would differ."
    return came + f": {unknown} would differ. Each other network was trained {often}."


def _list(sentences: Sequence[str]) -> Markup:
    from markupsafe import Markup

    if not sentences:
        return Markup("")
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(each) for each in sentences))


def most_and_least_robust(
    entry: Mapping[str, Any], dataset: Dataset, confidence: float
) -> tuple[Markup, Sequence[str]]:
    """Say which model needed the largest median change and which the smallest, with intervals; ties are named together.

    Models that failed a trust check are named, and left out: their numbers may belong to the attack. Also returned is a
    sentence for each other criterion that orders the models otherwise; the first sentence says that there are some.
    """
    from markupsafe import Markup

    rows = at_goal(dataset.tables["robustness"], confidence).to_dict("records")
    rows = [row for row in rows if row["attacked"] and not math.isnan(row["median_mean_change"])]
    on = Markup("On <b>{}</b>").format(entry["title"])
    if not rows:
        said = "{}, no image could be attacked: the models get all of them wrong without an attack."
        return Markup(said).format(on), []
    names = titles(entry, dataset)
    failed = questions.failures(dataset.trust)
    doubtful = Markup(" and ").join(Markup("<b>{}</b>").format(names[r["model"]]) for r in rows if r["model"] in failed)
    rows = [row for row in rows if row["model"] not in failed]
    if not rows:
        return Markup("{}, no model passed every trust check, so none is called the most robust.").format(on), []
    left_out = Markup(" Not ranked, because of a failed trust check: {}.").format(doubtful) if doubtful else Markup("")
    ordered = sorted(rows, key=lambda row: -row["median_mean_change"])
    most, least = ordered[0]["median_mean_change"], ordered[-1]["median_mean_change"]
    first = [row for row in ordered if row["median_mean_change"] == most]
    last = [row for row in ordered if row["median_mean_change"] == least]

    def named(group: Sequence[Mapping[Any, Any]]) -> Markup:
        return Markup(" and ").join(Markup("<b>{}</b>").format(names[row["model"]]) for row in group)

    def needed(row: Mapping[Any, Any]) -> Markup:
        if math.isinf(row["median_mean_change"]):
            return Markup("a median change larger than any that was made (too many of its images were not fooled)")
        bounds = interval(row["median_mean_change_low"], row["median_mean_change_high"])
        return Markup("a median change of {} per pixel (95 % interval {})").format(
            number(row["median_mean_change"]), bounds or "unknown"
        )

    if len(rows) == 1 or most == least:
        text = Markup("{}, {} needed {} until {}.").format(on, named(first), needed(first[0]), reached(confidence))
        return text + left_out, []
    order = orders.by_change(dataset.tables["robustness"], confidence, [row["model"] for row in ordered])
    otherwise = orders.disagreements(order, orders.others(dataset.tables, list(order.values)), names)
    text = Markup("{}, by {}, the most robust {} {}, which needed {}, and the least robust {} {}, with {}{}.").format(
        on,
        order.criterion,
        "is" if len(first) == 1 else "are",
        named(first),
        needed(first[0]),
        "is" if len(last) == 1 else "are",
        named(last),
        needed(last[0]).removeprefix("a median change of "),
        Markup("; <b>by other criteria the order is another</b>") if otherwise else "",
    )
    following = ordered[len(first)]
    low, high = first[0]["median_mean_change_low"], following["median_mean_change_high"]
    if len(first) == 1 and not low > high:
        why = "An interval is unknown" if math.isnan(low) or math.isnan(high) else "The intervals overlap"
        text += Markup(" {}, so it stays open which of {} and {} is ahead.").format(
            why, names[first[0]["model"]], names[following["model"]]
        )
    return text + left_out, otherwise


def accuracy_range(entry: Mapping[str, Any], dataset: Dataset) -> Markup:
    """Say the lowest and the highest test accuracy, with the models that have them."""
    from markupsafe import Markup

    rows = sorted(dataset.tables["accuracy"].to_dict("records"), key=lambda row: row["accuracy"])
    names = {model["name"]: model["title"] for model in entry["models"]}
    (lowest, low), (highest, high) = ((row["model"], unbroken(percent(row["accuracy"]))) for row in (rows[0], rows[-1]))
    if len(rows) == 1:
        return Markup("Test accuracy is {}.").format(low)
    return Markup("Test accuracy is between {} ({}) and {} ({}).").format(low, names[lowest], high, names[highest])


def goal(spec: Mapping[str, Any]) -> float:
    """Return the probability that a wrong class must reach in the paper's attack."""
    return float(spec["config"]["attacks"]["original"]["confidence"])


def not_fooled(material: Material, spec: Mapping[str, Any]) -> int:
    """Count the attacks that did not fool their image."""
    return sum(
        int(at_goal(dataset.tables["robustness"], goal(spec))["censored"].sum()) for dataset in material.datasets
    )


def _fooled(material: Material, spec: Mapping[str, Any]) -> Markup:
    from markupsafe import Markup

    attacked = sum(
        int(at_goal(dataset.tables["robustness"], goal(spec))["attacked"].sum()) for dataset in material.datasets
    )
    censored = not_fooled(material, spec)
    if not attacked:
        return Markup("")
    if not censored:
        return Markup("All {} attacks fooled the model on their image.").format(f"{attacked:,}")
    return Markup(
        "{} of {} attacks did not fool the model on their image. What these images would need is unknown: in medians "
        "they count as larger than all others, in means with the change that they had reached."
    ).format(f"{censored:,}", f"{attacked:,}")


def _out_of_reach(material: Material, spec: Mapping[str, Any]) -> list[Markup]:
    """Say of each model that cannot reach the required confidence how far it came: it is not robust for that."""
    from markupsafe import Markup

    return [
        Markup("<b>{}</b> ({}): {}").format(model["title"], entry["title"], row.why)
        for entry, dataset in zip(spec["datasets"], material.datasets, strict=True)
        for model in entry["models"]
        for row in dataset.trust
        if row.model == model["name"] and row.check == questions.CONFIDENCE_IN_REACH and not row.passed and row.images
    ]


def _trusted(material: Material, spec: Mapping[str, Any]) -> Markup:
    from markupsafe import Markup

    rows = [row for dataset in material.datasets for row in dataset.trust]
    failed = sum(not row.passed for row in rows)
    if not rows:
        return Markup("")
    if not failed:
        return Markup("All {} trust checks passed.").format(len(rows))
    names = [
        f"{model['title']} ({entry['title']})"
        for entry, dataset in zip(spec["datasets"], material.datasets, strict=True)
        for model in entry["models"]
        if model["name"] in questions.failures(dataset.trust)
    ]
    return Markup(
        "{} of {} trust checks failed: the numbers of {} may belong to the attack, not to the model. These models are "
        "marked with a dagger (†)."
    ).format(failed, len(rows), "; ".join(names))
