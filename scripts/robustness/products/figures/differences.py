"""Draw what the attack added to the examples of one class: one panel per model (paper, Fig. 9, 11).

Reads the file of examples and the table of trust checks. `--spec`: dataset, models, architectures, footnote, class.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import images, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"examples": "safetensors file of attacked examples", "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec, "class"), options.trust)
    return images.differences(images.read_examples(options.examples), spec)
