"""Tabulates the change that the attack toward each class needed, as the paper's conclusion asks.

Pure functions on pandas tables; `attacks.targets` chooses the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas

from robustness.outcome import Outcome

CHANGES = ("mean_change", "l2", "linf")
"""The measures of a change whose medians are tabulated."""


def targeted(records: Mapping[str, Sequence[pandas.DataFrame]], classes: Sequence[str]) -> pandas.DataFrame:
    """Tabulate one row for each model, true class, target and required confidence; each model has records per seed.

    `images` counts images over all seeds, and `success` the images that came to be seen as the target with the required
    confidence. `median_<measure>` is the median change that this took, where a failed image counts as infinite: it is
    infinite where half or more failed. A pair without images has no row.
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
