"""How many images a second each network trains on, and which share of the device's peak that is.

Takes the steps of `robustness.training.loop` on random images that are on the device; networks take turns, round by
round. FLOP are counted by PyTorch over a forward and backward pass; the peak is a large matrix product's in the same
precision, measured in the same minutes: bfloat16 on a GPU, float32 on a CPU. Prints a table and writes it as CSV.
`make bench-training` runs it (SCALE=paper for the paper's networks); needs no images, and writes nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.compute import compilation, devices, hardware  # noqa: E402
from robustness.config import model_entry  # noqa: E402
from robustness.config.overlays import merged  # noqa: E402
from robustness.config.validate import read_yaml  # noqa: E402
from robustness.models import architectures, placement  # noqa: E402
from robustness.models.image_shape import ImageShape  # noqa: E402
from robustness.runtime.progress import Progress  # noqa: E402
from robustness.storage.atomic import write_text  # noqa: E402
from robustness.storage.tables import as_csv  # noqa: E402
from robustness.training import checkpoint, loop  # noqa: E402
from robustness.workflow.specs import budgeted  # noqa: E402


@dataclass(frozen=True)
class Network:
    """A network that is ready to train: takes `steps` steps of `batch_size` images when called; FLOP per image."""

    name: str
    batch_size: int
    flop: float
    compiled: str
    run: Callable[[], object]


def networks(config: dict[str, Any], device: torch.device, options: argparse.Namespace) -> list[Network]:
    """Each model of each dataset, as it is configured. Models that come with their weights are left out."""
    found = []
    for dataset in config["study"]:
        entry = config["datasets"][dataset]
        shape, classes = ImageShape(*entry["image_size"]), len(entry["classes"])
        for name, model in entry["models"].items():
            if model_entry.is_given(model):
                continue
            recipe = loop.Recipe(
                **config["training"] | model.get("training", {}),
                augmentation=model.get("augmentation", entry.get("augmentation")) if model["data"] == "noisy" else None,
                adversarial=budgeted(entry["adversarial"]) if model["data"] == "adversarial" else None,
            )
            images = entry["split"]["train"]
            _, architecture = model_entry.architecture(config, model)
            arguments = (architecture, shape, classes, recipe, images, device, options)
            found.append(network(f"{dataset}/{name}", *arguments))
    return found


def network(
    name: str,
    architecture: dict[str, Any],
    shape: ImageShape,
    classes: int,
    recipe: loop.Recipe,
    images: int,
    device: torch.device,
    options: argparse.Namespace,
) -> Network:
    """The network, warmed up; compiled where a training of so many images would be."""
    torch.manual_seed(0)
    batch = options.batch_size or recipe.batch_size
    recipe = loop.Recipe(**vars(recipe) | {"batch_size": batch})
    model = placement.placed(architectures.build(architecture, shape, classes), device)
    made = loop.Images(
        torch.randint(0, 256, (batch * options.steps, shape.channels, shape.height, shape.width), dtype=torch.uint8),
        torch.randint(0, classes, (batch * options.steps,)),
    )
    made = loop.Images(made.pixels.to(device), made.labels.to(device))
    # A step of the attack on training images is a forward pass, and a backward pass for the images alone.
    attacked = recipe.adversarial["pgd_steps"] if recipe.adversarial else 0
    flop = counted_flop(model, shape, device) * (1 + 2 / 3 * attacked)
    mode = compilation.mode_for(options.compile, device, flop * images * recipe.epochs)
    passes: Callable[[torch.Tensor], torch.Tensor] = model
    pixels, _ = made.batch(torch.arange(batch, device=device))
    passing = loop.passes_in(device, loop.bearable(model, pixels, loop.precision(device)))
    if mode is not None:
        passes = compilation.compiled(model, pixels, passing, mode)
    optimiser = loop.optimiser_of(model, recipe)

    def run(steps: int) -> checkpoint.Begun:
        rows = slice(0, batch * steps)
        part = loop.Images(made.pixels[rows], made.labels[rows])
        with Progress(name, steps, "steps", interval=float("inf")) as progress:
            return loop.train_epoch(model, passes, passing, optimiser, part, recipe, 0, 0, progress)

    run(min(3, options.steps))
    compiled = "no" if passes is model else str(mode)
    return Network(name, batch, flop, compiled, partial(run, options.steps))


def counted_flop(model: torch.nn.Module, shape: ImageShape, device: torch.device) -> float:
    """FLOP of training on one image: a forward and a backward pass, a multiply-add as two."""
    from torch.utils.flop_counter import FlopCounterMode

    images = torch.zeros(2, shape.channels, shape.height, shape.width, device=device)
    with FlopCounterMode(display=False) as counter:
        model.train()(images).sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / len(images)


def rows_of(found: list[Network], seconds: dict[str, list[float]], peak: float, steps: int) -> list[dict[str, Any]]:
    """One row per network: images per second (median, smallest, largest over the rounds) and the share of the peak."""
    rows = []
    for each in found:
        rates = [each.batch_size * steps / value for value in seconds[each.name]]
        median = statistics.median(rates)
        rows.append(
            {
                "network": each.name,
                "batch_size": each.batch_size,
                "compiled": each.compiled,
                "rounds": len(rates),
                "images_per_second": median,
                "images_per_second_min": min(rates),
                "images_per_second_max": max(rates),
                "gflop_per_image": each.flop / 1e9,
                "tflop_per_second": median * each.flop / 1e12,
                "share_of_peak": median * each.flop / peak,
            }
        )
    return rows


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="overlays over config.yaml")
    parser.add_argument("--steps", type=int, default=20, help="of the optimiser in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, help="instead of the configuration's")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU")
    parser.add_argument("--compile", default="auto", metavar="HOW", help=", ".join(compilation.CHOICES))
    parser.add_argument("--table", type=Path, default=ROOT / "results/bench/training.csv", metavar="CSV")
    return parser


def main() -> None:
    """Measure, print and write."""
    options = arguments().parse_args()
    config = merged(ROOT, map(read_yaml, options.configfile))
    os.environ["ROBUSTNESS_PYTHON_PATH"] = config["python_path"]
    with devices.leased(options.threads) as device:
        torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True  # as train_model.py does
        dtype, size = (torch.bfloat16, 8192) if device.type == "cuda" else (torch.float32, 1024)
        found = networks(config, device, options)
        seconds: dict[str, list[float]] = {each.name: [] for each in found}
        peaks = []
        for _ in range(options.rounds):
            peaks.append(hardware.matmul_peak(device, dtype, size))
            for each in found:
                seconds[each.name].append(hardware.timed(device, each.run)[0])
        rows = rows_of(found, seconds, max(peaks), options.steps)
        setting = {
            "device": devices.describe(device),
            "cpu": hardware.cpu_name(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "precision": str(dtype).removeprefix("torch."),
            "peak_tflop_per_second": max(peaks) / 1e12,
            "steps": options.steps,
        }
    options.table.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.table, as_csv([row | setting for row in rows]))
    print(readable(rows, setting))


def readable(rows: list[dict[str, Any]], setting: dict[str, Any]) -> str:
    """The table as text for a terminal."""
    shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in setting.items()}
    heads = f"{'network':28s}{'batch':>6s}{'compiled':>16s}{'images/s: median, min, max':>34s}"
    lines = [", ".join(f"{key} {value}" for key, value in shown.items()), f"{heads}{'TFLOP/s':>9s}{'of peak':>9s}"]
    for row in rows:
        rates = "".join(f" {row[f'images_per_second{name}']:10.1f}" for name in ("", "_min", "_max"))
        lines.append(
            f"{row['network']:28s}{row['batch_size']:6d}{row['compiled']:>16s}{rates:>34s}"
            f"{row['tflop_per_second']:9.3g}{row['share_of_peak']:9.1%}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
