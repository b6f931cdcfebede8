"""Draw robustness curves: the share of attacked images that changes up to each size fool, one line per model.

Reads the measures of one attack on every model and seed and the table of trust checks. `--spec`: dataset, models,
architectures, footnote, panels.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.figures import robustness_curves, style
from robustness.storage.grouping import grouped
from robustness.storage.records import read_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"measures": ["models × seeds"], "trust": "trust.csv"}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.with_trust(style.checked(options.spec, "panels"), options.trust)
    names = ["image", "ended", "required_confidence", *dict.fromkeys(panel["measure"] for panel in spec["panels"])]
    files = grouped(options.measures, "model", expected=[model["name"] for model in spec["models"]])
    tables = {
        model: [dict(zip(names, read_columns(path, *names), strict=True)) for path in paths]
        for model, paths in files.items()
    }
    return robustness_curves.robustness_curves(tables, spec)
