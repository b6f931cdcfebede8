"""Time what a user waits for: a first figure, the demo, an empty run, an edited figure, a job in a new Python.

Runs whole processes and writes to folders of its own (results/bench); prints a table of minimum, median and maximum
seconds, and the median in units. A unit is what `python -c "import torch"` takes on the same machine in the same
minutes: one run of it before and after each command. Dry-runs are compared with a Snakefile of one rule that has as
many jobs with as many files, the two in turn. `make bench` runs it.
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
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path("results/bench")
DATASET = "mnist"
SNAKEMAKE = (sys.executable, "-m", "snakemake")
DEMO = ("--configfile", "scales/demo.yaml", "--config", f"results={RESULTS}")
FIRST_LOOK = ("--configfile", "scales/demo.yaml", "scales/first-look.yaml", "--config", f"results={RESULTS}/first")
FIGURES = RESULTS / DATASET / "figures"

ONE_RULE = """
rule all:
    input: expand("out/{{n}}.a", n=range({jobs}))

rule one:
    input: "a.txt", "b.txt"
    output: "out/{{n}}.a", "out/{{n}}.b"
    log: "logs/{{n}}.log"
    benchmark: "benchmarks/{{n}}.tsv"
    params: spec=lambda wildcards: f"settings of {{wildcards.n}}"
    shell: "touch {{output}} # {{params.spec}} {{input}} {{log}}"
"""


def timed(command: Sequence[str | Path], folder: Path = ROOT) -> float:
    """Wall seconds of one run of a command, which must succeed."""
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def unit() -> float:
    """Wall seconds of importing torch."""
    return timed([sys.executable, "-c", "import torch"])


def many_shards(folder: Path) -> list[str | Path]:
    """A dry-run of 10,000 attack jobs with nothing done yet: 2 datasets, 4 models and 2 attacks, 625 images each."""
    datasets = ("mnist", "mnistm")
    overlay = {"shard_images": 1, "datasets": {name: {"attacked_images": 625} for name in datasets}}
    path = folder / "many.yaml"
    path.write_text(json.dumps(overlay), encoding="utf-8")  # JSON is YAML
    files = ("--configfile", "scales/demo.yaml", path)
    return [*SNAKEMAKE, "-n", *files, "--config", f"results={RESULTS}/many"]


def one_rule(folder: Path, jobs: int) -> Path:
    """A folder with a Snakefile of one rule with `jobs` jobs."""
    folder.mkdir()
    (folder / "Snakefile").write_text(ONE_RULE.format(jobs=jobs), encoding="utf-8")
    for name in ("a.txt", "b.txt"):
        (folder / name).touch()
    return folder


def jobs_of(folder: Path) -> int:
    """How many jobs wrote a benchmark file below a folder."""
    return sum(1 for _ in folder.rglob("benchmarks/**/*.tsv"))


def redraw(pattern: str) -> float:
    """Wall seconds of drawing a dataset's figures of these names again, from a run that has made everything."""
    for path in (ROOT / FIGURES).glob(pattern):
        path.unlink()
    return timed([*SNAKEMAKE, "--cores", "all", FIGURES, *DEMO])


def cold(rule: str) -> Callable[[], float]:
    """Runs the job of a rule that draws or computes for the first model, in a new Python, as on a cluster."""
    command = next(
        note["shellcmd"]
        for path in sorted((ROOT / ".snakemake" / "metadata").rglob("*"))
        if path.is_file()
        for note in [json.loads(path.read_text(encoding="utf-8"))]
        if note.get("rule") == rule and f"{RESULTS}/{DATASET}/" in (note.get("shellcmd") or "")
    )
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, check=True, capture_output=True)
        return time.perf_counter() - started

    return run


class Table:
    """Collects rows and prints them."""

    def __init__(self) -> None:
        head = "".join(f"{word:>9s}" for word in ("runs", "min s", "median s", "max s", "units"))
        print(f"{'':44s}{head}", flush=True)

    def row(self, name: str, seconds: Sequence[float], units: Sequence[float]) -> None:
        """Print a row: seconds, and the median in units."""
        median = statistics.median(seconds)
        numbers = "".join(f"{value:9.2f}" for value in (min(seconds), median, max(seconds)))
        print(f"{name:44s}{len(seconds):9d}{numbers}{median / statistics.median(units):9.1f}", flush=True)

    def measured(self, name: str, runs: int, once: Callable[[], float]) -> float:
        """Run something several times, with a unit before each and after the last, and print its row."""
        seconds, units = [], [unit()]
        for _ in range(runs):
            seconds.append(once())
            units.append(unit())
        self.row(name, seconds, units)
        return statistics.median(seconds)

    def paired(self, name: str, runs: int, ours: Callable[[], float], other: Callable[[], float]) -> None:
        """Run two things in turn, and print a row for each and the ratios."""
        units, pairs = [unit()], []
        for _ in range(runs):
            pairs.append((ours(), other()))
            units.append(unit())
        first, second = zip(*pairs, strict=True)
        self.row(name, first, units)
        self.row("  a Snakefile of one rule", second, units)
        ratios = sorted(a / b for a, b in pairs)
        print(f"  ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


def main() -> None:
    """Run everything and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5, help="of each of the short commands")
    arguments.add_argument("--long-runs", type=int, default=1, help="of the demo, the first look and the largest plans")
    options = arguments.parse_args()
    shutil.rmtree(ROOT / RESULTS, ignore_errors=True)
    versions = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "torch", "numpy"))
    print(f"{os.cpu_count()} CPU cores ({platform.processor() or platform.machine()}), {versions}")
    table = Table()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        looked = [f"{RESULTS}/first/mnist/figures/{figure}.png" for figure in ("examples_7", "mean_change")]
        table.measured(
            "first look", options.long_runs, lambda: timed([*SNAKEMAKE, "--cores", "all", *looked, *FIRST_LOOK])
        )
        table.measured("demo", options.long_runs, lambda: timed([*SNAKEMAKE, "--cores", "all", *DEMO]))
        few = one_rule(folder / "few", jobs_of(ROOT / RESULTS / DATASET) + jobs_of(ROOT / RESULTS / "mnistm"))
        timed([*SNAKEMAKE, "--cores", "all", "--quiet", "all"], few)
        empty = [*SNAKEMAKE, "-n", *DEMO]
        table.paired("nothing to do", options.runs, lambda: timed(empty), lambda: timed([*SNAKEMAKE, "-n"], few))
        many, command = one_rule(folder / "many", 10_000), many_shards(folder)
        table.paired(
            "a plan of 10,000 shards",
            options.long_runs,
            lambda: timed(command),
            lambda: timed([*SNAKEMAKE, "-n"], many),
        )
        started = statistics.median([timed(empty) for _ in range(options.runs)])
        figures = len([path for path in (ROOT / FIGURES).iterdir() if path.suffix == ".svg"])
        all_figures = table.measured(f"drawing {figures} figures again", options.runs, partial(redraw, "*"))
        print(f"  each, beyond an empty run: {(all_figures - started) / figures:.2f} s")
        one_figure = table.measured("drawing one figure again", options.runs, partial(redraw, "mean_change.*"))
        print(f"  beyond an empty run: {one_figure - started:.2f} s")
        for rule in ("plot_bars", "plot_training_curves", "tabulate_robustness", "evaluate_model"):
            table.measured(f"a job of {rule} in a new Python", options.runs, cold(rule))


if __name__ == "__main__":
    main()
