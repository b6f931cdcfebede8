"""Time the attack on one model and other ways to run it, all on the same test images.

Reads weights and the first test images; writes a CSV with one row per way, which names the machine, and logs the same
as text. Times depend on the machine: running it again gives other times.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from robustness.attacks.spec import read_spec
from robustness.benchmarking.timing import gflop_per_evaluation, measure, readable, summarise
from robustness.compute import devices
from robustness.compute.hardware import cpu_name, matmul_peaks
from robustness.data.pixels import from_bytes
from robustness.models import weights
from robustness.models.image_shape import ImageShape
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_text
from robustness.storage.tables import as_csv
from robustness.storage.tensors import read_tensors

_LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--batch-size", type=int, default=128, help="images evaluated at a time")
    return result


def main(options: argparse.Namespace) -> None:
    title, entry, seed, count, rounds = settings(options.spec, "title", "attack", "seed", "images", "rounds")
    pixels, labels = read_tensors(options.test, "images", "labels", rows=slice(count))
    model = weights.load(options.weights)
    with devices.leased(options.threads) as device:
        measurement = measure(
            model,
            torch.from_numpy(from_bytes(pixels)).to(device),
            torch.from_numpy(labels).to(device),
            torch.arange(len(labels), device=device),
            read_spec(entry, weights.classes(options.weights), title),
            seed=seed,
            batch_size=options.batch_size,
            rounds=rounds,
            title=title,
        )
        peaks = {name: peak and peak / 1e9 for name, peak in matmul_peaks(device).items()}
        setting = measured_on(device) | {"batch_size": options.batch_size, "seed": seed, "attack": json.dumps(entry)}
    gflop = gflop_per_evaluation(model, ImageShape(*pixels.shape[1:]))
    rows = summarise(measurement, batch_size=options.batch_size, gflop=gflop, peaks=peaks)
    setting |= {"gflop_per_evaluation": gflop} | {f"{name}_gflop_per_second": peak for name, peak in peaks.items()}
    write_text(options.table, as_csv([row | setting for row in rows]))
    _LOG.info(
        "%s\n%s\n%s", title, ", ".join(f"{key} {value}" for key, value in written(setting).items()), readable(rows)
    )


def measured_on(device: torch.device) -> dict[str, Any]:
    """Return columns that say what the times were measured on; adv_lib is None where it is not installed."""
    try:
        adv_lib = version("adv-lib")
    except PackageNotFoundError:
        adv_lib = None
    return {
        "device": devices.describe(device),
        "cpu": cpu_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "adv_lib": adv_lib,
    }


def written(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's values as the table shows them."""
    return {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()}


if __name__ == "__main__":
    run(main, arguments())
