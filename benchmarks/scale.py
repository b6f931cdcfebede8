"""Measure what the workflow adds to the work of its jobs, and what a second node brings, with shards of a minute.

Writes to results/scale, and starts and ends the small Slurm of the tests (as root, on Debian). Four shards of one
attack are computed three times: on this machine one after the other, on one node of the Slurm, and on both. Printed are
the wall seconds, the seconds that the jobs themselves took (Snakemake's `benchmark:` files, the start of Python
included), and by how much the first exceeds the second. `make bench-scale` runs it; two nodes need two idle cores.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path("results/scale")
CLUSTER = ROOT / "tests/slurm/cluster.sh"
SHARDS = 4


def overlay(images: int) -> dict[str, object]:
    """The demo's digits and one of its models, attacked in four shards."""
    dataset = {
        "split": {"train": 3500, "validation": 500, "test": 1000},
        "attacked_images": SHARDS * images,
        "alpha": 0.001,  # small steps, so that so few images take a minute
        "example_classes": ["7"],
    }
    return {"results": str(RESULTS), "study": ["mnist"], "shard_images": images, "datasets": {"mnist": dataset}}


def snakemake(configuration: Path, *options: str) -> float:
    """Wall seconds of one run of Snakemake on the shards, which must succeed."""
    folder = RESULTS / "mnist/attacks/strong/resnet-noisy/seed0"
    images = json.loads(configuration.read_text(encoding="utf-8"))["shard_images"]
    shards = [f"{folder}/{start}-{start + images}.parquet" for start in range(0, SHARDS * images, images)]
    files = ("--configfile", "scales/demo.yaml", str(configuration))
    command = [sys.executable, "-m", "snakemake", *shards, *options, *files]
    started = time.perf_counter()
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stdout}")
    return time.perf_counter() - started


def work() -> list[float]:
    """The seconds that each shard's job took."""
    found = []
    for path in sorted((ROOT / RESULTS / "mnist/benchmarks/attack_shard").glob("strong-resnet-noisy-*.tsv")):
        with path.open(encoding="utf-8") as lines:
            found += [float(row["s"]) for row in csv.DictReader(lines, delimiter="\t")]
    return found


def forget() -> None:
    """Remove the shards, and keep the data and the model."""
    shutil.rmtree(ROOT / RESULTS / "mnist/attacks", ignore_errors=True)
    shutil.rmtree(ROOT / RESULTS / "mnist/benchmarks/attack_shard", ignore_errors=True)


def row(name: str, slots: int, wall: float) -> str:
    """One line of the table."""
    seconds = work()
    ideal = sum(seconds) / slots
    jobs = f"{min(seconds):.0f} to {max(seconds):.0f}"
    return f"{name:28s} {wall:8.1f} {sum(seconds):10.1f} {jobs:>12s} {wall / ideal - 1:10.1%}"


def main() -> None:
    """Run everything and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=int, default=250, help="of a shard, at most 250: a minute on a fast core")
    images = arguments.parse_args().images
    profile = ("--profile", "slurm", "--jobs", str(SHARDS))
    cluster = Path(tempfile.mkdtemp(prefix="slurm"))
    environment = {**os.environ, "SLURM_CONF": str(cluster / "slurm.conf")}
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "scale.yaml"
        configuration.write_text(json.dumps(overlay(images)), encoding="utf-8")  # JSON is YAML
        snakemake(configuration, "--cores", "all")  # data, model; the shards are computed for nothing
        lines, walls = [], []
        forget()
        lines.append(row("this machine, one at a time", 1, snakemake(configuration, "--cores", "1")))
        subprocess.run(["bash", str(CLUSTER), "up", str(cluster)], check=True, stdout=subprocess.DEVNULL)
        try:
            for name, nodes, state in (("Slurm, one node", 1, "drain"), ("Slurm, two nodes", 2, "resume")):
                subprocess.run(
                    ["scontrol", "update", "nodename=node2", f"state={state}", "reason=benchmark"],
                    env=environment,
                    check=True,
                )
                forget()
                walls.append(snakemake(configuration, *profile))
                lines.append(row(name, nodes, walls[-1]))
        finally:
            subprocess.run(["bash", str(CLUSTER), "down", str(cluster)], check=False)
    versions = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "torch"))
    print(f"{os.cpu_count()} CPU cores ({platform.processor() or platform.machine()}), {versions}")
    print(f"{'':28s} {'wall s':>8s} {'work s':>10s} {'a job, s':>12s} {'more':>10s}")
    print("\n".join(lines))
    print(f"two nodes take 1/{walls[0] / walls[1]:.2f} of the time of one")


if __name__ == "__main__":
    main()
