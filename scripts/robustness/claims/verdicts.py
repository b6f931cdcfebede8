"""The report's claims, and what this study says of each: about these weights, and about the recipes.

Pure functions on pandas tables: measures of the attack, predictions, the judges' answers, the table of trust checks.
A claim is a conjunction of comparisons (`Comparison`). It holds when each of them does (intersection-union: the largest
p-value counts) and does not hold when one of them is reversed (the smallest, times their number); in all other cases it
is undecided. `docs/claims.md` says why each is read as it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas

from robustness.analysis.believability import gain, judges_of
from robustness.outcome import Outcome
from robustness.stats import resampling
from robustness.stats.censoring import censored, changes
from robustness.stats.intervals import Interval, wilson
from robustness.stats.resampling import OverSeeds, Statistic, Values

LEVEL = 0.05
"""Share of false verdicts that is accepted, over all claims of the table together."""

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"

COLUMNS = (
    "claim",
    "dataset",
    "sentence",
    "estimate",
    "low",
    "high",
    "unit",
    "test",
    "p",
    "p_holm",
    "verdict",
    "why",
    "weights_p",
    "weights_p_holm",
    "weights_verdict",
    "seeds",
    "images",
    "censored",
    "not_trustworthy",
)

Model = tuple[str, str]
"""A dataset's key and a model's name."""

BASIC, NOISY_BASIC, RESNET, NOISY_RESNET = "basic-clean", "basic-noisy", "resnet-clean", "resnet-noisy"
DEEP, NOISY_DEEP = "deep_resnet-clean", "deep_resnet-noisy"
MNIST, CIFAR = "mnist", "cifar"
MODELS = {MNIST: (BASIC, NOISY_BASIC, RESNET, NOISY_RESNET), CIFAR: (RESNET, NOISY_RESNET, DEEP, NOISY_DEEP)}
"""The report's models; the keys are those of config.yaml."""


# ---- what was measured ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """What there is to answer claims from; datasets and models that are not studied are absent.

    `measures` and `predictions` hold a table for each seed; measures are those of one attack at its confidence.
    `judged` holds the judges' answers to that attack for each seed; `trust` a table for each dataset that has one;
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
        """A measure of each seed and image: inf where the image was not fooled, nan where it was not attacked."""
        return changes(self.measures[dataset, model], measure)

    def ended(self, dataset: str, model: str, how: str) -> Values:
        """Whether the attack on each seed's image ended in that way: 1 or 0; nan where it was not attacked."""
        tables = [table.sort_values("image")["ended"] for table in self.measures[dataset, model]]
        return np.stack([np.where(ended == Outcome.SKIPPED, math.nan, ended == how) for ended in tables])

    def right(self, dataset: str, model: str) -> Values:
        """Whether the model is right about each seed's test image: 1 or 0."""
        tables = [table.sort_values("image") for table in self.predictions[dataset, model]]
        return np.stack([(table["label"] == table["prediction"]).to_numpy(float) for table in tables])

    def censored(self, models: Sequence[Model]) -> int:
        """How often an image was attacked and not fooled, over models and seeds."""
        return sum(censored(self.measures[model]) for model in models)

    def distrusted(self, models: Sequence[Model]) -> dict[Model, list[str]]:
        """Of those models the ones that failed checks, with the sentences of the checks that they failed."""
        found = {}
        for dataset, model in models:
            if dataset in self.trust:
                checks = self.trust[dataset]
                failed = checks[(checks["model"] == model) & ~checks["passed"].astype(bool)]
                if len(failed):
                    found[dataset, model] = list(dict.fromkeys(failed["why"]))
        return found


# ---- comparisons ----------------------------------------------------------------------------------------------------


class Support(NamedTuple):
    """p-values of what speaks for a claim and of what speaks against it; nan where there is no test."""

    holds: float
    fails: float

    @property
    def p(self) -> float:
        """The p-value of either: twice the smaller one."""
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
    """The number of images of each dataset that it rests on."""


class Comparison(ABC):
    """One comparison that a claim makes."""

    test: str
    """The tests, as they stand in the table."""

    uses_attack = True
    """Whether it rests on the attack, so that a model whose checks failed says nothing."""

    about_the_attack = False
    """Whether it is about how the attack itself fares, which a failed check explains and does not make void."""

    @property
    @abstractmethod
    def models(self) -> tuple[Model, ...]:
        """The models that are compared."""

    @abstractmethod
    def evidence(self, study: Study) -> Evidence:
        """What the study says of it."""

    def lacking(self, study: Study) -> str:
        """What the study does not have for it, as a sentence; empty where it has everything."""
        return ""


_PAIRED = "Wilcoxon signed-rank test (these weights); hierarchical bootstrap, Student's t over seeds (recipe)"


@dataclass(frozen=True)
class More(Comparison):
    """On the same image, one model needs more than `times` as much of a measure as another."""

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
        weights, _ = resampling.signed_rank(first[0], second[0], self.times)
        _, effect = resampling.signed_rank(first[0], second[0])
        threshold = math.log(self.times)
        # Of an image that neither was fooled by, the worst is supposed on either side.
        more = _ratio_over_seeds(first, second, both_censored=-math.inf).sides(threshold).more
        less = _ratio_over_seeds(first, second, both_censored=math.inf).sides(threshold).less
        return _ratio(study, self.models, self.measure, Support(*weights), Support(more, less), effect)


@dataclass(frozen=True)
class Alike(Comparison):
    """On the same image, two models need as much of a measure, within a factor of `within` either way.

    For it speaks equivalence (two one-sided tests, Schuirmann, 1987), for which an image that neither model was fooled
    by counts on neither side; against it a difference of any size that is significant.
    """

    dataset: str
    measure: str
    first: str
    second: str
    within: float

    test = f"Two one-sided tests of equivalence, and of a difference: {_PAIRED}"

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return (self.dataset, self.first), (self.dataset, self.second)

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        first, second = (study.values(*model, self.measure) for model in self.models)
        above, _ = resampling.signed_rank(first[0], second[0], 1 / self.within)
        below, _ = resampling.signed_rank(first[0], second[0], self.within)
        difference, effect = resampling.signed_rank(first[0], second[0])
        weights = Support(max(above.more, below.less), difference.different)
        margin = math.log(self.within)
        # Of an image that neither was fooled by, the worst is supposed.
        least = _ratio_over_seeds(first, second, both_censored=-math.inf).sides(-margin).more
        most = _ratio_over_seeds(first, second, both_censored=math.inf).sides(margin).less
        recipe = Support(max(least, most), _ratio_over_seeds(first, second).sides(0.0).different)
        return _ratio(study, self.models, self.measure, weights, recipe if study.seeds > 1 else UNKNOWN, effect)


@dataclass(frozen=True)
class MoreThanDataset(Comparison):
    """Images of one dataset need more than `times` as much of a measure as those of another.

    An image's value is the median over those of its dataset's models that were attacked on it. Changes are summed over
    channels, as in the report; CIFAR has three of them, which makes its changes larger and claim 7 harder to bear out.
    """

    measure: str
    first: str
    second: str
    times: float = 1.0

    test = "Mann-Whitney U test (these weights); hierarchical bootstrap, Student's t over seeds (recipe)"

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return tuple((dataset, model) for dataset in (self.first, self.second) for model in MODELS[dataset])

    def lacking(self, study: Study) -> str:  # noqa: D102
        alphas = [study.alphas.get(dataset, math.nan) for dataset in (self.first, self.second)]
        if self.measure != "iterations" or alphas[0] == alphas[1]:
            return ""
        return (
            f"Iterations are not compared: α is {alphas[0]:g} on {self.first} and {alphas[1]:g} on {self.second}, so "
            "that their steps differ."
        )

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        first, second = (self._typical(study, dataset) for dataset in (self.first, self.second))
        threshold = math.log(self.times)
        statistic = resampling.log_ratio_of_medians(first, second)
        sizes = (first.shape[1], second.shape[1])
        weights = Support(*resampling.rank_sum(first[0], second[0], self.times))
        over = resampling.over_seeds(statistic, sizes)
        one = resampling.over_images(resampling.log_ratio_of_medians(first[:1], second[:1]), sizes)
        estimate = _exp(over.interval() if study.seeds > 1 else one)
        unit = f"times the {_NAMES[self.measure]}, {self.first} ÷ {self.second} (medians over images)"
        words = f"{self.first} needs {_written(estimate)} times the {_NAMES[self.measure]} of {self.second}"
        images = {self.first: _attacked(first), self.second: _attacked(second)}
        return Evidence(weights, Support(*over.sides(threshold)), estimate, unit, words, images)

    def _typical(self, study: Study, dataset: str) -> Values:
        each = np.stack([study.values(dataset, model, self.measure) for model in MODELS[dataset]])
        attacked = ~np.isnan(each).all(axis=0)
        typical = np.full(each.shape[1:], math.nan)
        typical[attacked] = np.nanmedian(each[:, attacked], axis=0)
        return typical


@dataclass(frozen=True)
class EndsMostly(Comparison):
    """More than a share of a model's attacked images end in one way."""

    dataset: str
    model: str
    how: str
    share: float

    test = "Exact binomial test (these weights); hierarchical bootstrap of log odds, Student's t over seeds (recipe)"
    about_the_attack = True

    @property
    def models(self) -> tuple[Model, ...]:  # noqa: D102
        return ((self.dataset, self.model),)

    def evidence(self, study: Study) -> Evidence:  # noqa: D102
        ended = study.ended(self.dataset, self.model, self.how)
        known = ended[0][~np.isnan(ended[0])]
        weights = resampling.binomial(int(known.sum()), known.size, self.share)
        odds = math.log(self.share / (1 - self.share))
        least = resampling.log_odds_error(ended)
        over = resampling.over_seeds(resampling.log_odds_of(ended), (ended.shape[1],), least=least)
        estimate = _logistic(over.interval()) if study.seeds > 1 else wilson(int(known.sum()), known.size)
        words = f"on {self.dataset}/{self.model} {_written(estimate)} of the attacks end in {self.how}"
        unit = f"share of attacks that end in {self.how}, {self.dataset}/{self.model}"
        images = {self.dataset: _attacked(ended)}
        return Evidence(Support(*weights), Support(*over.sides(odds)), estimate, unit, words, images)


@dataclass(frozen=True)
class MoreAccurate(Comparison):
    """One model is right about more test images than another."""

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
        weights = Support(*resampling.mcnemar(first[0], second[0]))
        over = resampling.over_seeds(resampling.mean_of(first - second), (first.shape[1],))
        one = resampling.over_images(resampling.mean_of(first[:1] - second[:1]), (first.shape[1],))
        estimate = over.interval() if study.seeds > 1 else one
        words = f"the accuracy of {self.first} less that of {self.second} is {_written(estimate)}"
        unit = f"accuracy, {self.first} − {self.second}"
        return Evidence(weights, Support(*over.sides(0.0)), estimate, unit, words, {self.dataset: first.shape[1]})


@dataclass(frozen=True)
class Believable(Comparison):
    """Judges see the new class in a model's adversarial images: more often than in sign noise, or than in another's.

    Two models are compared on the images that fooled both, before the judges that both have: no network judges its own
    images, so that each of the two has the other among its judges.
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
        weights, _ = resampling.signed_rank_of(values[0])
        statistic, images = resampling.mean_of(values), (values.shape[1],)
        over = resampling.over_seeds(statistic, images)
        one = resampling.over_images(resampling.mean_of(values[:1]), images)
        estimate = over.interval() if study.seeds > 1 else one
        unit, words = f"index of believability, {self.first}", f"the index of {self.first}"
        if self.second:
            unit, words = f"{unit} − {self.second}", f"{words} less that of {self.second}"
        words = f"{words} is {_written(estimate)}"
        return Evidence(
            Support(*weights), Support(*over.sides(0.0)), estimate, unit, words, {self.dataset: _attacked(values)}
        )

    def _judges(self, study: Study) -> list[set[tuple[str, int]]]:
        """For each seed, the judges of all models that are compared."""
        seeds = zip(*(study.judged[model] for model in self.models), strict=True)
        return [set.intersection(*map(judges_of, tables)) for tables in seeds]

    def _index(self, study: Study) -> Values:
        """The index of each seed's image, or by how much it differs; nan where not all of the models were fooled."""
        seeds = zip(*(study.judged[model] for model in self.models), strict=True)
        rows = []
        for tables, judges in zip(seeds, self._judges(study), strict=True):
            first, *others = (gain(table, judges) for table in tables)
            rows.append(first - others[0] if others else first)
        return pandas.concat(rows, axis=1).to_numpy(dtype=float).T


_NAMES = {"mean_change": "mean change", "pixels_changed": "pixels changed", "iterations": "iterations"}


def _ratio_over_seeds(first: Values, second: Values, both_censored: float = math.nan) -> OverSeeds:
    return resampling.over_seeds(_median_ratio(first, second, both_censored), (first.shape[1],))


def _median_ratio(first: Values, second: Values, both_censored: float = math.nan) -> Statistic:
    """The median log ratio; an image that neither was fooled by is `both_censored`, by default none of the images."""
    return resampling.median_of(resampling.log_ratios(first, second, both_censored=both_censored))


def _ratio(
    study: Study, models: Sequence[Model], measure: str, weights: Support, recipe: Support, effect: float
) -> Evidence:
    """The evidence of a ratio of two models on the same images."""
    (dataset, one), (_, other) = models
    first, second = (study.values(*model, measure) for model in models)
    if study.seeds > 1:
        estimate = _exp(_ratio_over_seeds(first, second).interval())
    else:
        estimate = _exp(resampling.over_images(_median_ratio(first[:1], second[:1]), (first.shape[1],)))
    words = (
        f"{one} needs {_written(estimate)} times the {_NAMES[measure]} of {other} "
        f"(rank-biserial correlation {effect:.2f})"
    )
    unit = f"times the {_NAMES[measure]}, {one} ÷ {other} (median over images)"
    return Evidence(weights, recipe, estimate, unit, words, {dataset: _attacked(first + second)})


def _attacked(values: Values) -> int:
    """The number of images that have a value with some seed."""
    return int((~np.isnan(values)).any(axis=0).sum())


def _exp(interval: Interval) -> Interval:
    return Interval(*(float(np.exp(each)) for each in interval))


def _logistic(interval: Interval) -> Interval:
    return Interval(*(1 / (1 + math.exp(-each)) for each in interval))


def _written(interval: Interval) -> str:
    estimate, *bounds = (f"{round(each, 9):.3g}" if math.isfinite(each) else "∞" for each in interval)
    if math.isnan(interval.low):
        return f"{estimate} (no interval)"
    return f"{estimate} ({bounds[0]} to {bounds[1]})"


# ---- the report's claims --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """A sentence of the report, how it is read (`asks`), and the comparisons that must all hold for it."""

    number: int
    sentence: str
    asks: str
    comparisons: tuple[Comparison, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that it is about."""
        return tuple(dict.fromkeys(model for each in self.comparisons for model in each.models))

    @property
    def uses_attack(self) -> bool:
        """Whether it rests on attacks, so that where these failed it says nothing."""
        return any(each.uses_attack for each in self.comparisons)

    @property
    def void_where_distrusted(self) -> bool:
        """Whether it says nothing of a model whose checks failed."""
        return any(each.uses_attack and not each.about_the_attack for each in self.comparisons)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that it is about."""
        return tuple(dict.fromkeys(dataset for dataset, _ in self.models))


def _pairs(
    comparison: Callable[[str, str], Comparison], one: Sequence[str], other: Sequence[str]
) -> tuple[Comparison, ...]:
    return tuple(comparison(first, second) for first in one for second in other if first != second)


CLAIMS = (
    Claim(
        1,
        "We find that on the MNIST dataset, the Noisy Basic Classifier is far more robust than ResNet in terms of "
        "average change in pixels. […] Note that the noisy classifier is more robust in that each pixel on average "
        "needs to be changed by more than the non-noisy counterpart",
        "On MNIST the noisy basic classifier needs a larger mean change than each of the other three models.",
        _pairs(lambda a, b: More(MNIST, "mean_change", a, b), [NOISY_BASIC], MODELS[MNIST]),
    ),
    Claim(
        2,
        "while the basic classifier needs more pixels changed.",
        "On MNIST the basic classifier needs more pixels changed, by more than the dataset's threshold (the report's "
        "10 %), than the noisy one.",
        (More(MNIST, "pixels_changed", BASIC, NOISY_BASIC),),
    ),
    Claim(
        3,
        "Clearly the classifiers, despite having much lower accuracy are far, far more robust than their deeper "
        "counterparts by a huge margin.",
        "On MNIST either basic classifier needs more than twice the mean change of either ResNet: 'a huge margin' is "
        "read as a factor of 2.",
        _pairs(lambda a, b: More(MNIST, "mean_change", a, b, 2.0), [BASIC, NOISY_BASIC], [RESNET, NOISY_RESNET]),
    ),
    Claim(
        4,
        "Both ResNets do equally terrible in terms of robustness.",
        "On MNIST the two ResNets need the same mean change: 'equally' is read as within a factor of 1.25 either way.",
        (Alike(MNIST, "mean_change", NOISY_RESNET, RESNET, 1.25),),
    ),
    Claim(
        5,
        "repeat either 1000 times, or until the model incorrectly classifies the modified image, though in practice, "
        "the latter happens almost every time in all but one model. […] Note that Noisy feedforward is NOT achieving "
        'it\'s goal. It is defaulting to the "random" state after a certain amount of iterations.',
        "The attack fools more than 95 % of the images that it attacks ('almost every time') on each model but the "
        "noisy basic classifier, where more than half of the attacks end in the default state.",
        (
            EndsMostly(MNIST, NOISY_BASIC, Outcome.DEFAULT_STATE, 0.5),
            *(
                EndsMostly(dataset, model, Outcome.SUCCESS, 0.95)
                for dataset, models in MODELS.items()
                for model in models
                if (dataset, model) != (MNIST, NOISY_BASIC)
            ),
        ),
    ),
    Claim(
        6,
        "In terms of accuracy, ResNet far outperforms the basic classifier even in this simple computer vision "
        "problem.",
        "On MNIST either ResNet has a higher accuracy than either basic classifier; how far, the estimate says.",
        _pairs(lambda a, b: MoreAccurate(MNIST, a, b), [RESNET, NOISY_RESNET], [BASIC, NOISY_BASIC]),
    ),
    Claim(
        7,
        "This much more complex dataset was very easily tricked. With far lesser iterations being required to achieve "
        "said objectives. […] The pixels have to be changed by an order of magnitude less",
        "MNIST needs more than ten times the mean change of CIFAR, and more iterations.",
        (
            MoreThanDataset("mean_change", MNIST, CIFAR, 10.0),
            MoreThanDataset("iterations", MNIST, CIFAR),
        ),
    ),
    Claim(
        8,
        "the noisy Resnet and the non-noisy Deep Resnet performed the best. The difference, however, was not "
        "significant.",
        "On CIFAR the noisy ResNet and the deep ResNet need the same mean change as the other two: a difference that "
        "is 'not significant' is read as equivalence, within a factor of 1.25 either way. Which are the best is "
        "left to the estimates.",
        _pairs(lambda a, b: Alike(CIFAR, "mean_change", a, b, 1.25), [NOISY_RESNET, DEEP], [RESNET, NOISY_DEEP]),
    ),
    Claim(
        9,
        "note that the Deep ResNet requires the most number of pixels changed.",
        "On CIFAR the deep ResNet needs more pixels changed, by more than the dataset's threshold (the report's 1 %), "
        "than each of the other three models.",
        _pairs(lambda a, b: More(CIFAR, "pixels_changed", a, b), [DEEP], MODELS[CIFAR]),
    ),
    Claim(
        10,
        "ResNet 0.738, Noisy ResNet 0.884, Deep ResNet 0.8572, Noisy Deep ResNet 0.8245 (Table 2). […] Noisy Deep "
        "ResNet does worse than normal Deep ResNet",
        "On CIFAR the noisy ResNet has a higher accuracy than the clean one, the noisy deep ResNet a lower one.",
        (MoreAccurate(CIFAR, NOISY_RESNET, RESNET), MoreAccurate(CIFAR, DEEP, NOISY_DEEP)),
    ),
    Claim(
        11,
        "The Noisy Resnet, while modifying few pixels by less, actually change the image to look like another number, "
        "rather than random noise.",
        "On MNIST judges see the new class in the noisy ResNet's adversarial images more often than in sign noise of "
        "the same norm, and more often so than in each other model's.",
        (
            Believable(MNIST, NOISY_RESNET),
            *(Believable(MNIST, NOISY_RESNET, model) for model in MODELS[MNIST] if model != NOISY_RESNET),
        ),
    ),
)
"""The claims in the order of the report; sentences are its own, `[…]` stands for what lies between two."""


# ---- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a study says of one claim before it is corrected for the number of claims."""

    claim: Claim
    found: tuple[Evidence, ...]
    lacking: tuple[str, ...]

    def support(self, what: str) -> Support:
        """The p-values for and against all comparisons together, of the `weights` or the `recipe`.

        What is lacking can no more speak for the claim, but the rest can still speak against it.
        """
        parts: list[Support] = [getattr(each, what) for each in self.found]
        if not parts or any(math.isnan(part.holds) for part in parts):
            return UNKNOWN
        holds = 1.0 if self.lacking else max(part.holds for part in parts)
        return Support(holds, min(1.0, len(parts) * min(part.fails for part in parts)))

    def under(self, other: Study) -> Answer:
        """What the same study says with another attack."""
        return answer(self.claim, other) if self.claim.uses_attack else self

    @property
    def decisive(self) -> Evidence | None:
        """The comparison that is furthest from holding: the claim's estimate is this one's."""
        return max(self.found, key=lambda each: each.weights.holds, default=None)


def answer(claim: Claim, study: Study) -> Answer:
    """Make a claim's comparisons, as far as the study has what they need."""
    found, lacking = [], []
    for each in claim.comparisons:
        missing = _not_studied(each.models, study) or each.lacking(study)
        if missing:
            lacking.append(missing)
        else:
            found.append(each.evidence(study))
    return Answer(claim, tuple(found), tuple(dict.fromkeys(lacking)))


def _not_studied(models: Sequence[Model], study: Study) -> str:
    for dataset, model in models:
        if not any(dataset == studied for studied, _ in study.measures):
            return f"The dataset {dataset} is not studied in this configuration."
        if (dataset, model) not in study.measures:
            return f"The model {model} of {dataset} is not in this configuration."
    return ""


def verdicts(supports: Sequence[Support]) -> list[tuple[float, float, str]]:
    """The p-value of each claim, the same with Holm's correction for the number of claims, and the verdict.

    A significant difference may be too small to matter: where both sides pass, equivalence does.
    """
    corrected = resampling.holm([support.p for support in supports])
    tested = sum(not math.isnan(support.p) for support in supports)
    found = []
    for support, p_holm in zip(supports, corrected, strict=True):
        if not p_holm < LEVEL:
            verdict = UNDECIDED
        elif support.holds <= support.fails or 2 * tested * support.holds < LEVEL:
            verdict = HOLDS
        else:
            verdict = FAILS
        found.append((support.p, p_holm, verdict))
    return found


def claims(study: Study, others: Mapping[str, Study] | None = None) -> pandas.DataFrame:
    """The table of all claims, with `COLUMNS`; `others` are the same study with other attacks, by the attack's name.

    `verdict`, `p` and `p_holm` are about the recipe, those that start with `weights_` about the weights of the first
    seed. `estimate` with `low` and `high` (95 %) is that of the comparison that is furthest from holding: over seeds
    where there are several, else over images. `images` are those of all comparisons' datasets, `censored` counts
    attacks that did not fool over models and seeds (empty where nothing was attacked).
    """
    answers = [answer(claim, study) for claim in CLAIMS]
    recipe = verdicts([each.support("recipe") for each in answers])
    weights = verdicts([each.support("weights") for each in answers])
    elsewhere = {}
    for name, other in (others or {}).items():
        under = [each.under(other) for each in answers]
        found = verdicts([each.support("weights") for each in under])
        elsewhere[name] = [verdict if each.found else "" for each, (*_, verdict) in zip(under, found, strict=True)]
    rows = []
    for index, each in enumerate(answers):
        attacked = each.claim.uses_attack
        distrusted = study.distrusted(each.claim.models) if attacked else {}
        both = [recipe[index], weights[index]]
        if distrusted and each.claim.void_where_distrusted:
            both = [(p, p_holm, UNDECIDED) for p, p_holm, _ in both]
        (p, p_holm, verdict), (weights_p, weights_p_holm, weights_verdict) = both
        others_say = {name: said[index] for name, said in elsewhere.items() if attacked and said[index]}
        decisive = each.decisive
        present = [model for model in each.claim.models if model in study.measures]
        rows.append(
            {
                "claim": each.claim.number,
                "dataset": ", ".join(each.claim.datasets),
                "sentence": each.claim.sentence,
                "estimate": decisive.estimate.estimate if decisive else math.nan,
                "low": decisive.estimate.low if decisive else math.nan,
                "high": decisive.estimate.high if decisive else math.nan,
                "unit": decisive.unit if decisive else "",
                "test": f"{each.claim.asks} {each.claim.comparisons[0].test}.",
                "p": p,
                "p_holm": p_holm,
                "verdict": verdict,
                "why": _why(each, study, verdict, weights_verdict, distrusted, others_say),
                "weights_p": weights_p,
                "weights_p_holm": weights_p_holm,
                "weights_verdict": weights_verdict,
                "seeds": study.seeds,
                "images": sum(_images(each).values()),
                "censored": study.censored(present) if attacked else None,
                "not_trustworthy": ", ".join(
                    model if len(each.claim.datasets) == 1 else f"{dataset}/{model}" for dataset, model in distrusted
                ),
            }
        )
    return pandas.DataFrame(rows, columns=list(COLUMNS)).astype({"censored": "Int64"})


def _images(answered: Answer) -> dict[str, int]:
    """The number of images of each dataset that a claim's comparisons rest on."""
    counts: dict[str, int] = {}
    for each in answered.found:
        for dataset, images in each.images.items():
            counts[dataset] = max(images, counts.get(dataset, 0))
    return counts


def _why(
    answered: Answer,
    study: Study,
    verdict: str,
    weights_verdict: str,
    distrusted: Mapping[Model, Sequence[str]],
    others: Mapping[str, str],
) -> str:
    """The sentences that say why the verdict is what it is, then what each comparison found."""
    told = []
    for (_, model), failed in distrusted.items():
        told.append(f"Not trustworthy: {model} ({' '.join(failed)})")
    told += answered.lacking
    if not answered.found:
        return " ".join(told)
    about_weights = f"about these weights it {_STANDS[weights_verdict]}."
    if distrusted and answered.claim.void_where_distrusted:
        pass
    elif study.seeds == 1:
        told.append(f"One seed says nothing about another training of the same recipe; {about_weights}")
    else:
        told.append(f"Over {study.seeds} seeds {_REASONS[verdict]}")
        if any(math.isnan(each.estimate.low) for each in answered.found):
            told.append(
                "Where a seed's median ratio is infinite or zero, since half of its images were not fooled or needed "
                "nothing of what is measured, it has no standard error, and its test is the sign test over seeds, for "
                "which a handful of them is too few."
            )
    told.append(f"Found: {'; '.join(each.words for each in answered.found)}.")
    for name, found in others.items():
        told.append(f"Under the attack {name}, about these weights, it {_STANDS[found]}.")
    return " ".join(told)


_STANDS = {HOLDS: "holds", FAILS: "does not hold", UNDECIDED: "is undecided"}
_REASONS = {
    HOLDS: "every comparison bears it out, after correction for the number of claims.",
    FAILS: "a comparison contradicts it, after correction for the number of claims.",
    UNDECIDED: "the comparisons neither bear it out nor contradict it, after correction for the number of claims.",
}
