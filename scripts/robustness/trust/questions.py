"""What a trust check is, what each one asks, and which models have failed one.

Reads the table of checks; writes nothing. Needs neither torch nor pandas, so that whatever shows a model can also say
whether to believe its numbers. An attack that fails quietly makes a model look robust; the checks are those of Athalye
et al. (2018), "Obfuscated gradients give a false sense of security", section 3.1, and of Carlini et al. (2019), "On
evaluating adversarial robustness", section 4. `robustness.trust.checks` computes them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from robustness.errors import UserError


@dataclass(frozen=True)
class Question:
    """A check's title, the words for its failure in figures, what it asks and how, and what a failure means."""

    title: str
    words: str
    asked: str
    failed: str


QUESTIONS = {
    "valid_values": Question(
        title="Valid values",
        words="invalid values",
        asked="Are the network's outputs finite on images, attacked images and static, and are all pixels of attacked "
        "images between 0 and 1? The value is the share of images for which not.",
        failed="Numbers that are computed from such values mean nothing. Train the model again, perhaps with a lower "
        "learning rate.",
    ),
    "unbounded": Question(
        title="Unlimited change",
        words="unlimited change does not fool it",
        asked="With no limit to the change, is every image fooled? One that no attack fooled so far is attacked again, "
        "along the gradient of the cross-entropy, with larger and larger steps. The value is the share of images that "
        "are never fooled.",
        failed="With unlimited change an image can become one of another class, so the gradient leads nowhere, or the "
        "model sees one class only.",
    ),
    "larger_budget": Question(
        title="Larger budgets",
        words="a larger budget fools fewer",
        asked="Does an attack that may change each pixel by more fool at least as many images? Projected gradient "
        "descent is run with five budgets, from a quarter of the median change to four times as much. The value is "
        "the largest fall of the share that is fooled, from one budget to any larger one.",
        failed="Whatever fools with a small budget is allowed with a larger one, so the attack got lost on the way.",
    ),
    "iterated": Question(
        title="Many steps and one",
        words="one step does better than many",
        asked="Does the iterated attack fool at least as many images as a single step of the whole budget? The value "
        "is the largest advantage of the single step at one of the five budgets, in shares of images.",
        failed="The gradient beside an image says little about its surroundings, so that following it is no better "
        "than a leap.",
    ),
    "half_step": Question(
        title="Half the step",
        words="the step decides the change",
        asked="Does the change stay the same when the step α is halved and twice as many steps are allowed? The value "
        "is the share of images whose change falls (or grows) by more than 5 %: over one half, the median does.",
        failed="The step is too coarse for this model: the change that is reported is that of the step, not of the "
        "model. Lower the dataset's alpha.",
    ),
    "double_cap": Question(
        title="Twice the cap",
        words="the cap on steps decides the success",
        asked="Does success stay the same when twice as many steps are allowed? Images that ended at the cap go on. "
        "The value is the share of images that are then fooled.",
        failed="The attack was stopped too early: raise max_iterations.",
    ),
    "beats_noise": Question(
        title="Attack and noise",
        words="noise does as well",
        asked="Does the attack fool where random noise that changes every pixel by the attack's L∞ does not? The value "
        "is the share of images on which the attack does not beat the noise.",
        failed="The attack finds no better direction than chance, so the gradient tells it nothing.",
    ),
    "zero_gradients": Question(
        title="Zero gradients",
        words="vanishing gradients",
        asked="How often was the gradient exactly zero? The value is the share of the steps of the recorded attacks "
        "that were taken at random because of that.",
        failed="The attack was blind on these steps, and the images look robust that it was blind on.",
    ),
    "finite_differences": Question(
        title="Gradient and slope",
        words="wrong gradients",
        asked="Is the gradient the slope? On images, half-way to what fooled the model, and there, the attack's "
        "gradient is compared with finite differences of the reward in double precision, along its own signs and "
        "along random ones. The value is the share of slopes that differ by more than 1 %. Left out for a network that "
        "computes in single precision whatever it is given.",
        failed="What the attack climbs is not what the model computes: the gradient has vanished, or is masked.",
    ),
    "eight_bits": Question(
        title="Eight bits",
        words="not fooled once saved as 8 bits",
        asked="Do attacked images still fool the model when their pixels are rounded to the 256 values of a picture "
        "file? The value is the share that do not.",
        failed="The model is fooled by what no picture file can hold.",
    ),
    "batch_size": Question(
        title="Alone and together",
        words="depends on the batch",
        asked="Is an image's result the same when it is attacked alone? The value is the largest difference of an "
        "attacked image's change, relative to it, over a few images.",
        failed="An image's result depends on its neighbours in the batch or on chance, so it cannot be repeated.",
    ),
    "rewards_agree": Question(
        title="Two rewards",
        words="the two attacks disagree",
        asked="Do the paper's attack, which climbs a probability, and the other, which climbs the cross-entropy, fool "
        "the same images? The value is the share of images that only one of them fooled.",
        failed="One of the two was stopped by its gradient, not by the model. Where they differ, believe the one that "
        "fools more.",
    ),
}
"""The checks by name, in the order of the table."""


@dataclass(frozen=True)
class Check:
    """One check of one model: its value over `images`, the limit that it must not exceed, and a sentence.

    `value` and `limit` are shares unless the question says otherwise; without images a check has failed.
    """

    name: str
    value: float
    limit: float
    images: int
    why: str

    @property
    def passed(self) -> bool:
        """Whether there was something to check and it kept the limit; a value that is NaN did not."""
        return self.images > 0 and self.value <= self.limit


@dataclass(frozen=True)
class Row:
    """A row of the table of checks: a `Check` with the model and the seed that it is about."""

    model: str
    seed: int
    check: str
    value: float
    limit: float
    passed: bool
    images: int
    why: str

    @property
    def words(self) -> str:
        """A failure in the words of a figure."""
        return QUESTIONS[self.check].words if self.images else NOTHING


NOTHING = "no image to check"
COLUMNS = [field.name for field in fields(Row)]


def tolerated(share: float, images: int) -> float:
    """The largest share of `images` that does not yet show that the true share exceeds `share`.

    The 99 % quantile of a binomial distribution: of models whose true share is `share`, one in a hundred exceeds it.
    """
    from scipy.special import bdtr  # half of what scipy.stats takes to import, whose binomial is made of it

    if not images:
        return math.nan
    at_most = bdtr(np.arange(images + 1), images, share)
    return int(np.argmax(at_most >= 0.99)) / images


def rows(checks: Iterable[Check], model: str, seed: int) -> list[Row]:
    """The rows of one model's checks with one seed."""
    return [
        Row(model, seed, check.name, check.value, check.limit, check.passed, check.images, check.why)
        for check in checks
    ]


def as_csv(table: Sequence[Row]) -> str:
    """The table as CSV; `passed` is true or false, a value that does not exist is empty."""
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _written(value) for name, value in asdict(row).items()} for row in table)
    return text.getvalue()


def _written(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def read(path: Path) -> list[Row]:
    """The table that `as_csv` wrote to `path`.

    Raises `UserError` when the file is missing or is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise ValueError(f"its columns are {', '.join(reader.fieldnames or ['none'])}")
            return [_row(entry) for entry in reader]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is no table of trust checks ({error}): delete it and run the workflow again") from None


def _row(entry: Mapping[str, str]) -> Row:
    return Row(
        model=entry["model"],
        seed=int(entry["seed"]),
        check=entry["check"],
        value=float(entry["value"] or "nan"),
        limit=float(entry["limit"] or "nan"),
        passed={"true": True, "false": False}[entry["passed"]],
        images=int(entry["images"]),
        why=entry["why"],
    )


def failures(table: Iterable[Row]) -> dict[str, str]:
    """The checks that failed, with any seed, in words by model; models without one are absent."""
    failed: dict[str, list[str]] = {}
    for row in table:
        if not row.passed:
            failed.setdefault(row.model, []).append(row.words)
    return {model: ", ".join(dict.fromkeys(words)) for model, words in failed.items()}
