"""How long a scale would take on one GPU, calculated from its FLOP: nothing is run, and nothing of it is measured.

Counts each network's FLOP, multiplies them with the configuration's images and epochs and with the steps that an image
needs under attack, and divides by rates that are assumed (the options). Prints the Markdown table of
docs/paper-scale.md: `python benchmarks/budget.py --configfile scales/paper.yaml`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.attacks.spec import alike  # noqa: E402
from robustness.config import model_entry  # noqa: E402
from robustness.config.overlays import merged  # noqa: E402
from robustness.config.validate import read_yaml  # noqa: E402
from robustness.models import architectures, describe  # noqa: E402
from robustness.models.image_shape import ImageShape  # noqa: E402
from robustness.training import loop  # noqa: E402

STEPS = {
    ("mnist", "basic-clean"): 19.2,
    ("mnist", "basic-noisy"): 37.7,
    ("mnist", "resnet-clean"): 16.2,
    ("mnist", "resnet-noisy"): 75.9,
    ("cifar", "resnet-clean"): 27.7,
    ("cifar", "resnet-noisy"): 23.9,
    ("cifar", "deep_resnet-clean"): 79.6,
    ("cifar", "deep_resnet-noisy"): 35.6,
}
"""Steps per image until a wrong class has probability 0.9, measured at the default scale: narrow networks, 400 images.

Both attacks took as many, to two tenths. Of the deep network's 250 images, 4 went to the cap of 1,000 steps.
"""

CHECKED = 0.4
"""Share of steps that are decided anew in float32 where gradients are TF32.

0.12 to 0.54, measured on ResNets of the default scale, 32 images each, up to 0.9 and 0.99 (which images are looked at
again does not need a GPU).
"""


def main() -> None:
    """Print the table."""
    options = arguments().parse_args()
    config = merged(ROOT, map(read_yaml, options.configfile))
    print("| model | GFLOP per image | epochs | training, s | steps per image | attacks, s |")
    print("|---|---|---|---|---|---|")
    totals = [0.0, 0.0]
    for dataset in config["study"]:
        entry = config["datasets"][dataset]
        for name, model in entry["models"].items():
            if (dataset, name) not in STEPS:  # a model of somebody's own
                continue
            forward = gflops(model_entry.architecture(config, model)[1], entry)
            epochs = (config["training"] | model.get("training", {}))["epochs"]
            flop = loop.flop_per_image(forward) * entry["split"]["train"] * epochs
            trained = flop / (options.training * 1e12)
            steps = STEPS[dataset, name] * options.steps_factor
            attacked = sum(
                entry["attacked_images"] * (steps + 1) * seconds_per_evaluation(forward, attack["gradients"], options)
                for attack in evaluated(config["attacks"])
            )
            totals = [totals[0] + trained, totals[1] + attacked]
            numbers = f"{forward:.3g} | {epochs} | {trained:.0f} | {steps:.0f} | {attacked:.0f}"
            print(f"| {entry['title']}, {name} | {numbers} |")
    print(f"| all | | | {totals[0]:.0f} | | {totals[1]:.0f} |")


def evaluated(attacks: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The attacks that pay for their steps: the first of each that differ in the reward alone, since these share them.

    Measured on each of the demo's models, on 30 to 1,000 images: two attacks together took as many evaluations as the
    longer one of them alone.
    """
    found: list[dict[str, Any]] = []
    for attack in attacks.values():
        if not any(alike(attack, other) for other in found):
            found.append(attack)
    return found


def seconds_per_evaluation(forward: float, precision: str, options: argparse.Namespace) -> float:
    """Seconds of one forward and backward pass to the pixels, and of a float32 forward pass where that is checked."""
    passes = (
        2e9 * forward / (1e12 * {"float32": options.float32, "tf32": options.tf32}.get(precision, options.training))
    )
    return passes + (0.0 if precision == "float32" else CHECKED * 1e9 * forward / (1e12 * options.float32))


def gflops(architecture: dict[str, Any], dataset: dict[str, Any]) -> float:
    """GFLOP of one forward pass of one image."""
    shape = ImageShape(*dataset["image_size"])
    with torch.device("meta"):
        model = architectures.build(architecture, shape, len(dataset["classes"]))
    return describe.summarise(model, shape).gflops


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="overlays over config.yaml")
    parser.add_argument("--training", type=float, default=320, help="TFLOP/s assumed in bfloat16: 40 %% of 800")
    parser.add_argument("--tf32", type=float, default=160, help="TFLOP/s assumed in TF32: 40 %% of 400")
    parser.add_argument("--float32", type=float, default=33, help="TFLOP/s assumed in float32: 60 %% of 55")
    parser.add_argument(
        "--steps-factor", type=float, default=1, help="on the steps per image: 2 up to probability 0.99"
    )
    return parser


if __name__ == "__main__":
    main()
