"""Compares our attacks with the smallest change that a library's attacks find, image by image.

Pure functions on pandas tables of measures. An attack that takes more change than another would have needed makes a
model look more robust than it is; the ratio of the two, per image, says by how much.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas

from robustness.errors import UserError
from robustness.outcome import Outcome
from robustness.stats.seeds import FINITE_RATIO, by_seed, interval
from robustness.storage.levels import ARGMAX, at_level

NORMS = ("linf", "l2")
"""Columns of the measures by which attacks are compared."""

NORM_OF = {"fmn": "linf", "apgd": "linf", "ddn": "l2", "deepfool": "l2"}
"""The norm by which each method of a library looks for the smallest change."""

Measures = Mapping[tuple[str, str], list[pandas.DataFrame]]
"""The measures of each (attack, model): a table for each seed."""

_LOG = logging.getLogger(__name__)


def comparison(ours: Measures, theirs: Measures, methods: Mapping[str, str]) -> pandas.DataFrame:
    """Tabulate one row for each of our attacks, model and norm that a comparator looks for.

    `methods` gives the method of each comparator, by its name. Our attacks continue to a confident wrong answer;
    compared is the change at which they reached any wrong class (`required_confidence` 0), since comparators stop
    there. Counts are over images and seeds, `skipped` images left out:

    - `attacked`, and of these `both` (fooled by our attack and by at least one comparator), `only_ours`,
      `only_comparators` and `neither`;
    - `success`, `median`: the share that our attack fooled and the median norm of its change, where an image that it
      did not fool counts as infinite; `success_<name>`, `median_<name>`: the same for each comparator of this norm,
      empty for comparators of the other norm;
    - `ratio`: the median over images, where both succeeded, of our norm divided by the smallest norm that any
      comparator succeeded with, with its 95 % interval (`ratio_low`, `ratio_high`; `stats.seeds.interval`) and its
      quartiles (`ratio_quarter`, `ratio_three_quarters`). With several seeds it is the geometric mean of their medians,
      and quartiles are over images, of each image's mean over seeds.

    An attack of ours without records for any wrong class is left out, with a warning that says how to get them; raises
    `UserError` where none has them.
    """
    any_wrong = {key: [at_level(table, ARGMAX) for table in tables] for key, tables in ours.items()}
    lacking = list(dict.fromkeys(attack for (attack, _), tables in any_wrong.items() if not any(map(len, tables))))
    sentences = [
        f"attack {attack} did not record the change at which any wrong class was reached, where comparators stop: add "
        f"`argmax` to attacks.{attack}.other_confidences"
        for attack in lacking
    ]
    if len(lacking) == len({attack for attack, _ in ours}):
        raise UserError("; ".join(sentences))
    for sentence in sentences:
        _LOG.warning("%s; it is left out of the table", sentence)
    rows = []
    for (attack, model), tables in any_wrong.items():
        for norm in NORMS:
            names = [name for name, method in methods.items() if NORM_OF[method] == norm]
            if not names or attack in lacking:
                continue
            seeds = zip(tables, *(theirs[name, model] for name in names), strict=True)
            of_seeds = [_distances(["", *names], seed, norm) for seed in seeds]
            distances = pandas.concat(of_seeds, keys=range(len(of_seeds)), names=["seed"])
            row = {"attack": attack, "model": model, "norm": norm, "seeds": len(tables)}
            rows.append(row | _compared(distances[""], distances[names], methods))
    return pandas.DataFrame(rows)


def _distances(names: list[str], tables: tuple[pandas.DataFrame, ...], norm: str) -> pandas.DataFrame:
    """Return the norm of each attack's change, a column for each attack, a row for each image that none skipped.

    It is infinite where the attack failed.
    """
    columns = {}
    for name, table in zip(names, tables, strict=True):
        attacked = table[table["ended"] != Outcome.SKIPPED].set_index("image")
        columns[name] = attacked[norm].where(attacked["ended"] == Outcome.SUCCESS, math.inf)
    return pandas.concat(columns, axis=1, join="inner")


def _compared(ours: pandas.Series, theirs: pandas.DataFrame, names: Iterable[str]) -> dict[str, float]:
    """Return a row of the table from the norms of our attack and of its comparators, by seed and image.

    `names` are the comparators with columns.
    """
    best = theirs.min(axis=1)
    we, they = np.isfinite(ours), np.isfinite(best)
    of_seeds = (ours / best)[we & they]
    ratio = interval(FINITE_RATIO, by_seed(of_seeds))
    ratios = of_seeds.groupby(level="image").mean()
    quarter, three_quarters = (ratios.quantile(share) for share in (0.25, 0.75))
    row: dict[str, float] = {
        "attacked": len(ours),
        "both": int((we & they).sum()),
        "only_ours": int((we & ~they).sum()),
        "only_comparators": int((they & ~we).sum()),
        "neither": int((~we & ~they).sum()),
        "ratio": ratio.estimate,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "ratio_quarter": quarter,
        "ratio_three_quarters": three_quarters,
        "success": float(we.mean()),
        "median": _median(ours),
    }
    for name in names:
        row[f"success_{name}"] = float(np.isfinite(theirs[name]).mean()) if name in theirs else math.nan
        row[f"median_{name}"] = _median(theirs[name]) if name in theirs else math.nan
    return row


def _median(distances: pandas.Series) -> float:
    """Return the median of norms, some of which may be infinite; nan where there are none."""
    return float(np.median(distances)) if len(distances) else math.nan
