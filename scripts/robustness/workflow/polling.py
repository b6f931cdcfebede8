"""Keeps Snakemake looking often enough whether jobs on a cluster have ended."""

from __future__ import annotations

from typing import Any

LONGEST_PAUSE = 10.0
"""Seconds between two looks at the queue, at most: small beside a job of minutes, and rare enough for a scheduler."""


def look_often(executor: Any, longest: float = LONGEST_PAUSE) -> None:
    """Let an executor of Snakemake's wait at most `longest` seconds between two looks at its jobs.

    The plugin for Slurm waits ten seconds longer after each look at which no job has ended, up to three minutes, and no
    option changes this: what depends on jobs of minutes would start half a minute late. The pause is a property of
    the executor's class (`RemoteExecutor.next_seconds_between_status_checks`), so the executor gets a class of its own.
    An executor that does not look at jobs stays as it is.
    """
    kind = type(executor)
    pause = getattr(kind, "next_seconds_between_status_checks", None)
    if isinstance(pause, property):
        capped = property(lambda self: min(longest, pause.__get__(self)), pause.fset)
        executor.__class__ = type(kind.__name__, (kind,), {"next_seconds_between_status_checks": capped})
