"""Says how a failed job ended, what to do about it, and whether it is worth submitting again.

Reads what the job wrote into its log, what Snakemake said of it, and what Slurm wrote. Pure functions of these texts;
uses only the standard library, which every Snakemake has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SENTENCE_STATUS = 2
"""Exit status of a program that ended with a sentence for the user, as for a wrong option: the next try ends alike."""

_CLOCKS_DIFFER = 60.0
"""Seconds by which the clock of a file system may be behind."""

_MEMORY = ("oom_kill", "oom-kill", "Out Of Memory", "OUT_OF_MEMORY", "memory does not suffice", "exceeded memory limit")
_TIME = ("'TIMEOUT'", "DUE TO TIME LIMIT")
_CANCELLED = ("'CANCELLED", "CANCELLED AT")
_KILLED = ("SIGKILL", "non-zero exit status 137")
_SETTINGS = "of {rule} in slurm/config.yaml (set-resources), or under default-resources"
_REFUSED = {
    "partition": "write your cluster's partitions into slurm/config.yaml (__variables__); `sinfo -s` lists them",
    "account": "write your account into slurm/config.yaml (slurm_account)",
    "time limit": f"lower runtime {_SETTINGS}",
    "memory": f"no node has so much memory: lower mem_mb {_SETTINGS}; `sinfo -N -o '%N %m'` lists what nodes have",
    "node configuration": (
        f"no node has all that is asked for: lower mem_mb, cpus_per_task or gpu {_SETTINGS}; "
        "`sinfo -N -o '%N %m %c %G'` lists what nodes have"
    ),
}
"""What to do where sbatch refuses a job, by a word in its message."""


@dataclass(frozen=True)
class End:
    """How a job ended: `kind`, and `line`, what Slurm said about it (or nothing).

    Kinds: `sentence` (of a `UserError`: the job says what to do), `fault` (of the system, as of a disk; it says what),
    `refused` (by sbatch), `memory` and `time` (the job had too little), `stopped` (by SIGTERM, with its state
    saved), `cancelled`, `killed` (by SIGKILL), `defect`, `unknown`, and `not_started` (it wrote nothing, and nobody
    said why).
    """

    kind: str
    line: str = ""

    @property
    def again(self) -> bool:
        """Whether another try may end otherwise."""
        return self.kind not in ("sentence", "refused")

    @property
    def needs_more(self) -> bool:
        """Whether another try needs more memory or time."""
        return self.kind in ("memory", "time")


def written_since(log: str | None, started: float) -> str | None:
    """Return what a job wrote into its log, if it wrote anything after `started` (in seconds since 1970)."""
    try:
        path = Path(log or "")
        if path.stat().st_mtime < started - _CLOCKS_DIFFER:
            return None
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def end_of(log: str | None, said: str) -> End:
    """Return how a job ended, from its log (None: it wrote none), and what Snakemake and Slurm `said` about it."""
    if found := re.search(r"sbatch: error: (?!Batch job submission failed)(.+)|submission failed: (.+)", said):
        return End("refused", " ".join(word for word in found.groups() if word).rstrip("'. "))
    written = log or ""
    for kind, words in (("memory", _MEMORY), ("time", _TIME)):
        if any(word in text for word in words for text in (written, said)):
            return End(kind, _line_with(said, words))
    if "stopped by SIGTERM" in written:
        return End("stopped")
    if line := _line_with(said, _CANCELLED):
        return End("cancelled", line)
    if _line_with(said, _KILLED):  # a line that begins with the job's whole command, and says no more
        return End("killed")
    if "this is a defect of the workflow" in written:
        return End("defect")
    if f"non-zero exit status {SENTENCE_STATUS}" in said:
        return End("sentence")
    if any(" ERROR " in line for line in written.splitlines()):
        return End("fault")
    return End("unknown" if log is not None else "not_started")


def next_step(end: End, rule: str, on_cluster: bool) -> str:
    """Say what to do about a job of `rule` that ended so; `on_cluster` says whether Slurm ran it."""
    if end.kind == "refused":
        ways = (way for word, way in _REFUSED.items() if word in end.line.lower())
        return next(ways, f"change what Slurm's line says {_SETTINGS}").format(rule=rule)
    more_memory = f"raise mem_mb {_SETTINGS}".format(rule=rule) if on_cluster else "use fewer --cores"
    as_it_says = "do what the line with ERROR says, then run the same command again."
    steps = {
        "sentence": as_it_says,
        "fault": as_it_says,
        "memory": f"the memory did not suffice: {more_memory}, then run the same command again.",
        "time": f"the time did not suffice: raise runtime {_SETTINGS}, then run the same command again.".format(
            rule=rule
        ),
        "stopped": "run the same command again: the job continues where it was stopped.",
        "cancelled": "somebody cancelled the job (scancel): run the same command again.",
        "killed": (
            "run the same command again. The job was ended by SIGKILL, as the system does when memory runs out (then "
            f"`dmesg` says so: {more_memory}), or somebody ended it."
        ),
        "defect": "this error is the workflow's, not yours: report it, with the whole log.",
        "not_started": (
            "read Snakemake's message above, which says why the job could not start: often a package is missing "
            "(make install)."
        ),
        "unknown": (
            "run the same command again. The job ended without a message, as when memory runs out or somebody ends "
            f"it: if memory ran out, {more_memory}."
        ),
    }
    return steps[end.kind]


def _line_with(text: str, words: tuple[str, ...]) -> str:
    """Return the first line of a text that holds one of the words, or nothing."""
    return next((line.strip() for line in text.splitlines() if any(word in line for word in words)), "")
