"""Describes how far a job is: for the process that draws the bars of all jobs, and in words."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = "ROBUSTNESS_PROGRESS"
"""Unset: the script was started by hand. Empty: nobody draws bars. Else the folder where jobs leave their status."""


@dataclass(frozen=True)
class Status:
    """How far a job is: `done` of `total` (None if not known); an earlier process did `resumed` of the done ones."""

    title: str
    unit: str
    total: int | None
    done: int
    resumed: int
    seconds: float
    note: str


def drawn_elsewhere() -> Path | None:
    """Return the folder for the status of jobs if another process draws bars from it, else None."""
    folder = Path(os.environ.get(FOLDER) or os.devnull)
    return folder if folder.is_dir() else None  # on another machine of a cluster it does not exist


def standing(status: Status) -> str:
    """Return a status in words: `1,240 of 4,000 steps (31 %), 45/s, about 61 s to go; 12 cap`."""
    rate = (status.done - status.resumed) / status.seconds
    speed = f"{_amount(rate, status.unit)}/s"
    note = f"; {status.note}" if status.note else ""
    if not status.total:
        return f"{with_unit(status.done, status.unit)}, {speed}{note}"
    left = f", about {in_words((status.total - status.done) / rate)} to go" if rate > 0 else ""
    share = 100 * status.done // status.total
    done, total = _amount(status.done, status.unit), with_unit(status.total, status.unit)
    return f"{done} of {total} ({share} %), {speed}{left}{note}"


def in_words(seconds: float) -> str:
    """Return a time as a person would say it: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes >= 600:
        return f"{round(minutes / 60):,} h"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def with_unit(count: float, unit: str) -> str:
    return _amount(count, unit) + ("" if unit == "B" else f" {unit}")


def _amount(count: float, unit: str) -> str:
    """Return a number of things as text; bytes as megabytes."""
    if unit == "B":
        return f"{count / 1e6:.1f} MB"
    return f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:.1f}"
