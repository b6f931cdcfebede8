"""How a failed job ended, what is said about it, and which jobs are submitted again with what."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from robustness.runtime.job_ends import SENTENCE_STATUS, End, end_of, next_step, written_since
from robustness.workflow.failures import Failures

SENTENCE = "2026 ERROR alpha is too large: lower it"
STATUS = "Command 'python …' returned non-zero exit status {}."
REFUSED = (
    "SLURM sbatch failed. The error message was 'sbatch: error: {}\n"
    "sbatch: error: Batch job submission failed: Requested node configuration is not available'."
)
ENDED = "SLURM-job '2' failed, SLURM status is: '{}'. Detailed failure reason unavailable"


@pytest.mark.parametrize(
    ("log", "said", "kind"),
    [
        (None, "", "not_started"),
        (SENTENCE, "", "fault"),
        ("… ERROR Stale file handle while using a", STATUS.format(1), "fault"),
        (SENTENCE, STATUS.format(SENTENCE_STATUS), "sentence"),
        (None, STATUS.format(SENTENCE_STATUS), "sentence"),
        ("… ERROR this is a defect of the workflow, not of your input\nTraceback", STATUS.format(1), "defect"),
        ("… ERROR x: stopped by SIGTERM, as when a job's time is over", ENDED.format("FAILED"), "stopped"),
        ("… INFO epoch 1 of 4", "", "unknown"),
        ("… INFO epoch 1 of 4", "Command 'python …' died with <Signals.SIGKILL: 9>.", "killed"),
        (None, STATUS.format(137), "killed"),
        ("… ERROR the memory does not suffice (MemoryError): run fewer jobs", STATUS.format(1), "memory"),
        (None, "slurmstepd: error: Detected 1 oom_kill event in StepId=2.batch.", "memory"),
        (None, ENDED.format("OUT_OF_MEMORY"), "memory"),
        ("… INFO epoch 1 of 4", ENDED.format("TIMEOUT"), "time"),
        ("… stopped by SIGTERM", "slurmstepd: error: *** JOB 2 ON n CANCELLED AT … DUE TO TIME LIMIT ***", "time"),
        (None, ENDED.format("CANCELLED by 0"), "cancelled"),
        (None, REFUSED.format("invalid partition specified: nosuch"), "refused"),
    ],
)
def test_how_a_job_ended_follows_from_its_log_and_what_was_said(log: str | None, said: str, kind: str) -> None:
    assert end_of(log, said).kind == kind


@pytest.mark.parametrize(
    ("end", "on_cluster", "words"),
    [
        (End("not_started"), False, "make install"),
        (End("defect"), False, "report it"),
        (End("stopped"), False, "continues where it was stopped"),
        (End("fault"), False, "do what the line with ERROR says"),
        (End("sentence"), False, "do what the line with ERROR says"),
        (End("unknown"), False, "if memory ran out, use fewer --cores"),
        (
            End("killed"),
            False,
            "ended by SIGKILL, as the system does when memory runs out (then `dmesg` says so: use few",
        ),
        (End("killed"), True, "raise mem_mb of train_model in slurm/config.yaml"),
        (End("memory"), True, "raise mem_mb of train_model in slurm/config.yaml"),
        (End("memory"), False, "use fewer --cores"),
        (End("time"), True, "raise runtime of train_model in slurm/config.yaml"),
        (End("cancelled"), True, "somebody cancelled the job"),
    ],
)
def test_the_next_step_names_the_setting_to_change(end: End, on_cluster: bool, words: str) -> None:
    assert words in next_step(end, "train_model", on_cluster)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("invalid partition specified: nosuch", "write your cluster's partitions into slurm/config.yaml"),
        ("Memory specification can not be satisfied", "no node has so much memory: lower mem_mb of train_model"),
        ("Requested time limit is invalid (missing or exceeds some limit)", "lower runtime of train_model"),
        ("Invalid account or account/partition combination specified", "partition"),
        ("Unable to allocate resources: Invalid account", "write your account into slurm/config.yaml"),
        ("something new", "change what Slurm's line says of train_model in slurm/config.yaml"),
    ],
)
def test_a_request_that_slurm_refuses_is_answered_with_the_setting_to_change(line: str, words: str) -> None:
    end = end_of(None, REFUSED.format(line))
    assert end.line == line
    assert words in next_step(end, "train_model", on_cluster=True)


def test_a_log_of_an_earlier_run_counts_for_nothing(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(SENTENCE)
    assert written_since(str(log), 0.0) == SENTENCE
    os.utime(log, (1000.0, 1000.0))
    assert written_since(str(log), 5000.0) is None
    assert written_since(str(tmp_path / "none"), 0.0) is None


@dataclass
class Running:
    """What Snakemake has of a job that runs."""

    jobid: int = 7
    restart_times: int = 2
    attempt: int = 1

    @property
    def _attempt(self) -> int:
        return self.attempt

    @_attempt.setter
    def _attempt(self, value: int) -> None:
        self.attempt = value

    def is_group(self) -> bool:
        return False


def attempts(messages: list[str], log: str = "") -> list[int]:
    """The attempt of each try of a job that fails with one message after the other, as Snakemake counts."""
    job = Running()
    hear = Failures(lambda: [job], started=0.0)
    tried = []
    for message in messages:
        tried.append(job.attempt)
        fields = {"event": SimpleNamespace(name="JOB_ERROR"), "jobid": 7, "rule_msg": message, "output": ["a.csv"]}
        assert hear(logging.makeLogRecord({"msg": "Error in rule", "log": [log] if log else [], **fields}))
        if job.restart_times <= job.attempt - 1:
            break
        assert hear(logging.makeLogRecord({"msg": "Trying to restart job 7."}))
        job.attempt += 1
    return tried


def test_a_job_that_ended_with_a_sentence_is_not_submitted_again_and_one_that_met_a_fault_is(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(SENTENCE)
    assert attempts([ENDED.format("FAILED") + STATUS.format(SENTENCE_STATUS)] * 5, str(tmp_path / "log")) == [1]
    assert attempts([ENDED.format("FAILED") + STATUS.format(1)] * 5, str(tmp_path / "log")) == [1, 1, 1]


def test_a_job_that_slurm_refuses_is_not_submitted_again() -> None:
    assert attempts([REFUSED.format("invalid partition specified: nosuch")] * 5) == [1]


def test_a_job_that_was_cancelled_is_submitted_again_with_what_it_had_as_often_as_was_asked_for() -> None:
    assert attempts([ENDED.format("CANCELLED")] * 5) == [1, 1, 1]


def test_only_after_an_end_for_memory_or_time_a_job_asks_for_more() -> None:
    cancelled, memory, time = (ENDED.format(status) for status in ("CANCELLED", "OUT_OF_MEMORY", "TIMEOUT"))
    assert attempts([memory] * 5) == [1, 2, 3]
    assert attempts([cancelled, memory, cancelled]) == [1, 1, 2]
    assert attempts([time, cancelled, memory]) == [1, 2, 2]


def test_an_exception_is_that_of_the_job_whose_files_its_command_names() -> None:
    hear = Failures(list, started=0.0)
    for name, end in (("a.csv", "died with <Signals.SIGKILL: 9>"), ("b.csv", "returned non-zero exit status 2")):
        text = f"RuleException:\nCommand 'python plot.py --table {name}' {end}."
        hear(logging.makeLogRecord({"msg": text, "event": SimpleNamespace(name="ERROR")}))
    for name in ("b.csv", "a.csv"):
        fields = {"event": SimpleNamespace(name="JOB_ERROR"), "jobid": 1, "rule_msg": None, "output": [name], "log": []}
        hear(logging.makeLogRecord({"msg": "Error in rule", **fields}))
    assert {name: end.kind for name, end in hear.ends.items()} == {"a.csv": "killed", "b.csv": "sentence"}
