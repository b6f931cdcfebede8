"""Tabulates how long the jobs of a run took, from the `benchmark:` files that Snakemake wrote.

Reads those files, what each job wrote next to its log about its computing and waiting (`runtime.usage`), and the
cards of the trained models, which name the device; returns a table. Times are wall seconds of single jobs: jobs that
run at the same time overlap.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustness.errors import UserError
from robustness.runtime import usage
from robustness.storage.atomic import read_json
from robustness.storage.format_version import check_format

COLUMNS = ("dataset", "rule", "attack", "model", "jobs", "seconds", "longest", "waited", "cpu_seconds", "device")

NOT_OF_THE_RUN = ("benchmark_attack",)
"""Rules that measure times themselves; nobody waits for them."""


def run_times(
    results: Path,
    dataset: str,
    models: Sequence[str],
    attacks: Sequence[str],
    benchmarks: Mapping[str, str],
    device: str,
) -> list[dict[str, Any]]:
    """Return one row (`COLUMNS`) for each rule, attack and model: how many jobs, and their total and longest seconds.

    `benchmarks` says for each rule where Snakemake writes the times of its jobs, below the folder of the dataset:
    `benchmarks/train_model/{model}-seed{seed}.tsv`. `logs` holds a log of the same name. A row has None where the rule
    has no model or no attack. Times of models and attacks that are not among `models` and `attacks` are left out.
    `seconds` and `longest` exclude the wait for a free GPU, which is `waited`. Rows are in the order of the rules'
    names, then of `attacks` and `models`. Raises `UserError` naming a damaged file.
    """
    folder = results / dataset
    patterns = {
        rule: _pattern(path, attacks, models) for rule, path in benchmarks.items() if rule not in NOT_OF_THE_RUN
    }
    jobs: dict[tuple[str, str | None, str | None], list[tuple[float, float, float]]] = {}
    for path in sorted(folder.glob("benchmarks/**/*.tsv")):
        name = path.relative_to(folder).as_posix()
        found = next(((rule, match) for rule, pattern in patterns.items() if (match := pattern.fullmatch(name))), None)
        if found is None:
            continue
        rule, wildcards = found[0], found[1].groupdict()
        log = folder / "logs" / path.relative_to(folder / "benchmarks").with_suffix(".log")
        seconds, cpu = _times(path)
        used = _usage(log) or {"cpu_seconds": cpu, "waited_seconds": 0.0}
        waited, cpu = min(seconds, used["waited_seconds"]), used["cpu_seconds"]
        key = (rule, wildcards.get("attack"), wildcards.get("model"))
        jobs.setdefault(key, []).append((seconds - waited, waited, cpu))

    def place(key: tuple[str, str | None, str | None]) -> tuple[str, int, int]:
        rule, attack, model = key
        return rule, [None, *attacks].index(attack), [None, *models].index(model)

    rows = []
    for key in sorted(jobs, key=place):
        work, wait, cpu_seconds = zip(*jobs[key], strict=True)
        values = (dataset, *key, len(work), sum(work), max(work), sum(wait), sum(cpu_seconds), device)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def devices_of(cards: Sequence[Path]) -> str:
    """Return in words the devices that the models with these cards were trained on; empty where there is no card."""
    names: dict[str, None] = {}
    for path in cards:
        try:
            provenance = read_json(path)["provenance"]
            check_format(path, provenance)
            names[provenance["device"]] = None
        except (KeyError, TypeError, AttributeError):
            raise UserError(f"{path} is damaged: delete it and train the model again") from None
    return " and ".join(names)


def _pattern(path: str, attacks: Sequence[str], models: Sequence[str]) -> re.Pattern[str]:
    """Return what matches the files that a path with `{wildcards}` stands for, with the wildcards as groups."""
    known = {"attack": "|".join(map(re.escape, attacks)), "model": "|".join(map(re.escape, models)), "seed": r"\d+"}
    regex = re.sub(r"\\\{(\w+)\\\}", lambda each: f"(?P<{each[1]}>{known.get(each[1], '.+')})", re.escape(path))
    return re.compile(regex)


def _usage(log: Path) -> dict[str, float] | None:
    """Read what the job with this log used: `cpu_seconds`, `max_rss_mb`, `waited_seconds`; None if there is no file."""
    path = usage.path_beside(log)
    try:
        account = json.loads(path.read_text(encoding="utf-8"))
        return {key: float(account[key]) for key in ("cpu_seconds", "max_rss_mb", "waited_seconds")}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it") from None


def _times(path: Path) -> tuple[float, float]:
    """Read the wall and CPU seconds of a job, summed over repetitions; Snakemake writes `NA` if it saw too little."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        wall = sum(float(row["s"]) for row in rows)
        cpu = sum(float(row["cpu_time"]) for row in rows if row["cpu_time"] not in ("NA", "-"))
    except (KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} holds no times of a job ({error!r}): delete it") from None
    if not rows:
        raise UserError(f"{path} holds no times of a job: delete it")
    return wall, cpu
