"""Says what a run has to do and how long that may take, what to open afterwards, and what failed.

Reads benchmark files and logs of jobs. Its functions take a list of `Job`, so that only rules/hooks.smk asks Snakemake
about a run. Uses only the standard library, which every Snakemake has.
"""

from __future__ import annotations

import csv
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from robustness.runtime.job_ends import End, end_of, next_step, written_since
from robustness.runtime.status import in_words
from robustness.text import counted, listed

KINDS = {
    "download_data": ("download", "downloads"),
    "train_model": ("training", "trainings"),
    "import_model": ("imported model", "imported models"),
    "evaluate_model": ("evaluation", "evaluations"),
    "attack_shard": ("attack shard", "attack shards"),
    "compare_shard": ("shard of a library's attack", "shards of a library's attacks"),
    "bound_shard": ("shard of AutoAttack", "shards of AutoAttack"),
    "attack_targets": ("attack toward each class", "attacks toward each class"),
    "measure_attack": ("measured attack", "measured attacks"),
    "check_trust": ("model checked", "models checked"),
    "judge_attack": ("judged attack", "judged attacks"),
    "transfer_attack": ("transferred attack", "transferred attacks"),
    "judge_swept_value": ("swept value", "swept values"),
    "benchmark_attack": ("timed attack", "timed attacks"),
    "tabulate_": ("table", "tables"),
    "plot_": ("figure", "figures"),
    "write_": ("page", "pages"),
}
"""What a rule's jobs are called, in singular and plural; a name that ends in `_` means all rules that start with it."""

STUDY_PAGE = "study.html"
OPEN_FIRST = {
    STUDY_PAGE: "the study as one page",
    "claims.html": "which claims hold, and why",
    "trust.html": "which models' numbers can be trusted",
    "figures/examples_*.svg": "an image, and what fools each model",
    "figures/robust_accuracy.svg": "how many images withstand every attack within a budget",
    "figures/mean_change.svg": "how much change each model needed",
    "figures/pixels_changed.svg": "how many pixels were changed",
    "tables/accuracy.csv": "how often each model is right",
    "tables/robustness.csv": "every measure of every attack",
}
"""Files that a person wants to see first, and what they show; of those that a pattern names, the first."""

_MOST_FAILURES = 3
_LAST_LINES = 6
_LONGEST_LINE = 200


@dataclass(frozen=True)
class Job:
    """One job of a run: `wildcards` as `dataset=mnist, model=…`, files as Snakemake names them, None for no file."""

    rule: str
    wildcards: str = ""
    output: tuple[str, ...] = ()
    log: str | None = None
    benchmark: str | None = None
    threads: int = 1


# ---- before ---------------------------------------------------------------------------------------------------------


def jobs_in_words(jobs: Sequence[Job]) -> str:
    """Count the jobs of each kind in words: `4 trainings, 16 attack shards, 12 figures and 2 others (prepare_data)`."""
    kinds = Counter(_kind(job.rule) for job in jobs)
    parts = [counted(kinds[kind], *KINDS[kind]) for kind in KINDS if kind in kinds]
    others = sorted({job.rule for job in jobs if _kind(job.rule) is None})
    if others:
        named = f"{', '.join(others[:4])}{', …' if len(others) > 4 else ''}"
        parts.append(f"{counted(kinds[None], 'other')} ({named})")
    return listed(parts)


def _kind(rule: str) -> str | None:
    if rule in KINDS:
        return rule
    return next((kind for kind in KINDS if kind.endswith("_") and rule.startswith(kind)), None)


def earlier_seconds(jobs: Iterable[Job]) -> dict[Job, float]:
    """Return how long each job took before; a job about which no benchmark file says anything is absent.

    The time is the job's own, else the median of its rule's jobs on the same dataset, else the median on all datasets.
    """
    pools: dict[tuple[Path, str], float | None] = {}

    def pooled(folder: Path, pattern: str) -> float | None:
        if (folder, pattern) not in pools:
            known = [seconds for path in sorted(folder.glob(pattern)) if (seconds := _seconds_in(path)) is not None]
            pools[folder, pattern] = statistics.median(known) if known else None
        return pools[folder, pattern]

    found = {}
    for job in jobs:
        if job.benchmark is None:
            continue
        path = Path(job.benchmark)
        seconds = _seconds_in(path)
        if seconds is None:
            # results/<dataset>/benchmarks/<rule>.tsv, or <rule>/<wildcards>.tsv
            single = path.parent.name == "benchmarks"
            names = path.name if single else f"{path.parent.name}/*.tsv"
            benchmarks = path.parent if single else path.parent.parent
            seconds = pooled(benchmarks, names)
            if seconds is None and benchmarks.parent.name:
                seconds = pooled(benchmarks.parent.parent, f"*/benchmarks/{names}")
        if seconds is not None:
            found[job] = seconds
    return found


def _seconds_in(path: Path) -> float | None:
    """The wall time in one of Snakemake's benchmark files; None where there is none, or it is cut off."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return statistics.median(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))
    except (OSError, ValueError, KeyError, TypeError, statistics.StatisticsError):
        return None


def duration(jobs: Sequence[Job], seconds: Mapping[Job, float], cores: int | None) -> str:
    """Say how long the jobs may take on `cores` cores (None: on a cluster), from how long they took before."""
    if not seconds:
        return "No estimate yet: nothing has run here before."
    if cores is None:
        work = f"about {in_words(sum(seconds.values()))} of computing, shared among the jobs that run side by side"
    else:
        shared = sum(seconds[job] * min(job.threads, cores) for job in seconds) / cores
        work = f"about {in_words(max(shared, *seconds.values()))} on {counted(cores, 'core')}"
    unknown = [job for job in jobs if job not in seconds]
    if unknown:
        others = jobs_in_words(unknown)
        return f"An estimate from earlier runs: {work}, plus {others}, whose times are not known yet."
    return f"An estimate from earlier runs: {work}."


# ---- afterwards -----------------------------------------------------------------------------------------------------


def done(jobs: Sequence[Job], results: str, downloads: str) -> list[str]:
    """Return the lines for a run that succeeded: what to open, or what it means that only `downloads` was filled."""
    if not jobs:
        return ["Done. There was nothing to make."]
    if all(job.rule == "download_data" for job in jobs):
        return [f"Done. All downloads are in {downloads}/; the other steps need no network."]
    first = to_open(jobs, results)
    return ["Done. Open first:", *(f"  {line}" for line in first)] if first else ["Done."]


def to_open(jobs: Iterable[Job], results: str) -> list[str]:
    """Return a line for each file to look at: the files of `OPEN_FIRST`, or else the first figures and tables.

    The study's page comes first even if an earlier run wrote it; its line then says so.
    """
    made = [path for job in jobs for path in job.output]
    found = []
    for name, words in OPEN_FIRST.items():
        matching = [(path, words) for path in made if PurePath(path).match(name)]
        found += matching[:1] if "*" in name else matching
    if not found:
        found = [(path, "") for path in made if path.endswith((".svg", ".csv")) and "/models/" not in path][:6]
    page = Path(results, STUDY_PAGE)
    if str(page) not in made and page.is_file():
        found = [(str(page), f"{OPEN_FIRST[STUDY_PAGE]} (from an earlier run)"), *found]
    width = 2 + max((len(path) for path, _ in found), default=0)
    return [f"{path:{width}}{words}".rstrip() for path, words in found]


def failures(
    jobs: Sequence[Job], started: float, ends: Mapping[str, End] | None = None, on_cluster: bool = False
) -> list[str]:
    """Return lines that name each failed job, the last lines of its log and the next step.

    `started` is when the run began, in seconds since 1970: an older log belongs to another run. `ends` holds how jobs
    ended, by their first output, as far as somebody said so; `on_cluster` says whether Slurm ran them.
    """
    if not jobs:
        return ["No job failed: the run was ended. Run the same command again to continue it."]
    lines = []
    for job in jobs[:_MOST_FAILURES]:
        lines.append(f"Failed: {job.rule}{f' ({job.wildcards})' if job.wildcards else ''}")
        text = written_since(job.log, started)
        end = (ends or {}).get(next(iter(job.output), "")) or end_of(text, "")
        if text is not None:
            lines.append(f"    The end of {job.log}:")
            lines += [f"      {line}" for line in text.splitlines()[-_LAST_LINES:]]
        elif end.kind != "refused":
            lines.append(f"    It wrote nothing into its log{f', {job.log}' if job.log else ''}.")
        if end.line:
            lines.append(f"    {'Slurm' if on_cluster else 'Snakemake'} says: {end.line[:_LONGEST_LINE]}")
        lines.append(f"    Next: {next_step(end, job.rule, on_cluster)}")
        cluster = Path("results", "slurm_logs", f"rule_{job.rule}")
        if on_cluster and end.kind != "refused" and cluster.is_dir():
            lines.append(f"    Slurm's messages about it: {cluster}/")
    if len(jobs) > _MOST_FAILURES:
        more = ", ".join(job.log or job.rule for job in jobs[_MOST_FAILURES:][:_LAST_LINES])
        lines.append(f"And {len(jobs) - _MOST_FAILURES} more; their logs: {more}")
    lines.append("Finished files are kept: the same command does only the rest.")
    return lines
