"""Writes the study's page: what was asked, done and found, as one HTML file that reads like the study.

Takes what `robustness.pages.files` has read, and fills the template. Every number on the page is from a table, counts
its rows, or is a sum of its counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from robustness.data.account import sentence
from robustness.pages import claims_page, trust_page
from robustness.pages import tables as page_tables
from robustness.pages.captions import caption
from robustness.pages.files import Dataset, Material, devices, versions
from robustness.pages.shown_figures import Shown, order, section_of, shown
from robustness.pages.summary import DAGGER, goal, not_fooled, summary, titles
from robustness.pages.tables import Cell, Column, Table, cell, words
from robustness.pages.templates import rendered, unbroken
from robustness.text import DASH, counted, number, percent
from robustness.trust import questions

SECTIONS = {
    "summary": "In short",
    "robustness": "Robustness",
    "claims": "Claims",
    "trust": "Can the numbers be trusted?",
    "examples": "Examples",
    "believability": "Believability",
    "attack": "The attack",
    "models": "The models",
    "accuracy": "Accuracy",
    "training": "Training",
    "transfer": "Transfer",
    "targeted": "Toward each class",
    "sensitivity": "What the paper leaves out: α and σ",
    "comparison": "Compared with other attacks",
    "others": "Other figures",
    "limits": "What the numbers do not mean",
    "reproduce": "How to reproduce",
    "appendix": "Networks and heat maps",
}
"""Sections by their anchors, in order; a section with nothing to show is left out."""

ALWAYS = {"summary", "attack", "claims", "reproduce", "limits"}


OTHERS: dict[str, tuple[str, Callable[..., Table], bool]] = {
    "accuracy": ("accuracy", page_tables.accuracy, False),
    "robust_accuracy": ("robustness", page_tables.robust_accuracy, False),
    "rank_agreement": ("robustness", page_tables.rank_agreement, True),
    "believability": ("believability", page_tables.believability, False),
    "transfer": ("transfer", page_tables.transfer, True),
    "targeted": ("targeted", page_tables.targeted, False),
    "sensitivity": ("sensitivity", page_tables.sensitivity, True),
    "comparison": ("comparison", page_tables.comparison, False),
    "references": ("comparison", page_tables.references, True),
}
"""Tables that need only the models' titles: section, what makes them, and whether they are folded away."""
FIRST = "robust_accuracy"
"""The table that its section begins with: what the field asks for first."""


@dataclass(frozen=True)
class Block:
    """What a section shows of one dataset: figures, tables, and tables that are folded away."""

    dataset: str
    title: str
    tables: list[Table] = field(default_factory=list)
    figures: list[Shown] = field(default_factory=list)
    folded: list[Table] = field(default_factory=list)
    note: str = ""


def page(material: Material, spec: Mapping[str, Any], template: Path, guide: str) -> str:
    """Return the page as HTML.

    `spec` has scale, seeds, command, config (what captions name), papers_claims (whether claims are the paper's) and
    datasets: name, title, words (sentences on the settings), models, tables, figures and shard. `guide` is the address
    of `docs/claims.md`.
    """
    filters: dict[str, Callable[..., str]] = {
        "number": number,
        "counted": counted,
        "p": claims_page.p_value,
        "percent": percent,
        "unbroken": unbroken,
    }
    blocks = sections(material, spec)
    present = {name: title for name, title in SECTIONS.items() if name in ALWAYS or name in blocks}
    if spec["papers_claims"]:
        present["claims"] = "The paper’s claims"
    subjects = [
        subject | {"dataset": entry["title"], "several": len(spec["datasets"]) > 1}
        for entry, dataset in zip(spec["datasets"], material.datasets, strict=True)
        if dataset.trust
        for model in entry["models"]
        for subject in trust_page.subjects_of(dataset.trust, model)
    ]
    return rendered(
        template,
        filters,
        spec=spec,
        scale=spec["scale"],
        config=spec["config"],
        title=heading(spec),
        facts=facts(material, spec),
        summary=summary(material, spec),
        images={dataset.name: sentence(dataset.images) for dataset in material.datasets},
        sections=present,
        blocks=blocks,
        attacks=attack_settings(spec["config"]["attacks"]),
        claims=claims_page.rows(material.claims),
        guide=guide,
        tallies=claims_page.tallies(material.claims),
        claims_caption=caption(material.captions["claims"], spec["config"]),
        captions={
            (entry["name"], name): caption(text, spec["config"], dataset=entry["name"])
            for entry in spec["datasets"]
            for name, text in material.captions.items()
            if name in {table.caption for block in _of(blocks, entry["name"]) for table in block.tables + block.folded}
        },
        questions=questions.QUESTIONS,
        failed=[subject for subject in subjects if subject["failed"]],
        censored=not_fooled(material, spec),
        versions=versions(material.stamps),
        devices=devices(material.stamps),
        commit=material.commit,
        checksums=material.checksums,
        settings=json.dumps(spec["config"], indent=2, ensure_ascii=False, sort_keys=True),
    )


def heading(spec: Mapping[str, Any]) -> str:
    """Return the page's title, for one model or for several."""
    several = sum(len(entry["models"]) for entry in spec["datasets"]) > 1
    return "How robust are these image classifiers?" if several else "How robust is this image classifier?"


def facts(material: Material, spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the study at a glance: names and values."""
    settings = spec["config"]["datasets"]
    attacked = {entry["title"]: settings[entry["name"]]["attacked_images"] for entry in spec["datasets"]}
    alike = len(set(attacked.values())) == 1
    images = [f"{number:,}" + ("" if alike else f" of {title}") for title, number in attacked.items()]
    used = devices(material.stamps)
    return [
        ("Scale", f"{spec['scale']['name']}: {spec['scale']['title']}"),
        ("Models", str(sum(len(entry["models"]) for entry in spec["datasets"]))),
        ("Test images per model", "; ".join(images[:1] if alike else images)),
        ("Seeds", str(len(spec["seeds"]))),
        *([("Computed on", ", ".join(used))] if used else []),
    ]


# ---- sections -------------------------------------------------------------------------------------------------------


def sections(material: Material, spec: Mapping[str, Any]) -> dict[str, list[Block]]:
    """Return what each section shows of each dataset; sections and datasets without anything are absent."""
    found: dict[str, list[Block]] = {}
    for entry, dataset in zip(spec["datasets"], material.datasets, strict=True):
        for name, block in _blocks(material, entry, dataset, spec).items():
            if block.tables or block.figures or block.folded:
                found.setdefault(name, []).append(block)
    return found


def _of(blocks: Mapping[str, Sequence[Block]], dataset: str) -> list[Block]:
    return [block for each in blocks.values() for block in each if block.dataset == dataset]


def _blocks(
    material: Material, entry: Mapping[str, Any], dataset: Dataset, spec: Mapping[str, Any]
) -> dict[str, Block]:
    names = titles(entry, dataset)
    settings = spec["config"]["datasets"][entry["name"]]
    blocks = {name: Block(entry["name"], entry["title"]) for name in SECTIONS}
    tables = dataset.tables

    def file(name: str) -> str:
        return f"{entry['name']}/tables/{name}.csv"

    if "models" in tables:
        made = page_tables.models(tables["models"], entry["models"], dataset.cards, file("models"))
        blocks["models"].tables.append(made)
    if "robustness" in tables:
        table = tables["robustness"]
        made = page_tables.robustness(table, names, goal(spec), settings, file("robustness"))
        blocks["robustness"].tables.append(made)
        blocks["robustness"].folded.append(page_tables.attacks(table, names, file("robustness")))
    for name, (section, make, folded) in OTHERS.items():
        if name in tables:
            made = make(tables[name], names, file(name))
            own = blocks[section].folded if folded else blocks[section].tables
            own.insert(0 if name == FIRST else len(own), made)
    if dataset.trust:
        blocks["trust"].tables.append(trusted(dataset.trust, names, file("trust")))
        blocks["trust"].folded.append(checks(dataset.trust, names, file("trust")))
    pair = next(iter(settings["example_classes"]), "")
    for name in sorted(dataset.pictures, key=order):
        figure = shown(name, dataset, entry, material.captions, spec["config"], goal(spec))
        blocks[section_of(name, pair)].figures.append(figure)
    failed = questions.failures(dataset.trust)
    if failed:
        told = "; ".join(f"{names[model].removesuffix(DAGGER)} ({words})" for model, words in failed.items())
        for section in ("robustness", "examples", "believability", "transfer", "targeted", "sensitivity", "appendix"):
            blocks[section] = replace(blocks[section], note=f"† Not trustworthy: {told}.")
    return blocks


def trusted(rows: Sequence[questions.Row], names: Mapping[str, str], file: str) -> Table:
    """Say how many checks each model passed with each seed, and which it failed."""
    subjects = list(dict.fromkeys((row.model, row.seed) for row in rows))
    made = []
    for model, seed in subjects:
        own = [row for row in rows if (row.model, row.seed) == (model, seed)]
        failed = [row.words for row in own if not row.passed]
        made.append(
            [
                words(names.get(model, model)),
                cell(len(failed), write=page_tables.whole, tone="bad" if failed else "good"),
                words("; ".join(failed)),
                cell(len(own) - len(failed), write=page_tables.whole),
                cell(seed, write=page_tables.whole),
            ]
        )
    head = [Column("Model", "text"), Column("Failed"), Column("What failed", "long"), Column("Passed"), Column("Seed")]
    return Table("Trust checks", head, made, "trust", file)


def checks(rows: Sequence[questions.Row], names: Mapping[str, str], file: str) -> Table:
    """Return every check of every model as a table."""
    two_digits = partial(percent, digits=2)
    made = [
        [
            words(names.get(row.model, row.model)),
            words(questions.QUESTIONS[row.check].title if row.check in questions.QUESTIONS else row.check),
            words("✓ passed" if row.passed else "✗ failed", "good" if row.passed else "bad"),
            cell(row.value, write=two_digits),
            cell(row.limit, write=two_digits),
            words(row.why),
            cell(row.seed, write=page_tables.whole),
        ]
        for row in rows
    ]
    head = [Column("Model", "text"), Column("Check", "text"), Column("Verdict", "text"), Column("Value")]
    return Table("Every check", [*head, Column("Limit"), Column("Why", "long"), Column("Seed")], made, "trust", file)


def attack_settings(attacks: Mapping[str, Mapping[str, Any]]) -> Table:
    """Say how each attack is configured; a library's attacks have a method and steps."""
    logs = {"probability": "p", "cross_entropy": "log p"}
    made = []
    for name, entry in attacks.items():
        if "library" in entry:
            cells = [f"{entry['method']} of {entry['library']}", DASH, "any wrong class", DASH]
            steps = entry["steps"]
        else:
            others = [page_tables.level(0 if each == "argmax" else each) for each in entry["other_confidences"]]
            reached = page_tables.level(entry["confidence"])
            climbs = logs.get(entry["reward"], entry["reward"])
            climbs = f"−{climbs} of the true class" if entry.get("target") is None else f"{climbs} of the target"
            cells = [climbs, entry["direction"], reached, ", ".join(others)]
            steps = entry["max_iterations"]
        target = DASH if entry.get("target") is None else entry["target"]
        made.append([words(name), *map(words, cells), words(target), Cell(f"{steps:,}", repr(float(steps)))])
    texts = ("Attack", "Climbs", "Direction", "Ends when a wrong class has", "Also recorded at", "Target")
    return Table("The attacks", [*(Column(text, "text") for text in texts), Column("Steps, at most")], made, "", "")
