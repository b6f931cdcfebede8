"""Makes the study's tables from per-image records: accuracy next to the paper's, and robustness with intervals.

Pure functions on pandas tables. Intervals come from `stats.seeds`: over images with one seed, over seeds and images
with several.
"""

from __future__ import annotations

import math

import numpy as np
import pandas

from robustness.outcome import CENSORED, Outcome
from robustness.stats.seeds import MEAN, MEDIAN, SHARE, interval, intervals
from robustness.stats.tests import Values

MEASURES = ("mean_change", "pixels_changed", "pixels_changed_any", "l0", "l1", "l2", "linf", "iterations", "ssim")
"""Columns of the records whose mean over attacked images is reported with an interval."""

MEDIANS = ("mean_change", "l2", "linf")
"""Measures whose median is reported too; an image that was not fooled counts as larger than all fooled images."""

ENDS = (Outcome.SUCCESS, *CENSORED)


def accuracy(predictions: dict[str, list[pandas.DataFrame]], published: dict[str, float | None]) -> pandas.DataFrame:
    """Tabulate test accuracy per model with a 95 % interval: Wilson's, or over several seeds (paper, Tables 1 and 2).

    `predictions` holds, per model, a table for each seed with columns label and prediction, of the same test images in
    the same order; accuracy is over all predictions of all seeds.
    """
    rows = []
    for model, tables in predictions.items():
        right = np.array([table["label"] == table["prediction"] for table in tables], np.float64)
        found = interval(SHARE, right)
        rows.append(
            {
                "model": model,
                "seeds": len(tables),
                "test_images": right.shape[1],
                "accuracy": found.estimate,
                "accuracy_low": found.low,
                "accuracy_high": found.high,
                "accuracy_published": published[model],
            }
        )
    return pandas.DataFrame(rows)


def robustness(attacks: dict[tuple[str, str], list[pandas.DataFrame]]) -> pandas.DataFrame:
    """Tabulate how attacks ended, and each measure's mean: one row per (attack, model, required confidence).

    Intervals are of 95 %. Each value holds a table of measures for each seed; a required confidence of 0 stands for
    any wrong prediction. Means are over all attacked images, those included whose attack failed (with the change they
    had reached), as in the paper's figures 6, 7, 12 and 13; `skipped` images, which the model gets wrong unchanged,
    are counted apart. Where a library's attack found nothing there is no change to measure (NaN), so its means are over
    the images that it fooled. With several seeds, each seed's mean or median is averaged over seeds.

    `censored` counts the attacked images that were not fooled. In medians (`median_<measure>`, of `MEDIANS`) these are
    larger than all others, so that a median, or with one seed a bound of its interval, is infinite where half of the
    images were not fooled; with several seeds it then has no interval (nan).
    """
    rows = []
    levels = {
        (attack, model, level): rows
        for (attack, model), tables in attacks.items()
        for level, rows in pandas.concat(tables, keys=range(len(tables)), names=["seed"]).groupby("required_confidence")
    }
    for (attack, model, level), records in levels.items():
        attacked = records[records["ended"] != Outcome.SKIPPED]
        ended = attacked["ended"].value_counts()
        row: dict[str, object] = {
            "attack": attack,
            "model": model,
            "required_confidence": level,
            "seeds": len(attacks[attack, model]),
            "attacked": len(attacked),
            Outcome.SKIPPED: len(records) - len(attacked),
            **{end: int(ended.get(end, 0)) for end in ENDS},
            "censored": len(attacked) - int(ended.get(Outcome.SUCCESS, 0)),
        }
        *measured, fooled = _by_seed_and_image(attacked.assign(fooled=attacked["ended"] == Outcome.SUCCESS))
        values = np.stack(measured)
        medians = np.where(fooled == 0, math.inf, values[[MEASURES.index(measure) for measure in MEDIANS]])
        means = zip(MEASURES, intervals(MEAN, values), strict=True)
        typical = zip((f"median_{name}" for name in MEDIANS), intervals(MEDIAN, medians), strict=True)
        for name, found in (*means, *typical):
            row[name], row[f"{name}_high"] = found.estimate, found.high
            row[f"{name}_low"] = found.low if name == "ssim" else max(found.low, 0.0)
        row["zero_gradient_share"] = attacked["zero_gradients"].sum() / max(1, attacked["iterations"].sum())
        rows.append(row)
    return pandas.DataFrame(rows)


def _by_seed_and_image(attacked: pandas.DataFrame) -> Values:
    """Return `MEASURES` and `fooled` × seeds × images; nan where one was not attacked. The index begins with `seed`."""
    columns = [*MEASURES, "fooled"]
    if attacked.empty:
        return np.full((len(columns), 1, 0), math.nan)
    wide = attacked.droplevel(1).set_index("image", append=True)[columns].astype(float).unstack("image")
    values: Values = wide.to_numpy().reshape(len(wide), len(columns), -1).swapaxes(0, 1)
    return values
