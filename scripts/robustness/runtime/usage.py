"""What a job used: CPU time, memory, and how long it waited for a GPU or for another job.

Written beside the job's log, by the job itself: Snakemake's `benchmark:` sees only the process that it started, which
has the job's wall time, but not always its computing (see `robustness.runtime.forkserver`).
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

_waits: list[float] = []


def waited(seconds: float) -> None:
    """Say that this job waited, for a free GPU or for another job."""
    _waits.append(seconds)


def path_beside(log: Path) -> Path:
    """Where the job with this log writes what it used."""
    return log.with_suffix(".usage.json")


def write(log: Path) -> None:
    """Write what this process has used so far beside its log."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    megabytes = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    account = {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "max_rss_mb": round(megabytes, 1),
        "waited_seconds": round(sum(_waits), 3),
    }
    path_beside(log).write_text(json.dumps(account) + "\n", encoding="utf-8")
