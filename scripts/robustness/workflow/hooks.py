"""Says what a run prints at its start and at its end, and which of its jobs are forked. Nothing here shapes a result.

Snakemake's jobs come as arguments.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from robustness.errors import UserError
from robustness.runtime import run_summary
from robustness.runtime.job_ends import End
from robustness.workflow import targets
from robustness.workflow.dataset import Dataset
from robustness.workflow.study import Study


def announcement(study: Study, jobs: Sequence[run_summary.Job], cores: int | None) -> str:
    """Return what a run prints at its start: the scale, the jobs, how long they may take, where results go.

    `cores` is None on a cluster.
    """
    scale, results = study.config["scale"], study.results
    lines = [f"Scale {scale['name']}: {scale['title']}."]
    if jobs:
        estimate = run_summary.duration(jobs, run_summary.earlier_seconds(jobs), cores)
        lines += [f"To do: {run_summary.jobs_in_words(jobs)}.", estimate]
    lines.append(f"Results go to {results}/, logs to {results}/<dataset>/logs/, Snakemake's own to .snakemake/log/.")
    lines += [line for dataset in study.studied for line in _without_others(dataset)]
    return _said(lines)


def _without_others(dataset: Dataset) -> list[str]:
    """Return the sentence that says what is left out because a dataset has one network or one model; none otherwise."""
    if not dataset.has_judges:
        lacking = "only one network, so believability and transfer, which need a second one, are left out"
    elif len(dataset.models) == 1:
        lacking = "only one model, so transfer, which needs a second one, is left out"
    else:
        return []
    return [f"{dataset.name} has {lacking}."]


def advice(study: Study, names: Callable[[], Iterable[str]]) -> Callable[[logging.LogRecord], bool]:
    """Return a filter of Snakemake's log that lets everything pass, and adds the nearest targets to an unknown one.

    Snakemake finds that nothing makes a target where no hook is called. `names` gives the names of rules without
    wildcards.
    """

    def passes(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if found := re.search(r"No rule to produce (.+) \(if you use", message):
            record.msg, record.args = f"{message}\n{targets.nearest(study, names(), found[1])}", ()
        return True

    return passes


def outcome(study: Study, jobs: Sequence[run_summary.Job]) -> str:
    """Return what a run prints on success: what to open or, after `fetch`, that no network is needed; failed checks."""
    lines = run_summary.done(jobs, study.results, study.config["downloads"])
    return _said(lines + [line for dataset in study.studied for line in _not_trustworthy(dataset)])


def failure(jobs: Sequence[run_summary.Job], started: float, ends: Mapping[str, End], on_cluster: bool) -> str:
    """Return what a run prints on failure: the jobs that failed, the end of their logs and the next step."""
    return _said(run_summary.failures(jobs, started, ends, on_cluster))


def _not_trustworthy(dataset: Dataset) -> list[str]:
    """Return the line that names a dataset's untrustworthy models; none where all checks passed or none was made."""
    from robustness.trust import questions

    table = Path(dataset.path, "tables", "trust.csv")
    try:
        failed = questions.failures(questions.read(table)) if table.exists() else {}
    except UserError as error:  # a message must not make a run fail that has succeeded
        return [str(error)]
    models = "; ".join(f"{model} ({words})" for model, words in failed.items())
    return [f"Not trustworthy in {dataset.name}: {models}. See {targets.pages(dataset)[0]}"] if failed else []


def sources_of(jobs: Iterable[Any]) -> list[tuple[Path, ...]]:
    """Return the files that each of Snakemake's jobs runs, its program first: what `src` puts first, less one."""
    params = [job.rule.params for job in jobs if not job.is_norun]
    return [tuple(takewhile(lambda param: isinstance(param, Path), each))[1:] for each in params]


def as_jobs(jobs: Iterable[Any]) -> list[run_summary.Job]:
    """Convert Snakemake's jobs to `Job`s; jobs that only name a group of files are left out."""
    found = []
    for job in jobs:
        if not job.is_norun:
            wildcards = ", ".join(f"{name}={value}" for name, value in job.wildcards_dict.items())
            files = (tuple(map(str, job.output)), _text(next(iter(job.log), None)), _text(job.benchmark))
            found.append(run_summary.Job(job.rule.name, wildcards, *files, job.threads))
    return sorted(found, key=lambda job: (job.rule, job.wildcards))


def _text(path: object) -> str | None:
    return None if path is None else str(path)


def _said(lines: Iterable[str]) -> str:
    """Indent lines, so that they are told from Snakemake's own."""
    return "\n".join(["", *(f"  {line}" for line in lines), ""])
