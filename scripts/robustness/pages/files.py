"""Reads what the study's page is made from: tables, pictures, captions, and where the results came from.

Reads results/<dataset>/tables, figures, models and attacks, results/claims.csv, and report/*.rst, so that the functions
of `robustness.pages.page` take values.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustness.data.account import Account
from robustness.pages.pictures import Picture, read_picture
from robustness.storage.atomic import read_json
from robustness.storage.provenance import file_digest
from robustness.storage.records import read_header
from robustness.storage.tables import read_table
from robustness.trust import questions

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Dataset:
    """What the page shows of one dataset; tables and pictures by their names, cards by model; its images as counted."""

    name: str
    tables: dict[str, pandas.DataFrame]
    pictures: dict[str, Picture]
    trust: list[questions.Row]
    cards: dict[str, dict[str, Any]]
    images: Account


@dataclass(frozen=True)
class Material:
    """What the page is made from.

    `stamps` are the provenance of trainings, attacks and measures (`storage.provenance`); `checksums` are the names of
    tables with their SHA-256; `commit` is the repository's, or empty where it is not known.
    """

    datasets: list[Dataset]
    claims: pandas.DataFrame
    captions: dict[str, str]
    stamps: list[dict[str, Any]]
    checksums: list[tuple[str, str]]
    commit: str


def read(results: Path, spec: Mapping[str, Any], captions: Path, repository: Path) -> Material:
    """Read all that `spec` lists in the folder of results; raises `UserError` for what is missing or damaged.

    `spec` has seeds and datasets, each with name, tables, figures, models (with their names) and shard.
    """
    stamps: list[dict[str, Any]] = []
    datasets = []
    tables = [results / "claims.csv"]
    for entry in spec["datasets"]:
        folder = results / entry["name"]
        cards: dict[str, dict[str, Any]] = {}
        for model in entry["models"]:
            for seed in spec["seeds"]:
                card = read_json(folder / "models" / model["name"] / f"seed{seed}" / "model.json")
                cards.setdefault(model["name"], card)
                attack = folder / "attacks" / "original" / model["name"] / f"seed{seed}"
                records = [attack / f"{entry['shard']}.parquet", attack / "measures.parquet"]
                headers = [card, *map(read_header, records)]
                stamps += [header.get("provenance", {}) for header in headers]
        tables += [folder / "tables" / f"{name}.csv" for name in entry["tables"]]
        datasets.append(
            Dataset(
                name=entry["name"],
                tables={
                    name: read_table(folder / "tables" / f"{name}.csv") for name in entry["tables"] if name != "trust"
                },
                pictures={name: read_picture(folder / "figures", name) for name in entry["figures"]},
                trust=questions.read(folder / "tables" / "trust.csv") if "trust" in entry["tables"] else [],
                cards=cards,
                images=read_account(folder / "data" / "counts.json"),
            )
        )
    return Material(
        datasets=datasets,
        claims=read_table(tables[0]),
        captions={path.stem: path.read_text(encoding="utf-8") for path in sorted(captions.glob("*.rst"))},
        stamps=stamps,
        checksums=[(path.relative_to(results).as_posix(), file_digest(path)) for path in tables],
        commit=commit(repository),
    )


def read_account(path: Path) -> Account:
    """Read how many images were read, and how many files were passed over or changed."""
    counts = read_json(path)
    return Account(*(counts[field.name] for field in fields(Account)))


def commit(repository: Path) -> str:
    """Return the commit that is checked out in a folder; empty where it is no repository, or git is not installed."""
    try:
        said = subprocess.run(
            ["git", "-C", str(repository), "rev-parse", "--show-toplevel", "HEAD"], capture_output=True, text=True
        )
    except OSError:
        return ""
    top, _, head = said.stdout.strip().partition("\n")
    # A copy inside of another project is not one of that project's commits.
    return head if said.returncode == 0 and Path(top).resolve() == repository.resolve() else ""


def versions(stamps: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the packages that made the results, with their versions; all versions where jobs had different ones."""
    found: dict[str, set[str]] = {}
    for stamp in stamps:
        for package, version in stamp.get("versions", {}).items():
            found.setdefault(package, set()).add(version)
    return [(package, ", ".join(sorted(found[package]))) for package in sorted(found)]


def devices(stamps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the devices that trained and attacked."""
    return sorted(
        {str(stamp["device"]) for stamp in stamps if stamp.get("device") and "torch" in stamp.get("versions", {})}
    )
