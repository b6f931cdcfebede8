"""The attack toward each class, as the report's conclusion asks: of which images, and what it took.

Pure functions on arrays and pandas tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from robustness.outcome import Outcome

if TYPE_CHECKING:
    import pandas

CHANGES = ("mean_change", "l2", "linf")
"""The measures of a change whose medians are tabulated."""


class Pairs(NamedTuple):
    """Test images, by number, with the class that each shall be turned into; both (N,)."""

    images: NDArray[np.int64]
    targets: NDArray[np.int64]


def pairs(labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int, each: int) -> Pairs:
    """The first `each` test images of each class that the model classifies correctly, toward every other class.

    `labels` and `predictions` are those of all test images, in order. A class that has fewer gives what it has.
    """
    right = np.flatnonzero(labels == predictions)
    chosen = [right[labels[right] == label][:each] for label in range(classes)]
    images = np.concatenate([np.zeros(0, np.int64), *chosen]).repeat(classes - 1)
    others = np.arange(classes - 1)[None, :] + np.zeros((len(images) // (classes - 1), 1), np.int64)
    own = labels[images].reshape(others.shape)
    return Pairs(images, (others + (others >= own)).flatten())


def targeted(records: Mapping[str, Sequence[pandas.DataFrame]], classes: Sequence[str]) -> pandas.DataFrame:
    """One row for each model, true class, target class and required confidence; each model has records per seed.

    `images` and `success` count images and those of them that came to be seen as the target with the required
    confidence, over all seeds. `median_<measure>` is the median change that this took, an image for which it failed
    having needed infinitely much: it is infinite where half or more failed. A pair without images has no row.
    """
    import pandas

    rows = []
    for model, tables in records.items():
        together = pandas.concat(tables)
        together = together[together["ended"] != Outcome.SKIPPED]
        for key, table in together.groupby(["required_confidence", "label", "target"]):
            level, label, target = cast("tuple[float, int, int]", key)
            reached = table["ended"] == Outcome.SUCCESS
            medians = {f"median_{name}": table[name].where(reached, np.inf).median() for name in CHANGES}
            names = {"class": classes[int(label)], "target": classes[int(target)]}
            row = {"model": model, **names, "required_confidence": level}
            counts = {"images": len(table), Outcome.SUCCESS: int(reached.sum())}
            rows.append(row | counts | medians | {"seeds": len(tables)})
    columns = ["model", "class", "target", "required_confidence", "images", Outcome.SUCCESS]
    return pandas.DataFrame(rows, columns=[*columns, *(f"median_{name}" for name in CHANGES), "seeds"])
