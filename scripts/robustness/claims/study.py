"""Holds what was measured on the models, to judge the claims by: one table for each model and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas

from robustness.outcome import Outcome
from robustness.stats.censoring import censored, changes
from robustness.stats.tests import Values

Model = tuple[str, str]
"""A dataset's key and a model's name."""


@dataclass(frozen=True)
class Study:
    """The measurements that claims are judged by; datasets and models that are not studied are absent.

    `measures` and `predictions` hold a table for each seed; the measures are of one attack, at its confidence. `judged`
    holds the judges' answers to that attack for each seed, `trust` a table of checks for each dataset that has one, and
    `alphas` the attack's step on each dataset.
    """

    measures: Mapping[Model, Sequence[pandas.DataFrame]]
    predictions: Mapping[Model, Sequence[pandas.DataFrame]]
    alphas: Mapping[str, float] = field(default_factory=dict)
    judged: Mapping[Model, Sequence[pandas.DataFrame]] = field(default_factory=dict)
    trust: Mapping[str, pandas.DataFrame] = field(default_factory=dict)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return max(map(len, self.measures.values()), default=0)

    def values(self, dataset: str, model: str, measure: str) -> Values:
        """Return a measure of each seed and image: inf where an image was not fooled, nan where not attacked."""
        return changes(self.measures[dataset, model], measure)

    def ended(self, dataset: str, model: str, how: str) -> Values:
        """Return for each seed and image whether the attack ended as `how` says: 1 or 0; nan where not attacked."""
        tables = [table.sort_values("image")["ended"] for table in self.measures[dataset, model]]
        return np.stack([np.where(ended == Outcome.SKIPPED, math.nan, ended == how) for ended in tables])

    def right(self, dataset: str, model: str) -> Values:
        """Return for each seed and test image whether the model is right: 1 or 0."""
        tables = [table.sort_values("image") for table in self.predictions[dataset, model]]
        return np.stack([(table["label"] == table["prediction"]).to_numpy(float) for table in tables])

    def censored(self, models: Sequence[Model]) -> int:
        """Count how often an image was attacked and not fooled, over models and seeds."""
        return sum(censored(self.measures[model]) for model in models)

    def distrusted(self, models: Sequence[Model]) -> dict[Model, list[str]]:
        """Return which of the models failed checks, with the sentences of the failed checks."""
        found = {}
        for dataset, model in models:
            if dataset in self.trust:
                checks = self.trust[dataset]
                failed = checks[(checks["model"] == model) & ~checks["passed"].astype(bool)]
                if len(failed):
                    found[dataset, model] = list(dict.fromkeys(failed["why"]))
        return found
