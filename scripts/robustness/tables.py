"""The study's tables, from per-image records: accuracy beside the report's, and robustness with intervals.

Pure functions on pandas tables. Intervals come from `robustness.statistics`.
"""

from __future__ import annotations

import math

import numpy as np
import pandas

from robustness.inference import over_images, pooled_median
from robustness.statistics import Interval, bootstrap_mean, wilson

MEASURES = ("mean_change", "pixels_changed", "pixels_changed_any", "l0", "l1", "l2", "linf", "iterations", "ssim")
"""Columns of the records whose mean over attacked images is reported with an interval."""

MEDIANS = ("mean_change", "l2", "linf")
"""Measures whose median is reported too, an image that was not fooled counting as larger than all that were."""

ENDS = ("success", "default_state", "cap")


def accuracy(predictions: dict[str, list[pandas.DataFrame]], published: dict[str, float | None]) -> pandas.DataFrame:
    """Test accuracy per model with a 95 % Wilson interval (report, Tables 1 and 2).

    `predictions` holds, per model, a table for each seed with columns label and prediction; accuracy is over all
    predictions of all seeds, and the interval is that of one seed's number of test images, since seeds share them.
    """
    rows = []
    for model, tables in predictions.items():
        correct = sum(int((table["label"] == table["prediction"]).sum()) for table in tables)
        images = len(tables[0])
        interval = wilson(round(correct / len(tables)), images)
        rows.append(
            {
                "model": model,
                "seeds": len(tables),
                "test_images": images,
                "accuracy": correct / (images * len(tables)),
                "accuracy_low": interval.low,
                "accuracy_high": interval.high,
                "accuracy_published": published[model],
            }
        )
    return pandas.DataFrame(rows)


def robustness(attacks: dict[tuple[str, str], list[pandas.DataFrame]]) -> pandas.DataFrame:
    """One row per (attack, model, required confidence): how attacks ended, and each measure's mean.

    Intervals are of 95 %. Each value holds a table of measures for each seed; a required confidence of 0 stands for
    any wrong prediction. Means are over all attacked images, those included whose attack failed (with the change they
    had reached), as in the report's figures 6, 7, 12 and 13; `skipped` images, which the model gets wrong unchanged,
    are counted apart. Where a library's attack found nothing there is no change to measure (NaN), so that its means are
    over the images that it fooled. With several seeds an image's value is its mean over seeds, and the bootstrap draws
    images.

    `censored` counts the attacked images that were not fooled. In medians (`median_<measure>`, of `MEDIANS`, over
    images and seeds) these are larger than all others, so that a median, or a bound of its percentile bootstrap
    interval over images, is infinite where half of the images were not fooled.
    """
    rows = []
    levels = {
        (attack, model, level): rows
        for (attack, model), tables in attacks.items()
        for level, rows in pandas.concat(tables).groupby("required_confidence")
    }
    for (attack, model, level), records in levels.items():
        attacked = records[records["ended"] != "skipped"]
        ended = attacked["ended"].value_counts()
        row: dict[str, object] = {
            "attack": attack,
            "model": model,
            "required_confidence": level,
            "seeds": len(attacks[attack, model]),
            "attacked": len(attacked),
            "skipped": len(records) - len(attacked),
            **{end: int(ended.get(end, 0)) for end in ENDS},
            "censored": len(attacked) - int(ended.get("success", 0)),
        }
        images = attacked.groupby("image")
        for measure in MEASURES:
            interval = bootstrap_mean(images[measure].mean().dropna().to_numpy(dtype=float))
            row[measure] = interval.estimate
            row[f"{measure}_low"], row[f"{measure}_high"] = interval.low, interval.high
        for measure in MEDIANS:
            interval = _median(attacked, measure)
            row[f"median_{measure}"] = interval.estimate
            row[f"median_{measure}_low"], row[f"median_{measure}_high"] = interval.low, interval.high
        row["zero_gradient_share"] = attacked["zero_gradients"].sum() / max(1, attacked["iterations"].sum())
        rows.append(row)
    return pandas.DataFrame(rows)


def _median(attacked: pandas.DataFrame, measure: str) -> Interval:
    """The median of a measure over attacked images and seeds, those that were not fooled being infinite."""
    fooled = (attacked["ended"] == "success").to_numpy()
    places, images = pandas.factorize(attacked["image"], sort=True)
    values = np.where(fooled, attacked[measure].to_numpy(dtype=float), math.inf)
    return over_images(pooled_median(values, places), (len(images),))
