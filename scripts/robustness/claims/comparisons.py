"""Makes the comparisons that claims consist of: what a study says about these weights, and about the recipes.

Pure functions of a `Study`. `docs/claims.md` says why each comparison is made as it is. A comparison's fields have the
names of its keys in the configuration.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas

from robustness.analysis.believability import gain, judges_of
from robustness.claims.study import Model, Study
from robustness.stats import tests
from robustness.stats.intervals import Interval
from robustness.stats.resampling import log_odds_error, log_odds_of, log_ratio_of_medians, mean_of, median_of
from robustness.stats.seeds import DIFFERENCE, MEDIAN, SHARE, OverSeeds, Summary, distinct, interval, over_seeds
from robustness.stats.tests import Values


class Support(NamedTuple):
    """Two p-values, one for a claim (`holds`) and one against it (`fails`); nan where there is no test."""

    holds: float
    fails: float

    @property
    def p(self) -> float:
        """The two-sided p-value: twice the smaller of the two."""
        return math.nan if math.isnan(self.holds) else min(1.0, 2 * min(self))


UNKNOWN = Support(math.nan, math.nan)


@dataclass(frozen=True)
class Evidence:
    """What one comparison says: its p-values, its estimate in `unit`, and both in words."""

    weights: Support
    recipe: Support
    estimate: Interval
    unit: str
    words: str
    images: Mapping[str, int]
    """How many images of each dataset the comparison uses."""


class Comparison(ABC):
    """One comparison that a claim makes."""

    test: str
    """The tests, as the table names them."""

    uses_attack = True
    """Whether the comparison uses the attack, so that it says nothing about a model whose checks failed."""

    about_the_attack = False
    """Whether the comparison is about how the attack itself ends: a failed check explains this and does not void it."""

    @property
    @abstractmethod
    def models(self) -> tuple[Model, ...]:
        """The models that are compared."""

    @abstractmethod
    def evidence(self, study: Study) -> Evidence:
        """Return what the study says about the comparison."""

    def lacking(self, study: Study) -> str:
        """Return a sentence on what the study lacks for the comparison; empty where it has everything."""
        return ""


_PAIRED = "Wilcoxon signed-rank test (these weights); hierarchical bootstrap, Student's t over seeds (recipe)"


@dataclass(frozen=True)
class More(Comparison):
    """Says that, on the same image, one model needs more than `times` as much of a measure as another."""

    dataset: str
    measure: str
    first: str
    second: str
    times: float = 1.0

    test = _PAIRED

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return (self.dataset, self.first), (self.dataset, self.second)

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        first, second = (study.values(*model, self.measure) for model in self.models)
        weights, _ = tests.signed_rank(first[0], second[0], self.times)
        _, effect = tests.signed_rank(first[0], second[0])
        threshold = math.log(self.times)
        # An image that fooled neither model is taken as the worst case on each side.
        more = _ratio_over_seeds(first, second, both_censored=-math.inf).sides(threshold).more
        less = _ratio_over_seeds(first, second, both_censored=math.inf).sides(threshold).less
        return _ratio(study, self.models, self.measure, Support(*weights), Support(more, less), effect)


@dataclass(frozen=True)
class Alike(Comparison):
    """Says that, on the same image, two models need equally much of a measure, up to a factor of `within` either way.

    Equivalence speaks for it (two one-sided tests, Schuirmann, 1987), a difference beyond the factor against it. An
    image that fooled neither model counts for neither side.
    """

    dataset: str
    measure: str
    first: str
    second: str
    within: float

    test = f"Two one-sided tests of equivalence, and of a difference beyond the margin: {_PAIRED}"

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return (self.dataset, self.first), (self.dataset, self.second)

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        first, second = (study.values(*model, self.measure) for model in self.models)
        low, _ = tests.signed_rank(first[0], second[0], 1 / self.within)
        high, _ = tests.signed_rank(first[0], second[0], self.within)
        _, effect = tests.signed_rank(first[0], second[0])
        margin = math.log(self.within)
        # An image that fooled neither model is taken as the worst case for each side.
        least, most = (_ratio_over_seeds(first, second, both_censored=sign * math.inf) for sign in (-1, 1))
        inside = least.sides(-margin).more, most.sides(margin).less
        outside = least.sides(margin).more, most.sides(-margin).less
        weights = Support(max(low.more, high.less), min(1.0, 2 * min(high.more, low.less)))
        recipe = UNKNOWN if math.isnan(inside[0]) else Support(max(inside), min(1.0, 2 * min(outside)))
        return _ratio(study, self.models, self.measure, weights, recipe, effect)


@dataclass(frozen=True)
class Models:
    """Several models of one dataset."""

    dataset: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class MoreThanDataset(Comparison):
    """Says that images of one dataset need more than `times` as much of a measure as images of another dataset.

    An image's value is the median over its dataset's models, leaving out models that were not attacked on it. Changes
    are summed over channels, as in the paper; CIFAR has three channels, which makes its changes larger and claim 7 of
    the paper harder to bear out.
    """

    measure: str
    first: Models
    second: Models
    times: float = 1.0

    test = "Mann-Whitney U test (these weights); hierarchical bootstrap, Student's t over seeds (recipe)"

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return tuple((side.dataset, model) for side in (self.first, self.second) for model in side.models)

    def lacking(self, study: Study) -> str:  # noqa: D102
        one, other = self.first.dataset, self.second.dataset
        alphas = [study.alphas.get(dataset, math.nan) for dataset in (one, other)]
        if self.measure != "iterations" or alphas[0] == alphas[1]:
            return ""
        return (
            f"Iterations are not compared: α is {alphas[0]:g} on {one} and {alphas[1]:g} on {other}, so "
            "that their steps differ."
        )

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        one, other = self.first.dataset, self.second.dataset
        first, second = (self._typical(study, side) for side in (self.first, self.second))
        threshold = math.log(self.times)
        weights = Support(*tests.rank_sum(first[0], second[0], self.times))
        over = over_seeds(log_ratio_of_medians, *distinct(first, second))
        estimate = _exp(interval(Summary(log_ratio_of_medians), first, second))
        unit = f"times the {_NAMES[self.measure]}, {one} ÷ {other} (medians over images)"
        words = f"{one} needs {_written(estimate)} times the {_NAMES[self.measure]} of {other}"
        images = {one: _attacked(first), other: _attacked(second)}
        return Evidence(weights, Support(*over.sides(threshold)), estimate, unit, words, images)

    def _typical(self, study: Study, side: Models) -> Values:
        each = np.stack([study.values(side.dataset, model, self.measure) for model in side.models])
        attacked = ~np.isnan(each).all(axis=0)
        typical = np.full(each.shape[1:], math.nan)
        typical[attacked] = np.nanmedian(each[:, attacked], axis=0)
        return typical


@dataclass(frozen=True)
class EndsMostly(Comparison):
    """Says that more than a share of a model's attacked images end in one way."""

    dataset: str
    model: str
    how: str
    share: float

    test = (
        "Exact binomial test (these weights); hierarchical bootstrap of log odds, Student's t over seeds, and the "
        "binomial test of a typical seed's images (recipe)"
    )
    about_the_attack = True

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return ((self.dataset, self.model),)

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        ended = study.ended(self.dataset, self.model, self.how)
        known = ended[0][~np.isnan(ended[0])]
        weights = tests.binomial(int(known.sum()), known.size, self.share)
        odds = math.log(self.share / (1 - self.share))
        trainings = self._trainings(study, ended)
        over = over_seeds(log_odds_of, trainings, least=log_odds_error)
        # All trainings are attacked on the same images, and tell no more about images than a typical one does.
        yes, no = (round(float(np.mean(np.sum(trainings == end, axis=1)))) for end in (1, 0))
        of_one = tests.binomial(yes, yes + no, self.share)
        recipe = Support(*map(float, np.maximum(over.sides(odds), of_one)))
        estimate = interval(SHARE, ended)
        words = f"on {self.dataset}/{self.model} {_written(estimate)} of the attacks end in {self.how}"
        unit = f"share of attacks that end in {self.how}, {self.dataset}/{self.model}"
        images = {self.dataset: _attacked(ended)}
        return Evidence(Support(*weights), recipe, estimate, unit, words, images)

    def _trainings(self, study: Study, ended: Values) -> Values:
        """Return the seeds (rows) with attacked images; one where the weights are the same with each seed.

        The changes tell this, not the ends: different trainings may be alike in that all of their images are fooled.
        """
        known = ended[~np.isnan(ended).all(axis=1)]
        (changes,) = distinct(study.values(self.dataset, self.model, "mean_change"))
        if not len(known):
            return ended[:1]
        return known[:1] if len(changes) == 1 else known


@dataclass(frozen=True)
class MoreAccurate(Comparison):
    """Says that one model is right about more test images than another."""

    dataset: str
    first: str
    second: str

    test = "McNemar's exact test (these weights); hierarchical bootstrap, Student's t over seeds (recipe)"
    uses_attack = False

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return (self.dataset, self.first), (self.dataset, self.second)

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        first, second = (study.right(*model) for model in self.models)
        weights = Support(*tests.mcnemar(first[0], second[0]))
        over = over_seeds(mean_of, *distinct(first - second))
        estimate = interval(DIFFERENCE, first - second, within=(-1, 1))
        words = f"the accuracy of {self.first} minus the accuracy of {self.second} is {_written(estimate)}"
        unit = f"accuracy, {self.first} − {self.second}"
        return Evidence(weights, Support(*over.sides(0.0)), estimate, unit, words, {self.dataset: first.shape[1]})


@dataclass(frozen=True)
class Believable(Comparison):
    """Says that judges see the new class in a model's adversarial images more often than in sign noise.

    With a `second` model: more often than in its adversarial images. Two models are compared on the images that fooled
    both, by the judges that both have: each has the other among its judges, since no network judges its own images.
    """

    dataset: str
    first: str
    second: str | None = None

    test = _PAIRED

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return tuple((self.dataset, model) for model in (self.first, self.second) if model)

    def lacking(self, study: Study) -> str:  # noqa: D102
        unjudged = [model for dataset, model in self.models if not study.judged.get((dataset, model))]
        if unjudged:
            return f"No judges were asked about the images of {' and '.join(unjudged)} on {self.dataset}."
        if not all(map(len, self._judges(study))):
            return f"No network judges the images of both {self.first} and {self.second}."
        return ""

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        values = self._index(study)
        weights, _ = tests.signed_rank_of(values[0])
        over = over_seeds(mean_of, *distinct(values))
        estimate = interval(DIFFERENCE, values, within=(-2, 2) if self.second else (-1, 1))
        unit, words = f"index of believability, {self.first}", f"the index of {self.first}"
        if self.second:
            unit, words = f"{unit} − {self.second}", f"{words} minus the index of {self.second}"
        words = f"{words} is {_written(estimate)}"
        return Evidence(
            Support(*weights), Support(*over.sides(0.0)), estimate, unit, words, {self.dataset: _attacked(values)}
        )

    def _judges(self, study: Study) -> list[set[tuple[str, int]]]:
        """Return for each seed the judges that all compared models have."""
        seeds = zip(*(study.judged[model] for model in self.models), strict=True)
        return [set.intersection(*map(judges_of, tables)) for tables in seeds]

    def _index(self, study: Study) -> Values:
        """Return the index of each seed's images, or the difference of two; nan where not all models were fooled."""
        seeds = zip(*(study.judged[model] for model in self.models), strict=True)
        rows = []
        for tables, judges in zip(seeds, self._judges(study), strict=True):
            first, *others = (gain(table, judges) for table in tables)
            rows.append(first - others[0] if others else first)
        return pandas.concat(rows, axis=1).to_numpy(dtype=float).T


_NAMES = {
    "mean_change": "mean change",
    "pixels_changed": "pixels changed",
    "l2": "L2 norm",
    "linf": "L∞ norm",
    "iterations": "iterations",
}


def _ratio_over_seeds(first: Values, second: Values, both_censored: float) -> OverSeeds:
    """Return the median log ratio; an image that fooled neither has `both_censored`."""
    return over_seeds(median_of, *distinct(tests.log_ratios(first, second, both_censored=both_censored)))


def _ratio(
    study: Study, models: Sequence[Model], measure: str, weights: Support, recipe: Support, effect: float
) -> Evidence:
    """Return the evidence of a ratio of two models on the same images."""
    (dataset, one), (_, other) = models
    first, second = (study.values(*model, measure) for model in models)
    estimate = _exp(interval(MEDIAN, tests.log_ratios(first, second, both_censored=math.nan)))
    words = (
        f"{one} needs {_written(estimate)} times the {_NAMES[measure]} of {other} "
        f"(rank-biserial correlation {effect:.2f})"
    )
    unit = f"times the {_NAMES[measure]}, {one} ÷ {other} (median over images)"
    return Evidence(weights, recipe, estimate, unit, words, {dataset: _attacked(first + second)})


def _attacked(values: Values) -> int:
    """Return the number of images that have a value with at least one seed."""
    return int((~np.isnan(values)).any(axis=0).sum())


def _exp(logs: Interval) -> Interval:
    return Interval(*(float(np.exp(each)) for each in logs))


def _written(found: Interval) -> str:
    if math.isnan(found.estimate):
        return "unknown"
    estimate, *bounds = (f"{round(each, 9):.3g}" if math.isfinite(each) else "∞" for each in found)
    if math.isnan(found.low):
        return f"{estimate} (no interval)"
    return f"{estimate} ({bounds[0]} to {bounds[1]})"
