"""Draw training images beside what the noisy models see of them (report, Fig. 1).

Reads a file of images and their augmented draws; writes the figure as SVG and PNG. `--spec`: dataset, models,
architectures, footnote, augmentation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robustness.figures import images, style
from robustness.runtime import cli
from robustness.storage.tensors import read_tensors


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="safetensors file: original and augmented images")
    style.add_outputs(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Draw and save."""
    spec = style.checked(options.spec, "augmentation")
    original, augmented = read_tensors(options.samples, "original", "augmented")
    style.save(images.training_noise(original, augmented, spec), options.svg, options.png)


if __name__ == "__main__":
    cli.run(main, arguments())
