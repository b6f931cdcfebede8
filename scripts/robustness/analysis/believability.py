"""Computes believability: do networks that took no part in an attack see the new class in its images?

Pure functions on pandas tables. The paper saw that adversarial images of one model "look like another number" and had
no measure for it (section 2.2, caveats); the answers of judges are such a measure: one index per model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pandas
from numpy.typing import NDArray

from robustness.analysis.answers import ANSWERS
from robustness.outcome import CENSORED, Outcome
from robustness.stats.seeds import MEAN, interval
from robustness.stats.tests import holm
from robustness.storage.levels import at_level


def believability(
    judged: Mapping[str, Sequence[pandas.DataFrame]],
    measures: Mapping[str, Sequence[pandas.DataFrame]],
    required_confidence: float,
) -> pandas.DataFrame:
    """Tabulate one row for each model; each has a table of judges' answers and one of measures for every seed.

    `new_label`, `original` and `neither` are shares of the judges' answers on adversarial images, `new_label_noise`
    and `original_noise` on the same images with noise of the same L2 norm. `index` = `new_label` − `new_label_noise`,
    from −1 to 1, with its 95 % interval (`stats.seeds.interval` of its mean over images).
    `p` belongs to a one-sided Wilcoxon signed-rank test that the index is above zero, paired over images (an image of
    several seeds counts with its mean), so it is about these networks; `p_holm` is corrected over the
    models. `ssim` is the mean over the judged images. `images` (judged) and `censored` (attacked, not fooled, and so
    without a new label) count images of all seeds; `judges` is the number of judges of each. Where no image was fooled
    all but the counts is nan.

    The judges of two models are not the same networks, as none judges its own images, and the images that fooled them
    are not the same either: to compare two models, see claim 11 (`robustness.claims.comparisons.Believable`).
    """
    rows = [
        {"model": model, **_row(tables, [at_level(table, required_confidence) for table in measures[model]])}
        for model, tables in judged.items()
    ]
    table = pandas.DataFrame(rows)
    table.insert(5, "p_holm", holm(table["p"].tolist()))
    return table


def _row(judged: Sequence[pandas.DataFrame], measures: Sequence[pandas.DataFrame]) -> dict[str, float]:
    measured = pandas.concat(measures)
    fooled = measured["ended"] == Outcome.SUCCESS
    adversarial, noise = _shares(judged, "adversarial"), _shares(judged, "noise")
    gains = [gain(table) for table in judged]
    index = interval(MEAN, pandas.concat(gains, axis=1).to_numpy(dtype=float).T, within=(-1, 1))
    return {
        "index": index.estimate,
        "low": index.low,
        "high": index.high,
        "p": _above_zero(pandas.concat(gains).groupby(level="image").mean().to_numpy(dtype=float)),
        "new_label": adversarial["new"],
        "original": adversarial["original"],
        "neither": adversarial["neither"],
        "new_label_noise": noise["new"],
        "original_noise": noise["original"],
        "ssim": measured.loc[fooled, "ssim"].mean(),
        "images": int(fooled.sum()),
        "censored": int(measured["ended"].isin(CENSORED).sum()),
        "judges": max(len(judges_of(table)) for table in judged),
        "seeds": len(judged),
    }


def _shares(judged: Sequence[pandas.DataFrame], kind: str) -> pandas.Series:
    """Return the share of each answer on images of one kind: the mean over seeds; nan where no seed has images."""
    answered = [table.loc[table["kind"] == kind, "answer"] for table in judged if len(table)]
    shares = [answer.value_counts(normalize=True).reindex(list(ANSWERS), fill_value=0.0) for answer in answered]
    return pandas.DataFrame(shares, columns=list(ANSWERS), dtype=float).mean()


def judges_of(judged: pandas.DataFrame) -> set[tuple[str, int]]:
    """Return the networks that answered: their model and seed."""
    return set(judged[["judge", "judge_seed"]].drop_duplicates().itertuples(index=False, name=None))


def gain(judged: pandas.DataFrame, judges: AbstractSet[tuple[str, int]] | None = None) -> pandas.Series:
    """Return for each image the share of judges who choose the new label on it, minus the share on its noise.

    `judges` are the judges who count, with model and seed; by default all of them.
    """
    if judges is not None:
        names = pandas.MultiIndex.from_frame(judged[["judge", "judge_seed"]])
        judged = judged[names.isin(list(judges))]
    new = judged.assign(new=judged["answer"] == "new")
    share = new.pivot_table(values="new", index="image", columns="kind", aggfunc="mean")
    return share["adversarial"] - share["noise"] if len(share) else pandas.Series(dtype=float, index=share.index)


def _above_zero(gains: NDArray[np.float64]) -> float:
    """The p-value of a one-sided Wilcoxon signed-rank test; 1 where no value differs from zero, nan where none is."""
    from scipy.stats import wilcoxon

    if not len(gains):
        return math.nan
    return float(wilcoxon(gains, alternative="greater").pvalue) if gains.any() else 1.0
