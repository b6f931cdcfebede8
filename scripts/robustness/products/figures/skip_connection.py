"""Draw the residual blocks, with the identity and with a convolution as shortcut (paper, Fig. 3).

Reads the description of the traced architectures (JSON). `--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import style
from robustness.figures.networks import skip_connection
from robustness.storage import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"architectures": "architectures.json"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.checked(options.spec)
    described = tables.read_architectures(options.architectures)
    return skip_connection.skip_connection(described, spec)
