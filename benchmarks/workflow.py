"""Time what a user waits for: the demo from nothing, dry-runs with nothing and with much to do, an attack job's start.

Runs Snakemake and the attack script as whole processes; writes to a folder of its own (results/bench) and prints a
table of minimum, median and maximum wall seconds, with the machine and the versions. `make bench` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path("results/bench")
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--configfile", "scales/demo.yaml", "--config", f"results={RESULTS}")


def timed(command: Sequence[str | Path]) -> float:
    """Wall seconds of one run of a command, which must succeed."""
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def many_shards(folder: Path) -> list[str | Path]:
    """A dry-run of 10,000 attack jobs with nothing done yet: 2 datasets, 4 models and 2 attacks, 625 images each."""
    datasets = ("mnist", "mnistm")
    overlay = {"shard_images": 1, "datasets": {name: {"attacked_images": 625} for name in datasets}}
    path = folder / "many.yaml"
    path.write_text(json.dumps(overlay), encoding="utf-8")  # JSON is YAML
    files = ("--configfile", "scales/demo.yaml", path)
    return [sys.executable, "-m", "snakemake", "-n", *files, "--config", f"results={RESULTS}/many"]


def start_of_a_shard() -> list[str | Path]:
    """The command that attacks a single image on the smallest trained model: imports, model and data, hardly more."""
    weights = RESULTS / "mnist/models/basic-clean/seed0/weights.safetensors"
    attack = '{"reward": "probability", "direction": "sign", "alpha": 0.01, "confidence": 0.9, "max_iterations": 1}'
    made = RESULTS / "shard"
    return [
        *(sys.executable, "scripts/attack_shard.py", "--start", "0", "--stop", "1"),
        *("--spec", f'{{"title": "start", "seed": 0, "attack": {attack}}}'),
        *("--weights", weights, "--test", RESULTS / "mnist/data/test.safetensors"),
        *("--records", made.with_suffix(".parquet"), "--adversarial", made.with_suffix(".safetensors")),
        *("--checkpoint", made.with_name("shard-state.safetensors")),
    ]


def main() -> None:
    """Run everything and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5, help="of each of the short commands")
    runs = arguments.parse_args().runs
    shutil.rmtree(ROOT / RESULTS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        many = many_shards(Path(folder))
        planned = [timed(many) for _ in range(runs)]
    rows = {
        "demo from nothing": [timed([*SNAKEMAKE, "--cores", "all"])],
        "snakemake -n, nothing to do": [timed([*SNAKEMAKE, "-n"]) for _ in range(runs)],
        "snakemake -n, 10,000 shards": planned,
        "an attack job of one image": [timed(start_of_a_shard()) for _ in range(runs)],
    }
    versions = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "torch", "numpy"))
    print(f"{os.cpu_count()} CPU cores ({platform.processor() or platform.machine()}), {versions}")
    print(f"{'wall seconds':30s} {'runs':>5s} {'min':>8s} {'median':>8s} {'max':>8s}")
    for name, seconds in rows.items():
        numbers = "".join(f" {value:8.2f}" for value in (min(seconds), statistics.median(seconds), max(seconds)))
        print(f"{name:30s} {len(seconds):5d}{numbers}")


if __name__ == "__main__":
    main()
