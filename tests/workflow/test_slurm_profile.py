"""What `--profile slurm` asks of a cluster, read from a dry-run; tests/slurm runs it on one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict

import pytest
import yaml
from running import ROOT, Copy

GPU_RULES = {"train_model", "attack_shard", "judge_attack", "transfer_attack", "attack_targets", "check_trust"}
GPU_RULES |= {"bound_shard"}


@pytest.fixture(scope="module")
def resources(fresh: Copy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """For each rule, the resources of its jobs as a dry-run prints them, on a cluster with other partitions."""
    copy = fresh.duplicate(tmp_path_factory.mktemp("profile"))
    profile = copy.path("slurm/config.yaml")
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace("  small: cpu ", "  small: short ").replace("  gpu: gpu ", "  gpu: a100 "))
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--dry-run"]
    ended = subprocess.run(command, cwd=copy.folder, capture_output=True, text=True, timeout=120)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert "results/paper/" in said
    found = defaultdict(set)
    for rule, block in re.findall(r"^rule (\w+):\n((?: {4}.*\n)+)", said, re.MULTILINE):
        found[rule].update(re.findall(r"^ {4}resources: (.*)$", block, re.MULTILINE))
    return dict(found)


def test_partitions_are_named_in_one_place_and_only_training_and_attacks_ask_for_a_gpu(
    resources: dict[str, set[str]],
) -> None:
    for rule, lines in resources.items():
        for line in lines:
            assert ("slurm_partition=a100" if rule in GPU_RULES else "slurm_partition=short") in line, (rule, line)
            assert ("gpu=1" in line) == (rule in GPU_RULES), (rule, line)


def test_what_the_paper_scale_leaves_out_asks_for_a_gpu_too() -> None:
    asked = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text(encoding="utf-8"))["set-resources"]
    assert all(asked[rule]["gpu"] == 1 for rule in (*GPU_RULES, "choose_step", "calibrate_noise"))


def test_every_job_has_a_time_a_memory_and_cpus(resources: dict[str, set[str]]) -> None:
    assert GPU_RULES | {"evaluate_model", "measure_attack", "prepare_data"} <= set(resources)
    for rule, lines in resources.items():
        for line in lines:
            for name in ("runtime", "mem_mb", "cpus_per_task"):
                assert re.search(rf"\b{name}=(\d+|<TBD>)", line), (rule, line)
