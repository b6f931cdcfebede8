"""Check whether what the attacks found of one model can be trusted.

Reads weights, the test images, and the shards (records and images) of the report's attack and of the one that it is
compared with; writes a CSV with one row per check. A check that fails is a result: it does not make the script fail.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robustness.attacks.batch_size import fitting_batch_size
from robustness.attacks.gradients import frozen
from robustness.attacks.spec import AttackSpec, read_spec
from robustness.compute import devices
from robustness.data.pixels import from_bytes
from robustness.models import architectures
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.files import read_tensors, write_text
from robustness.storage.grouping import by_key
from robustness.storage.records import read_arrays
from robustness.trust import checks as trust_checks
from robustness.trust import questions
from robustness.trust.checks import Evidence, Images, Records, Subject

_LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--records", type=Path, nargs="+", required=True, metavar="FILE", help="attacks × shards")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="the same shards")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--batch-size", type=int, help="images evaluated at a time; changes no result")
    return result


def main(options: argparse.Namespace) -> None:
    model, seed, entry, attacks, images = settings(options.spec, "model", "seed", "attack", "attacks", "images")
    title = f"trust checks of {model}, seed {seed}"
    records: dict[str, Records] = {
        name: read_arrays(*paths) for name, paths in by_key(options.records, attacks).items()
    }
    with devices.leased(options.threads) as device:
        network = architectures.load(options.weights)
        spec = read_spec(entry, architectures.classes(options.weights), title)
        attackable = frozen(network, device)
        (shown,) = read_tensors(options.test, "images", rows=slice(1))
        size = options.batch_size or fitting_batch_size(attackable, shown.shape[1:], spec, device)
        subject = Subject(network, attackable, spec, seed, size, title)
        evidence = gathered(options.test, options.adversarial, records, spec, images, device)
        total = trust_checks.evaluations(subject, evidence)
        with Progress(title, total, "evaluations") as progress, progress.counting(attackable):
            checks = trust_checks.all_checks(subject, evidence)
    for name in questions.QUESTIONS.keys() - {check.name for check in checks}:
        _LOG.info("%s is left out", name)
    for check in checks:
        _LOG.info("%s %s. %s", check.name, "passed" if check.passed else "FAILED", check.why)
    write_text(options.table, questions.as_csv(questions.rows(checks, model, seed)))


def gathered(
    test: Path,
    adversarial: Sequence[Path],
    attacks: dict[str, Records],
    spec: AttackSpec,
    count: int,
    device: torch.device,
) -> Evidence:
    """What the shards hold, for checks on the first `count` images that were attacked."""
    report = next(iter(attacks.values()))
    pixels, labels = read_tensors(test, "images", "labels", rows=slice(int(report["image"].max()) + 1))
    last = (report["required_confidence"] == spec.confidence) & (report["ended"] != "skipped")
    chosen = report["image"][last][:count]
    last_chosen = last & np.isin(report["image"], chosen)
    first_chosen = (report["required_confidence"] == spec.levels[0]) & np.isin(report["image"], chosen)
    at_cap = last & (report["ended"] == "cap")
    wrong = [records["image"][records["label_after"] != records["label"]] for records in attacks.values()]
    never = np.setdiff1d(report["image"][last], np.concatenate(wrong))

    def tensor(array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    def originals(ids: NDArray[np.int64], target: NDArray[np.int64]) -> Images:
        return Images(tensor(from_bytes(pixels[ids])), tensor(ids), labels[ids], target)

    invalid, (first, final, stopped) = _read(adversarial, [first_chosen, last_chosen, at_cap])
    return Evidence(
        attacks=attacks,
        attacked=int(last.sum()),
        recorded=sum(len(records["image"]) for records in attacks.values()),
        invalid=invalid,
        sample=originals(chosen, report["target"][last_chosen]),
        first=tensor(first),
        last=tensor(final),
        fooled_first=report["ended"][first_chosen] == "success",
        fooled_last=report["ended"][last_chosen] == "success",
        steps=report["iterations"][last_chosen],
        never=originals(never, np.full_like(never, -1)),
        stopped=Images(
            tensor(stopped), tensor(report["image"][at_cap]), report["label"][at_cap], report["target"][at_cap]
        ),
    )


def _read(paths: Sequence[Path], wanted: Sequence[NDArray[np.bool_]]) -> tuple[int, list[NDArray[np.float32]]]:
    """How many images in all shards are invalid, and the images in the wanted rows; rows count from the first shard."""
    invalid = start = 0
    found: list[list[NDArray[np.float32]]] = [[] for _ in wanted]
    for path in paths:
        (images,) = read_tensors(path, "adversarial")
        invalid += int((~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3))).sum())
        for rows, parts in zip(wanted, found, strict=True):
            here = rows[start : start + len(images)]  # none in the shards of another attack, which come after
            parts.append(images[: len(here)][here])
        start += len(images)
    return invalid, [np.concatenate(parts) for parts in found]


if __name__ == "__main__":
    run(main, arguments())
