"""Keeps Snakemake looking often enough whether jobs on a cluster have ended."""

from __future__ import annotations

from typing import Any


def look_often(executor: Any) -> None:
    """Let an executor of Snakemake's wait no longer between two looks at its jobs than its options say.

    The plugin for Slurm waits ten seconds longer after each look at which no job has ended, up to three minutes: what
    depends on jobs of minutes would start half a minute late. Here it waits for the longer of Snakemake's
    `seconds-between-status-checks` (10 by default) and its own `slurm-init-seconds-before-status-checks`. The pause is
    a property of the executor's class (`RemoteExecutor.next_seconds_between_status_checks`), so the executor gets a
    class of its own. An executor that does not look at jobs stays as it is.
    """
    kind = type(executor)
    pause = getattr(kind, "next_seconds_between_status_checks", None)
    if isinstance(pause, property):
        settings = executor.workflow.executor_settings
        first = getattr(settings, "init_seconds_before_status_checks", None) or 0
        longest = max(first, executor.workflow.remote_execution_settings.seconds_between_status_checks)
        capped = property(lambda self: min(longest, pause.__get__(self)), pause.fset)
        executor.__class__ = type(kind.__name__, (kind,), {"next_seconds_between_status_checks": capped})
