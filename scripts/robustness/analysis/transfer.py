"""Computes transfer: does a change that fools one model fool another, and into the same mistake? Models × models.

Pure functions on arrays and pandas tables. Every change is brought to the same size first, since larger ones fool more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robustness.analysis.clipping_aware_rescaling import NORMS

if TYPE_CHECKING:
    import pandas


def common_size(sizes: Iterable[NDArray[np.float64]]) -> float:
    """Return the size that all changes are brought to: the largest of the models' medians, where it is finite.

    `sizes` has, for each model, the norm of the change that each attacked image needed, infinite where the attack
    failed. So the most robust model is fooled by half of its own images' changes, and every other one by more. Where
    all medians are infinite, the largest finite norm; nan where no image was fooled.
    """
    sizes = list(sizes)
    medians = [float(np.median(each)) for each in sizes if len(each)]
    finite = [median for median in medians if math.isfinite(median)]
    if not finite:
        finite = [float(norm) for each in sizes for norm in each if math.isfinite(norm)]
    return max(finite, default=math.nan)


def transfer(transferred: Mapping[str, Sequence[pandas.DataFrame]], censored: Mapping[str, int]) -> pandas.DataFrame:
    """Tabulate one row for each source, target and norm, from one table of transferred images per source and seed.

    Source and target of an image have the same seed. `images` counts the images (of all seeds) that fooled the source
    and that the target classifies correctly unchanged. Shares of these: `not_fooled`, `same_mistake`
    (the target chooses the wrong class that the source chooses on the same rescaled image), `other_mistake`; `fooled`
    is the sum of the last two, with its 95 % interval (`stats.seeds.interval`). `fooled_by_noise` is the share of the
    same images that random signs of the same size fool. `censored` are the source's attacked images that were not
    fooled, which have no change to transfer.
    """
    import pandas

    rows = []
    for source, tables in transferred.items():
        together = pandas.concat(tables, keys=range(len(tables)), names=["seed", None]).set_index("image", append=True)
        for norm in NORMS:
            for target in transferred:
                chosen = together[(together["norm"] == norm) & (together["target"] == target)]
                rows.append(
                    {"source": source, "target": target, "norm": norm, "size": chosen["size"].max()}
                    | _row(chosen.droplevel(1))
                    | {"censored": censored[source], "seeds": len(tables)}
                )
    return pandas.DataFrame(rows)


def _row(transferred: pandas.DataFrame) -> dict[str, Any]:
    """Return what became of the changes; the index is of seeds and images."""
    from robustness.stats.seeds import SHARE, by_seed, interval

    table = transferred[transferred["target_before"] == transferred["label"]]
    images = len(table)
    fooled = table["target_after"] != table["label"]
    same = fooled & (table["target_after"] == table["source_after"])
    found = interval(SHARE, by_seed(fooled))
    return {
        "not_fooled": (~fooled).mean(),
        "same_mistake": same.mean(),
        "other_mistake": (fooled & ~same).mean(),
        "fooled": fooled.mean(),
        "fooled_low": found.low,
        "fooled_high": found.high,
        "fooled_by_noise": (table["noise_after"] != table["label"]).mean(),
        "images": images,
    }
