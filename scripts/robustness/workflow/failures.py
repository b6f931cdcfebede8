"""Hears what Snakemake says about jobs that failed, and decides which of them are submitted again.

Snakemake repeats whatever failed, each time with more of everything. A job that ended with a sentence for the user
would end so again, and one that somebody cancelled needs no more memory than before. Nothing here shapes a result.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from robustness.runtime.job_ends import End, end_of, written_since


class Failures:
    """A filter of Snakemake's log that lets everything pass.

    `running` gives the jobs that run, `started` is when the run began, in seconds since 1970; `ends` gets how each
    failed job ended, by the first file that it makes. The filter changes nothing of a job but its attempt, by which
    Snakemake counts how often the job was tried, and `slurm/config.yaml` multiplies memory and time.
    """

    def __init__(self, running: Callable[[], Iterable[Any]], started: float) -> None:
        self._running, self._started = running, started
        self._exceptions: list[str] = []
        self._as_before: dict[int, Any] = {}
        self._tries: Counter[int] = Counter()
        self.ends: dict[str, End] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """Note what a record says about a failed job."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "ERROR":
            self._exceptions.append(record.getMessage())
        elif event == "JOB_ERROR":
            self._failed(record)
        elif found := re.fullmatch(r"Trying to restart job (\d+)\.", record.getMessage()):
            self._repeated(int(found[1]))
        return True

    def _failed(self, record: Any) -> None:
        output, logs = (list(map(str, getattr(record, name, []))) for name in ("output", "log"))
        # An exception names the job's whole command, and with it what the job makes.
        of_job = [text for text in self._exceptions if output and output[0] in text]
        log, *clusters = [written_since(path, self._started) for path in logs] or [None]
        end = end_of(log, "\n".join([str(record.rule_msg), *filter(None, clusters), *of_job]))
        self._exceptions = [text for text in self._exceptions if text not in of_job]
        if output:
            self.ends[output[0]] = end
        for job in self._running():
            if not job.is_group() and job.jobid == record.jobid:
                self._decide(job, end)

    def _decide(self, job: Any, end: End) -> None:
        self._tries[job.jobid] += 1
        if not end.again or self._tries[job.jobid] > job.restart_times:
            # Not by its property: Snakemake would then free other resources than the job had taken.
            job._attempt = job.restart_times + 1
        elif not end.needs_more:
            self._as_before[job.jobid] = job

    def _repeated(self, jobid: int) -> None:
        """Let a job's next try have what the last one had; Snakemake counts up after this."""
        if (job := self._as_before.pop(jobid, None)) is not None:
            job.attempt -= 1
