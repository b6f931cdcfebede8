"""Robust accuracy under a threat model: the share of test images that no attack fools within a budget.

Pure functions on pandas tables. What is reported is the worst case, image by image, of AutoAttack and of all attacks of
ours; an image that the model gets wrong as it is counts as not robust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from numpy.typing import NDArray

from robustness.config.threat_models import NORMS, is_within
from robustness.stats.seeds import SHARE, interval
from robustness.storage.columns.bounded import NOTHING, UNCHANGED

SHARES = ("clean", "robust", "ours")
"""What has a share of images with its interval: right unchanged, robust against everything, robust against ours."""


def robust_accuracy(
    found: Mapping[str, Sequence[pandas.DataFrame]],
    ours: Mapping[str, Sequence[Sequence[pandas.DataFrame]]],
    budgets: Mapping[str, Sequence[float]],
    attacks: Sequence[str],
) -> pandas.DataFrame:
    """One row for each model, norm and budget, over the images that AutoAttack was given.

    `found` has AutoAttack's records of each model, a table for each seed; `ours` the measures of each of our attacks,
    also by seed. Of ours a change counts that is within the budget and whose image is classified wrongly, at whatever
    required confidence it was recorded.

    - `clean_accuracy`, `robust_accuracy`, `ours_accuracy`: shares of the `images`, with 95 % intervals over images, or
      over seeds (`stats.seeds.interval`). Robust against AutoAttack and ours; `ours_accuracy` against ours alone.
    - `both`, `only_autoattack`, `only_ours` and `neither` count the images of all seeds that are right unchanged, by
      who fooled them.
    - `decided_<attack>`: how many images each of AutoAttack's `attacks`, which are tried in this order, fooled first;
      also one that took the place of another, which so few classes do not allow.
    """
    seen = {name for tables in found.values() for table in tables for name in table["decided_by"].unique()}
    names = [*attacks, *sorted(seen - {*attacks, NOTHING, UNCHANGED})]
    rows = [
        {"model": model, "norm": norm, "budget": budget} | _row(tables, ours[model], norm, budget, names)
        for model, tables in found.items()
        for norm in NORMS
        for budget in budgets.get(norm, ())
    ]
    return pandas.DataFrame(rows)


def _row(
    found: Sequence[pandas.DataFrame],
    ours: Sequence[Sequence[pandas.DataFrame]],
    norm: str,
    budget: float,
    names: Sequence[str],
) -> dict[str, float]:
    chosen = [table[(table["norm"] == norm) & (table["budget"] == budget)].set_index("image") for table in found]
    decided = np.array([table["decided_by"] for table in chosen], dtype=object)
    by_us = np.array(
        [_fooled(tables, table.index, norm, budget) for tables, table in zip(ours, chosen, strict=True)], dtype=bool
    )
    right = decided != UNCHANGED
    by_autoattack = right & (decided != NOTHING)
    by_us &= right
    shares = {"clean": right, "robust": right & ~by_autoattack & ~by_us, "ours": right & ~by_us}
    row: dict[str, float] = {"seeds": len(found), "images": right.shape[1]}
    for name in SHARES:
        share = interval(SHARE, shares[name].astype(float))
        row |= {f"{name}_accuracy": share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}
    return (
        row
        | {
            "both": int((by_autoattack & by_us).sum()),
            "only_autoattack": int((by_autoattack & ~by_us).sum()),
            "only_ours": int((by_us & ~by_autoattack).sum()),
            "neither": int(shares["robust"].sum()),
        }
        | {f"decided_{name.replace('-', '_')}": int((decided == name).sum()) for name in names}
    )


def _fooled(tables: Sequence[pandas.DataFrame], images: pandas.Index, norm: str, budget: float) -> NDArray[np.bool_]:
    """Which of the images any of our attacks has a change of within the budget that the model gets wrong."""
    together = pandas.concat(tables)
    changed = together[(together["label_after"] != together["label"]) & is_within(together[norm], budget)]
    return np.asarray(images.isin(changed["image"]))
