"""Writes what a job used: CPU time, memory, and how long it waited for a GPU or for another job.

The job itself writes it next to its log: Snakemake's `benchmark:` sees only the process that Snakemake started, which
runs as long as the job but does not always do the job's computing (see `robustness.runtime.forkserver`).
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

_waits: list[float] = []


def waited(seconds: float) -> None:
    """Note how long this job waited for a free GPU or for another job."""
    _waits.append(seconds)


def path_beside(log: Path) -> Path:
    """Return the file that the job with this log writes what it used to."""
    return log.with_suffix(".usage.json")


def write(log: Path) -> None:
    """Write what this process has used so far next to its log."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    megabytes = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    account = {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "max_rss_mb": round(megabytes, 1),
        "waited_seconds": round(sum(_waits), 3),
    }
    path_beside(log).write_text(json.dumps(account) + "\n", encoding="utf-8")
