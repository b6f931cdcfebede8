"""Counts what an import read, passed over and changed, each with its reason, so that nothing is lost unsaid.

The counts go into the job's log, and through a file onto the study's page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

HIDDEN = "hidden files and folders"
OUTSIDE = "images outside train/ and test/"


@dataclass(frozen=True)
class Account:
    """How many images an import read, and how many files it passed over or images it changed, by reason."""

    read: int
    passed_over: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)


def sentence(account: Account) -> str:
    """Say what was read, passed over and changed: `12 images read; passed over: hidden files and folders: 1`."""
    said = [f"{account.read:,} images read"]
    said += [f"passed over: {reasons(account.passed_over)}" if account.passed_over else "no file passed over"]
    said += [f"changed: {reasons(account.changed)}"] if account.changed else []
    return "; ".join(said)


def reasons(counts: Mapping[str, int]) -> str:
    """List reasons with their counts, the most frequent first: `files ending in .heic: 3, hidden files: 1`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason}: {count:,}" for reason, count in ordered)


def is_hidden(part: str) -> bool:
    """Return whether a file or a folder of this name is hidden, or belongs to what macOS adds to archives."""
    return part.startswith(".") or part == "__MACOSX"


def passed_over(names: list[str]) -> Counter[str]:
    """Count the files that are not read, by reason; `names` are their paths with /. A hidden folder counts once."""
    hidden: set[PurePosixPath] = set()
    counts: Counter[str] = Counter()
    for name in names:
        path = PurePosixPath(name)
        first = next((number for number, part in enumerate(path.parts) if is_hidden(part)), None)
        if first is not None:
            hidden.add(PurePosixPath(*path.parts[: first + 1]))
        else:
            counts[f"files ending in {path.suffix.lower()}" if path.suffix else "files without an ending"] += 1
    return counts + Counter({HIDDEN: len(hidden)})
