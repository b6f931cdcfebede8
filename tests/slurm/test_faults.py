"""Whatever fails on a cluster, the same command ends with the same tables, and does not repeat what was safe."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clusters import Cluster, Session, all_held, held, scripts, session, told_to_end, until
from running import ROOT, TINY, Copy

# One small model, and seconds of work for each job, so that there is something to disturb.
DATASET: dict[str, Any] = yaml.safe_load((ROOT / TINY).read_text(encoding="utf-8"))["datasets"]["digits"]
OVERLAY: dict[str, Any] = {
    "study": ["few"],
    "datasets": {
        "few": DATASET
        | {
            "split": {"train": 500, "validation": 50, "test": 60},
            "alpha": 0.00002,
            "models": {"small": {"architecture": "small", "data": "noisy", "training": {"epochs": 100}}},
        }
    },
    "attacks": {"original": {"confidence": 0.99, "max_iterations": 2000}},
}
FEW = "results/tiny/few"
WEIGHTS = f"{FEW}/models/small/seed0/weights.safetensors"
SHARDS = [f"{FEW}/attacks/original/small/seed0/{images}.parquet" for images in ("0-10", "10-20")]
FIRST = "original-small-seed0-0-10"  # the first shard, as logs and states name it
SECOND = "original-small-seed0-10-20"
STATE = f"{FEW}/checkpoints/{FIRST}.safetensors"
MEASURES = f"{FEW}/attacks/original/small/seed0/measures.parquet"
PREDICTIONS = f"{FEW}/models/small/seed0/predictions.parquet"
TABLES = [f"{FEW}/tables/{name}.csv" for name in ("accuracy", "robustness")]


@pytest.fixture(scope="module")
def undisturbed(fresh: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The experiment's tables, computed on this machine without a disturbance."""
    copy = fresh.duplicate(tmp_path_factory.mktemp("undisturbed"))
    copy.run(*TABLES, overlay=OVERLAY).succeeded()
    return copy


@pytest.fixture
def without(slurm: Cluster, undisturbed: Copy, tmp_path: Path) -> Callable[..., Copy]:
    """Make a copy of the finished experiment that lacks some files and what depends on them."""

    def lacking(*names: str) -> Copy:
        copy = undisturbed.duplicate(tmp_path / "workflow")
        for name in (*names, MEASURES, TABLES[-1]):
            copy.path(name).unlink(missing_ok=True)
        return copy

    return lacking


@pytest.fixture
def attacking(without: Callable[..., Copy]) -> Copy:
    """A copy in which two shards of one attack on one model are to be computed."""
    return without(*SHARDS)


@pytest.fixture(autouse=True)
def repaired(slurm: Cluster) -> Iterator[None]:
    """After a test, every daemon runs and no job does."""
    yield
    slurm.ask("scancel", "--full", "--user", str(os.getuid()))
    slurm.up()
    until("an empty queue", lambda: not slurm.queue())


def log(copy: Copy, images: str) -> str:
    """What an attack's script wrote into the rule's log."""
    path = copy.path(f"{FEW}/logs/attack_shard/original-small-seed0-{images}.log")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def same(copy: Copy, undisturbed: Copy) -> None:
    """The rest is computed without Slurm; then the tables are as if nothing had happened, and nothing lies about."""
    copy.run(*TABLES, overlay=OVERLAY).succeeded()
    for name in (*SHARDS, MEASURES, WEIGHTS, PREDICTIONS, *TABLES):
        assert copy.path(name).read_bytes() == undisturbed.path(name).read_bytes(), name
    assert [path for path in copy.path("results").rglob(".*") if not path.name.endswith(".lock")] == []
    assert list(copy.path(f"{FEW}/checkpoints").glob("*")) == []


def one(cluster: Cluster, rule: str, images: str) -> str:
    """The number of the running job of a rule for some images."""
    start = images.replace("-", "_")
    return until(
        f"a job of {rule}", lambda: [job.number for job in cluster.running(rule) if job.comment.endswith(start)]
    )[0]


def test_a_shard_ended_by_scancel_is_submitted_again_with_what_it_had_and_goes_on(
    slurm: Cluster, attacking: Copy, undisturbed: Copy
) -> None:
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        with held(attacking, "attack_shard", FIRST) as script:
            slurm.ask("scancel", one(slurm, "attack_shard", "0-10"))
            until("SIGTERM", lambda: told_to_end(script))
        said = run.succeeded()
    assert "CANCELLED" in said
    jobs = [job for job in slurm.queue("--states=all") if job.comment.endswith("_0_10")]
    asked = [
        re.findall(r"MinMemoryNode=\S+|TimeLimit=\S+", slurm.ask("scontrol", "show", "job", job.number)) for job in jobs
    ]
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert "continuing after" in log(attacking, "0-10")
    assert "continuing after" not in log(attacking, "10-20")
    same(attacking, undisturbed)


def test_a_job_that_ends_with_a_sentence_or_is_refused_is_submitted_once_and_the_setting_is_named(
    slurm: Cluster, fresh: Copy, tmp_path: Path
) -> None:
    copy = fresh.duplicate(tmp_path / "workflow")
    few = OVERLAY["datasets"]["few"]
    too_many = {**OVERLAY, "datasets": {"few": few | {"split": {"train": 10**6, "validation": 50, "test": 60}}}}
    with session(copy, PREDICTIONS, overlay=too_many) as run:
        assert run.ended() == 1
    assert run.said().count("Error in rule prepare_data") == 1
    assert "ERROR few asks for 1000000 training and 50 validation images" in run.said()
    profile = copy.path("slurm/config.yaml")
    profile.write_text(
        profile.read_text(encoding="utf-8").replace("  small: cpu ", "  small: nosuch "), encoding="utf-8"
    )
    with session(copy, PREDICTIONS, overlay=OVERLAY) as run:
        assert run.ended() == 1
    assert run.said().count("Error in rule prepare_data") == 1
    assert "Slurm says: invalid partition specified: nosuch\n" in run.said()
    assert "Next: write your cluster's partitions into slurm/config.yaml" in run.said()


def test_a_training_over_its_time_goes_on_where_it_was_with_more_time(
    slurm: Cluster, without: Callable[..., Copy], undisturbed: Copy
) -> None:
    copy = without(WEIGHTS)
    checkpoint = copy.path(f"{FEW}/checkpoints/small-seed0.pt")
    with session(copy, WEIGHTS, overlay=OVERLAY) as run:
        with held(copy, "train_model", when=lambda _: checkpoint.exists()) as script:
            job = slurm.running("train_model")[0].number
            assert "TimeLimit=08:00:00" in slurm.ask("scontrol", "show", "job", job)
            slurm.ask("scontrol", "update", f"jobid={job}", "EndTime=now")
            until("SIGTERM at the end of the job's time", lambda: told_to_end(script))
        job = until("a second job", lambda: [each.number for each in slurm.queue() if each.number != job])[0]
        assert "TimeLimit=16:00:00" in slurm.ask("scontrol", "show", "job", job)
        run.succeeded()
    said = copy.path(f"{FEW}/logs/train_model/small-seed0.log").read_text(encoding="utf-8")
    assert "continuing after epoch" in said
    assert "epoch 1 of 100: train" not in said
    same(copy, undisturbed)


def test_a_preempted_shard_saves_its_state_in_time_and_goes_on(
    slurm: Cluster, attacking: Copy, undisturbed: Copy
) -> None:
    state = attacking.path(STATE)
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        with held(attacking, "attack_shard", FIRST) as script:
            node = next(job.node for job in slurm.running("attack_shard") if job.comment.endswith("0_10"))
            assert not state.exists()
            urgent = slurm.ask(
                *("sbatch", "--parsable", "--partition=urgent", "--gpus=1", f"--nodelist={node}", "--mem=100"),
                *("--output=/dev/null", "--wrap=sleep 1"),
            )
            until("SIGTERM at the start of the grace time", lambda: told_to_end(script))
        until("the saved state", state.exists)
        until("the urgent job", lambda: urgent not in [job.number for job in slurm.queue()])
        for job in slurm.queue("--states=pending"):  # Slurm holds a requeued job back for two minutes
            slurm.ask("scontrol", "update", f"jobid={job.number}", "StartTime=now")
        run.succeeded()
    assert "continuing after" in log(attacking, "0-10")
    same(attacking, undisturbed)


def test_when_a_node_dies_its_job_runs_on_the_other(slurm: Cluster, attacking: Copy, undisturbed: Copy) -> None:
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        with held(attacking, "attack_shard", FIRST):
            job = next(job for job in slurm.running("attack_shard") if job.comment.endswith("0_10"))
            slurm.crash(job.node)
        assert scripts(attacking, FIRST) == []
        until(
            "Slurm to put the job back",
            lambda: job.number in [each.number for each in slurm.queue("--states=pending")],
        )
        slurm.ask("scontrol", "update", f"jobid={job.number}", "StartTime=now")  # else after two minutes
        assert until("the job", lambda: slurm.running("attack_shard"))[0].node != job.node
        run.succeeded()
    same(attacking, undisturbed)


def test_slurmctld_may_be_away_for_a_while(slurm: Cluster, attacking: Copy, undisturbed: Copy) -> None:
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        with all_held(attacking, (FIRST,), (SECOND,)):
            slurm.stop("slurmctld")
        time.sleep(25)
        slurm.start("slurmctld")
        run.succeeded()
    same(attacking, undisturbed)


def finished_but_one(slurm: Cluster, run: Session, copy: Copy) -> None:
    """Wait until Snakemake knows of the second shard's end; the first stands still."""
    until("the other shard", lambda: "Finished jobid" in run.said())
    assert copy.path(SHARDS[1]).exists()
    assert len(slurm.queue()) == 1


def test_control_c_ends_all_jobs_and_the_same_command_does_the_rest(
    slurm: Cluster, attacking: Copy, undisturbed: Copy
) -> None:
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        with held(attacking, "attack_shard", FIRST) as script:
            finished_but_one(slurm, run, attacking)
            os.kill(run.process.pid, signal.SIGINT)
            until("SIGTERM to the job", lambda: told_to_end(script))
        assert run.ended() != 0
        until("an empty queue", lambda: not slurm.queue())
    before = attacking.path(SHARDS[1]).stat().st_mtime_ns
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        run.succeeded()
    assert attacking.path(SHARDS[1]).stat().st_mtime_ns == before
    assert "continuing after" in log(attacking, "0-10")
    same(attacking, undisturbed)


def test_after_a_killed_snakemake_unlock_and_the_same_command_repeat_nothing(
    slurm: Cluster, attacking: Copy, undisturbed: Copy
) -> None:
    with session(attacking, *SHARDS, overlay=OVERLAY) as run:
        with held(attacking, "attack_shard", FIRST) as script:
            finished_but_one(slurm, run, attacking)
            run.process.kill()
            run.process.wait()
            slurm.ask("scancel", slurm.queue()[0].number)  # it would run on, and its end be unknown to the next run
            until("SIGTERM to the job", lambda: told_to_end(script))
        until("an empty queue", lambda: not slurm.queue())
    before = attacking.path(SHARDS[1]).stat().st_mtime_ns
    with session(attacking, *SHARDS, overlay=OVERLAY) as again:
        assert again.ended() == 1
        assert "--unlock" in again.said()
    attacking.run("--unlock", overlay=OVERLAY).succeeded()
    with session(attacking, *SHARDS, overlay=OVERLAY) as again:
        again.succeeded()
    assert attacking.path(SHARDS[1]).stat().st_mtime_ns == before
    assert "continuing after" in log(attacking, "0-10")
    same(attacking, undisturbed)
