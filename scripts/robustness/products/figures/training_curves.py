"""Draw loss and accuracy over epochs for each model of a dataset.

Reads one history per model and seed, and the model's card next to it, which says whose history it is.
`--spec`: dataset, models, architectures, footnote.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustness.errors import UserError
from robustness.figures import style, training_curves
from robustness.storage.grouping import grouped
from robustness.storage.tables import read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"histories": ["models × seeds"], "cards": ["the card of each"]}


def draw(options: argparse.Namespace) -> Figure:
    """Read the files and draw the figure."""
    spec = style.checked(options.spec)
    history_of = {path.parent: path for path in options.histories}
    if history_of.keys() != {card.parent for card in options.cards}:
        raise UserError("--histories and --cards name different folders: give the two files of each training")
    cards = grouped(options.cards, "model", expected=[model["name"] for model in spec["models"]])
    histories = [(model, read_table(history_of[card.parent])) for model, paths in cards.items() for card in paths]
    return training_curves.training_curves(histories, spec)
