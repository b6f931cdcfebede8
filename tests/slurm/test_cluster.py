"""The tiny experiment on a Slurm: all of it, with GPUs where they are asked for, and the same tables and figures."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from clusters import Cluster, session
from running import DIGITS, Copy, changed

# Each job says in Slurm's log, which this keeps, where it ran and which GPU it was given.
PROBE = 'shell.prefix("echo probe $SLURMD_NODENAME gpu=${{CUDA_VISIBLE_DEVICES:-none}}; ")\n'
LARGER_SHARDS = {"shard_images": 20}
GPU_RULES = {"train_model", "attack_shard", "judge_attack", "transfer_attack", "attack_targets", "check_trust"}


@pytest.fixture(scope="module")
def local(fresh: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The experiment on this machine, without Slurm."""
    copy = fresh.duplicate(tmp_path_factory.mktemp("local"))
    copy.run(DIGITS, overlay=LARGER_SHARDS).succeeded()
    return copy


@pytest.fixture(scope="module")
def clustered(slurm: Cluster, fresh: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The experiment on Slurm, with the logs of jobs that succeeded kept."""
    copy = fresh.duplicate(tmp_path_factory.mktemp("clustered"))
    with (
        changed(copy.path("Snakefile"), PROBE),
        session(copy, "--slurm-keep-successful-logs", DIGITS, overlay=LARGER_SHARDS) as run,
    ):
        run.succeeded(seconds=900)
    return copy


def probed(copy: Copy) -> dict[str, set[tuple[str, str]]]:
    """For each rule, the nodes and GPUs of its jobs."""
    found = defaultdict(set)
    for path in copy.path("results/slurm_logs").rglob("*.log"):
        rule = path.relative_to(copy.path("results/slurm_logs")).parts[0].removeprefix("rule_")
        for node, gpu in re.findall(r"^probe (\S+) gpu=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[rule].add((node, gpu))
    return dict(found)


def results(copy: Copy) -> dict[str, bytes]:
    """The tables and figures."""
    paths = [path for part in ("tables", "figures") for path in copy.path(f"{DIGITS}/{part}").iterdir()]
    return {str(path.relative_to(copy.folder)): path.read_bytes() for path in paths}


def test_tables_and_figures_are_those_of_a_run_without_slurm_byte_for_byte(clustered: Copy, local: Copy) -> None:
    ours, theirs = results(clustered), results(local)
    assert len(ours) > 15
    assert sorted(ours) == sorted(theirs)
    assert [name for name, content in ours.items() if content != theirs[name]] == []


def test_training_and_attacks_got_a_gpu_and_no_other_job_did(clustered: Copy) -> None:
    gpus = {rule: {gpu for _, gpu in jobs} for rule, jobs in probed(clustered).items()}
    assert GPU_RULES.issubset(gpus)
    assert {rule for rule, found in gpus.items() if found != {"none"}} == GPU_RULES
    assert {gpu for rule in GPU_RULES for gpu in gpus[rule]} == {"0"}  # each node's only one


def test_jobs_ran_on_both_nodes(clustered: Copy) -> None:
    assert {node for jobs in probed(clustered).values() for node, _ in jobs} == {"node1", "node2"}


def test_nothing_is_left_to_do_and_no_half_written_file(clustered: Copy) -> None:
    with session(clustered, "--dry-run", DIGITS, overlay=LARGER_SHARDS) as run:
        assert "Nothing to be done" in run.succeeded()
    assert leftovers(clustered) == []


def leftovers(copy: Copy) -> list[Path]:
    """Temporary files and saved states."""
    hidden = [path for path in copy.path("results").rglob(".*") if not path.name.endswith(".lock")]
    return hidden + list(copy.path(f"{DIGITS}/checkpoints").glob("*"))
