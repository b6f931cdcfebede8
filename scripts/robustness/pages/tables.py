"""Makes the tables of the study's page: which columns of a CSV are shown, their headings, and how numbers are written.

Pure functions on pandas tables. A number is written with three digits and its 95 % interval, and sorted by its full
value. Every table names its CSV file, which may have more columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robustness.analysis.saturation import saturation
from robustness.config.threat_models import NORMS, in_words
from robustness.outcome import Outcome
from robustness.pages.templates import unbroken
from robustness.storage.levels import ARGMAX, at_level, is_level
from robustness.text import DASH, number, percent

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Column:
    """A column's heading, and whether it holds numbers, or sentences that need room."""

    title: str
    kind: str = "number"  # number, text or long


@dataclass(frozen=True)
class Cell:
    """What a cell shows, what it is sorted by, the interval beneath, and how it looks (good, bad, or neither)."""

    text: str
    sort: str
    interval: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table, the caption of report/ that explains its CSV, and the CSV's name below the results."""

    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    caption: str
    file: str
    note: str = ""


def whole(value: float) -> str:
    """Write a count with its thousands apart; a dash for nothing."""
    return DASH if math.isnan(value) else f"{value:,.0f}"


def plain(value: float) -> str:
    """Write a setting as it was configured: 0.9, 1000."""
    return DASH if math.isnan(value) else f"{value:g}"


def interval(low: float, high: float, write: Any = number) -> str:
    """Write the bounds of an interval; nothing where there is none."""
    return "" if math.isnan(low) and math.isnan(high) else f"{write(low)} to {write(high)}"


def cell(value: Any, low: Any = math.nan, high: Any = math.nan, write: Any = number, tone: str = "") -> Cell:
    """Return the cell of a number."""
    value, low, high = (math.nan if each is None else float(each) for each in (value, low, high))
    sort = "" if math.isnan(value) else repr(value)
    return Cell(unbroken(write(value)), sort, unbroken(interval(low, high, write)), tone)


def words(value: Any, tone: str = "") -> Cell:
    """Return the cell of a text; a dash where there is none."""
    text = DASH if value is None or value != value or value == "" else str(value)
    return Cell(text, "" if text == DASH else text, tone=tone)


def level(required_confidence: float) -> str:
    """Write a required confidence, where 0 means any wrong prediction."""
    return "any wrong class" if is_level(required_confidence, ARGMAX) else f"{required_confidence:g}"


def models(
    table: pandas.DataFrame, entries: Sequence[Mapping[str, Any]], cards: Mapping[str, Mapping[str, Any]], file: str
) -> Table:
    """Tabulate every model's size, what it was trained on and how; `cards` are the models' own (model.json)."""
    columns = ["Parameters", "Layers", "Skip connections", "GFLOP per image", "Epochs", "Peak learning rate", "Batch"]
    of_model = {row["model"]: row for row in table.to_dict("records")}
    rows = []
    for entry in entries:
        row = of_model[entry["name"]]
        training = cards.get(entry["name"], {}).get("provenance", {}).get("spec", {}).get("training") or {}
        rows.append(
            [
                words(entry["title"]),
                words(f"{entry['data']} images" if training else "not here"),
                *(cell(row.get(name), write=whole) for name in ("parameters", "layers", "skip_connections")),
                cell(row.get("gflops")),
                cell(training.get("epochs"), write=whole),
                cell(training.get("learning_rate"), write=plain),
                cell(training.get("batch_size"), write=whole),
            ]
        )
    head = [Column("Model", "text"), Column("Trained on", "text"), *map(Column, columns)]
    return Table("The models", head, rows, "models", file)


def accuracy(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate test accuracy, and the paper's where it gives one."""
    published = bool(table["accuracy_published"].notna().any())
    head = [Column("Model", "text"), Column("Accuracy")]
    head += [Column("In the paper")] if published else []
    rows = [
        [
            words(titles[row["model"]]),
            cell(row["accuracy"], row["accuracy_low"], row["accuracy_high"], percent),
            *([cell(row["accuracy_published"], write=percent)] if published else []),
            cell(row["test_images"], write=whole),
            cell(row["seeds"], write=whole),
        ]
        for row in table.to_dict("records")
    ]
    return Table("Test accuracy", [*head, Column("Test images"), Column("Seeds")], rows, "accuracy", file)


def robustness(
    table: pandas.DataFrame,
    titles: Mapping[str, str],
    required_confidence: float,
    settings: Mapping[str, Any],
    file: str,
) -> Table:
    """Tabulate the paper's attack at its required confidence: how much change it needed, and how it ended.

    `settings` are the dataset's.
    """
    at = at_goal(table, required_confidence)
    head = ["Change per pixel, median", "Change per pixel, mean", "Pixels changed, mean", "L2 norm, median"]
    rows = [
        [
            words(titles[row["model"]]),
            *(
                cell(row[name], row[f"{name}_low"], row[f"{name}_high"])
                for name in (
                    "median_mean_change",
                    "mean_change",
                    "pixels_changed",
                    "median_l2",
                    "median_linf",
                    "iterations",
                )
            ),
            cell(row["censored"], write=whole, tone="bad" if row["censored"] else ""),
            cell(row["attacked"], write=whole),
            cell(row[Outcome.SKIPPED], write=whole),
        ]
        for row in at.to_dict("records")
    ]
    columns = [
        Column("Model", "text"),
        *map(Column, [*head, "L∞ norm, median", "Steps, mean", "Not fooled", "Attacked", "Wrong unchanged"]),
    ]
    notes = (
        f"Pixels count as changed above {settings['changed_pixel_threshold']:g}.",
        saturation(at.loc[at["attacked"] > 0, "pixels_changed"], settings["image_size"]),
        "Means have the images that were not fooled with the change they had when the attack ended; in medians they "
        "are larger than all others.",
    )
    note = " ".join(filter(None, notes))
    return Table("How much change the attack needed", columns, rows, "robustness", file, note)


def at_goal(table: pandas.DataFrame, required_confidence: float) -> pandas.DataFrame:
    """Return the rows of the table of robustness for the paper's attack at its required confidence."""
    return at_level(table[table["attack"] == "original"], required_confidence)


def attacks(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate every attack at every required confidence."""
    head = ["Wrong class reaches", "Change per pixel, median", "L2 norm, median", "L∞ norm, median", "Not fooled"]
    rows = [
        [
            words(row["attack"]),
            words(titles[row["model"]]),
            Cell(level(row["required_confidence"]), repr(float(row["required_confidence"]))),
            *(
                cell(row[name], row[f"{name}_low"], row[f"{name}_high"])
                for name in ("median_mean_change", "median_l2", "median_linf")
            ),
            cell(row["censored"], write=whole, tone="bad" if row["censored"] else ""),
            cell(row["attacked"], write=whole),
            cell(row["zero_gradient_share"], write=percent),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Attack", "text"), Column("Model", "text")]
    columns += map(Column, [*head, "Attacked", "Zero gradients"])
    return Table("Every attack, at every required confidence", columns, rows, "robustness", file, _ends(table))


def _ends(table: pandas.DataFrame) -> str:
    """Say that attacks end at different confidences, where they do: their last rows are then about different goals."""
    ends = table.groupby("attack", sort=False)["required_confidence"].max()
    if ends.nunique() < 2:
        return ""
    told = "; ".join(f"{attack}: {level(end)}" for attack, end in ends.items())
    return f"The attacks end at different required confidences ({told}): compare rows of the same confidence only."


def rank_agreement(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate whether confidences, and measures of change, rank the models alike."""
    measures = {"linf": "L∞ norm", "l2": "L2 norm", "mean_change": "mean change", "pixels_changed": "pixels changed"}

    def named(value: Any) -> str:
        try:
            return level(float(value))
        except ValueError:
            return measures.get(str(value), str(value))

    rows = [
        [
            words(row["between"]),
            words(named(row["first"])),
            words(named(row["second"])),
            words(named(row["at"])),
            cell(row["tau"], row["tau_low"], row["tau_high"]),
            cell(row["tau_images"], row["tau_images_low"], row["tau_images_high"]),
            cell(row["images"], write=whole),
            cell(row["censored"], write=whole),
        ]
        for row in table.to_dict("records")
    ]
    texts = [Column(title, "text") for title in ("Between", "First", "Second", "At")]
    head = ["τ of medians", "τ per image, mean", "Images", "Not fooled"]
    return Table("Do other confidences and measures rank the models alike?", [*texts, *map(Column, head)], rows,
                 "rank_agreement", file)  # fmt: skip


def robust_accuracy(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """The share of images that no attack fools within each budget, and who fooled the others."""
    head = ["Robust accuracy", "Against our attacks alone", "Clean accuracy", "Only AutoAttack fooled", "Only ours"]
    rows = [
        [
            words(titles[row["model"]]),
            Cell(f"{NORMS.get(row['norm'], row['norm'])} {in_words(row['budget'])}", repr(float(row["budget"]))),
            *(
                cell(row[f"{name}_accuracy"], row[f"{name}_low"], row[f"{name}_high"], percent)
                for name in ("robust", "ours", "clean")
            ),
            *(cell(row[name], write=whole) for name in ("only_autoattack", "only_ours", "both", "images")),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Model", "text"), Column("Change allowed"), *map(Column, [*head, "Both", "Images"])]
    return Table("Robust accuracy under AutoAttack and our attacks", columns, rows, "robust_accuracy", file)


def believability(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate how often judges see the new class in adversarial images, and in noise."""
    head = ["Index", "See the new class", "See the original", "See neither", "See it in noise", "SSIM", "Images"]
    rows = [
        [
            words(titles[row["model"]]),
            cell(row["index"], row["low"], row["high"]),
            *(cell(row[name], write=percent) for name in ("new_label", "original", "neither", "new_label_noise")),
            cell(row["ssim"]),
            cell(row["images"], write=whole),
            cell(row["censored"], write=whole, tone="bad" if row["censored"] else ""),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Model", "text"), *map(Column, [*head, "Not fooled"])]
    return Table("What other networks see in the adversarial images", columns, rows, "believability", file)


def transfer(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate whether what fools one model fools another."""
    head = ["Fooled", "Same mistake", "Other mistake", "Fooled by noise", "Size", "Images"]
    rows = [
        [
            words(titles[row["source"]]),
            words(titles[row["target"]]),
            words({"linf": "L∞", "l2": "L2"}.get(row["norm"], row["norm"])),
            cell(row["fooled"], row["fooled_low"], row["fooled_high"], percent),
            *(cell(row[name], write=percent) for name in ("same_mistake", "other_mistake", "fooled_by_noise")),
            cell(row["size"]),
            cell(row["images"], write=whole),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Changed on", "text"), Column("Shown to", "text"), Column("Norm", "text"), *map(Column, head)]
    return Table("Does what fools one model fool another?", columns, rows, "transfer", file)


def targeted(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate the attack toward each class, with images counted over all pairs of classes."""
    counted = (
        table.groupby(["model", "required_confidence"], sort=False)[["images", Outcome.SUCCESS]].sum().reset_index()
    )
    rows = [
        [
            words(titles[row["model"]]),
            Cell(
                f"{row['required_confidence']:g}" if row["required_confidence"] else "the largest probability",
                repr(float(row["required_confidence"])),
            ),
            cell(row[Outcome.SUCCESS] / row["images"] if row["images"] else math.nan, write=percent),
            cell(row[Outcome.SUCCESS], write=whole),
            cell(row["images"], write=whole),
        ]
        for row in counted.to_dict("records")
    ]
    columns = [Column("Model", "text"), *map(Column, ["Target reaches", "Share", "Reached it", "Attacks"])]
    note = "Counted over all pairs of classes; the file has a row for each pair."
    return Table("The attack toward each class", columns, rows, "targeted", file, note)


def sensitivity(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate each claim's verdict at each value of α and σ."""
    rows = [
        [
            cell(row["claim"], write=whole),
            words({"alpha": "α", "sigma": "σ"}.get(row["parameter"], row["parameter"])),
            Cell(
                f"{row['value']:g}" + (" (configured)" if row["configured"] else ""),
                repr(float(row["value"])),
            ),
            words(row["weights_verdict"]),
            words("changes" if row["changes"] else ""),
            cell(row["estimate"], row["low"], row["high"]),
            words(row["unit"]),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Claim"), Column("Setting", "text"), Column("Value"), Column("Verdict, these weights", "text")]
    columns += [Column("Against the value before", "text"), Column("Estimate"), Column("Of", "long")]
    return Table("Verdicts at other values of α and σ", columns, rows, "sensitivity", file)


def comparison(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate how much more change our attacks make than the best of a library's."""
    rows = [
        [
            words(row["attack"]),
            words(titles[row["model"]]),
            words({"linf": "L∞", "l2": "L2"}.get(row["norm"], row["norm"])),
            cell(row["ratio"], row["ratio_low"], row["ratio_high"]),
            cell(row["median"]),
            cell(row["success"], write=percent),
            *(cell(row[name], write=whole) for name in ("both", "only_ours", "only_comparators")),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Attack", "text"), Column("Model", "text"), Column("Norm", "text")]
    head = ["Ours ÷ the best", "Our median", "We fooled", "Both fooled", "Only we", "Only the library"]
    return Table("Our attacks compared with a library’s", [*columns, *map(Column, head)], rows, "comparison", file)


def references(table: pandas.DataFrame, titles: Mapping[str, str], file: str) -> Table:
    """Tabulate what others measured, compared with ours; a number that no model of ours is like has its own row."""
    rows = [
        [
            words(titles.get(str(row.get("model")))),
            words(row.get("attack")),
            words(f"{row['statistic']} {({'linf': 'L∞', 'l2': 'L2'}).get(row['norm'], row['norm'])}"),
            cell(row.get("ratio"), row.get("ratio_low"), row.get("ratio_high")),
            cell(row.get("value"), row.get("low"), row.get("high")),
            cell(row["their_value"]),
            words(row["comparable"]),
            words(row["why"]),
            words(row["their_attack"]),
            words(f"{row['source']}, {row['table']}"),
        ]
        for row in table.to_dict("records")
    ]
    columns = [Column("Our model", "text"), Column("Our attack", "text"), Column("Measure", "text")]
    columns += [Column("Ours ÷ theirs"), Column("Ours"), Column("Theirs"), Column("Comparable", "text")]
    columns += [Column("Why", "long"), Column("Their attack", "long"), Column("Source", "long")]
    return Table("What others measured", columns, rows, "references", file)
