"""Says what each trust check asks, reads and writes the table of checks, and finds the models that failed one.

Needs neither torch nor pandas, so that whatever shows a model can also say whether to believe its numbers. An attack
that fails quietly makes a model look robust; the checks come from Athalye et al. (2018), "Obfuscated gradients give a
false sense of security", section 3.1, and from Carlini et al. (2019), "On evaluating adversarial robustness",
section 4. `robustness.trust.checks` computes them.
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
    """A check: its title, the words for its failure in figures, what it asks and how, and what a failure means."""

    title: str
    words: str
    asked: str
    failed: str


CONFIDENCE_IN_REACH = "confidence_in_reach"

QUESTIONS = {
    "valid_values": Question(
        title="Valid values",
        words="invalid values",
        asked="Are the network's outputs finite on images, attacked images and static, and are all pixels of attacked "
        "images between 0 and 1? The value is the share of images where this fails.",
        failed="Numbers computed from such values mean nothing. Train the model again, perhaps with a lower learning "
        "rate.",
    ),
    "as_recorded": Question(
        title="As recorded",
        words="not as recorded",
        asked="Does the network answer the stored images as the records say? The value is the share of images for "
        "which it does not give the recorded label the recorded probability, or is surer of another.",
        failed="The images, the records and the weights do not belong together, or the network answers by chance: "
        "delete this model's attacks and run again, and see that its evaluation is deterministic.",
    ),
    CONFIDENCE_IN_REACH: Question(
        title="Required confidence",
        words="the required confidence is out of its reach",
        asked="Can the network be as sure of a wrong class as the attack asks for? Where no image was fooled, a wrong "
        "class is made as probable as it gets on a few images, without a limit to the change. The value is how far the "
        "highest probability stays below the required one.",
        failed="Its outputs are bounded, as behind a sigmoid or a cosine, so that no attack can succeed: the numbers "
        "say nothing about robustness. Lower the attack's confidence, or multiply the outputs by the temperature that "
        "the network was trained with.",
    ),
    "unbounded": Question(
        title="Unlimited change",
        words="unlimited change does not fool it",
        asked="Is every image fooled when the change has no limit? Images that no attack has fooled are attacked "
        "again, along the gradient of the cross-entropy, with larger and larger steps. The value is the share of "
        "images that are never fooled.",
        failed="With unlimited change any image can become one of another class. So either the gradient leads "
        "nowhere, or the model sees only one class.",
    ),
    "larger_budget": Question(
        title="Larger budgets",
        words="a larger budget fools fewer",
        asked="Does an attack that may change each pixel by more fool at least as many images? Projected gradient "
        "descent is run with five budgets, from a quarter of the median change to four times as much. The value is "
        "the largest drop in the share of fooled images from one budget to any larger one.",
        failed="Whatever fools the model within a small budget is also allowed within a larger one, so the attack got "
        "lost.",
    ),
    "iterated": Question(
        title="Many steps and one",
        words="one step does better than many",
        asked="Does the iterated attack fool at least as many images as a single step of the whole budget? The value "
        "is the largest advantage of the single step at one of the five budgets, in shares of images.",
        failed="The gradient says little about the surroundings of an image, so that following it step by step is no "
        "better than one leap.",
    ),
    "half_step": Question(
        title="Half the step",
        words="the step decides the change",
        asked="Does the change stay the same when the step α is halved and twice as many steps are allowed? The value "
        "is the share of images whose change falls (or grows) by more than 5 %: above one half, the median changes, "
        "too.",
        failed="The step is too coarse for this model: the change that is measured depends on the step, not on the "
        "model. Lower the dataset's alpha, or set it to auto.",
    ),
    "double_cap": Question(
        title="Twice the cap",
        words="the cap on steps decides the success",
        asked="Does success stay the same when twice as many steps are allowed? Images that ended at the cap are "
        "attacked further. The value is the share of images that are then fooled.",
        failed="The attack was stopped too early: raise max_iterations.",
    ),
    "beats_noise": Question(
        title="Attack and noise",
        words="noise does as well",
        asked="Does the attack fool where random noise that changes every pixel by the attack's L∞ does not? The "
        "value is the share of images on which the attack does not beat the noise.",
        failed="The attack finds no better direction than chance, so the gradient tells it nothing.",
    ),
    "zero_gradients": Question(
        title="Zero gradients",
        words="vanishing gradients",
        asked="How often was the gradient exactly zero? The value is the share of steps of the recorded attacks that "
        "were taken at random for this reason.",
        failed="The attack had no gradient to follow in these steps, so the images look more robust than they are.",
    ),
    "finite_differences": Question(
        title="Gradient and slope",
        words="wrong gradients",
        asked="Is the gradient the slope? At the original image, at the image that fooled the model, and half-way "
        "between, the attack's gradient is compared with finite differences of the reward in double precision, along "
        "the gradient's signs and along random signs. The value is the share of slopes that differ by more than 1 %. "
        "This check is left out for a network that computes in single precision whatever it is given.",
        failed="The attack follows something other than what the model computes: the gradient has vanished or is "
        "masked.",
    ),
    "eight_bits": Question(
        title="Eight bits",
        words="not fooled once saved as 8 bits",
        asked="Do attacked images still fool the model when their pixels are rounded to the 256 values of a picture "
        "file? The value is the share of images that do not.",
        failed="The model is fooled only by changes too fine for a picture file.",
    ),
    "batch_size": Question(
        title="Alone and together",
        words="depends on the batch",
        asked="Is an image's result the same when it is attacked alone? The value is the largest relative difference "
        "between the two changes of an image, over a few images.",
        failed="An image's result depends on its neighbours in the batch or on chance, so it cannot be repeated.",
    ),
    "rewards_agree": Question(
        title="Two rewards",
        words="the two attacks disagree",
        asked="Do two attacks fool the same images: the paper's, whose reward is a probability, and the other, whose "
        "reward is the cross-entropy? The value is the share of images that only one of them fooled.",
        failed="One of the two attacks was stopped by its gradient, not by the model. Where they differ, believe the "
        "attack that fools more images.",
    ),
    "as_strong_as_autoattack": Question(
        title="As strong as AutoAttack",
        words="AutoAttack needs less change",
        asked="Do our attacks fool, within a budget, the images that AutoAttack fools within it? Of our attacks the "
        "smallest change counts that made the model wrong. The value is the largest share of images, at one of the "
        "dataset's budgets, that only AutoAttack fooled, in the norm in which a step of our attack is bounded. This "
        "check is left out where AutoAttack is, or where no budget is in that norm.",
        failed="The curves and the mean change are an upper bound on this model's robustness: much less change is "
        "enough. Cite the robust accuracy.",
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
        """Whether there was something to check and the value is within the limit; NaN is not."""
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
    """Return the largest share of `images` that does not yet show that the true share exceeds `share`.

    The 99 % quantile of a binomial distribution: of models whose true share is `share`, one in a hundred exceeds it.
    """
    from scipy.special import bdtr  # half of what scipy.stats takes to import, whose binomial is made of it

    if not images:
        return math.nan
    at_most = bdtr(np.arange(images + 1), images, share)
    return int(np.argmax(at_most >= 0.99)) / images


def rows(checks: Iterable[Check], model: str, seed: int) -> list[Row]:
    """Return the rows of one model's checks with one seed."""
    return [
        Row(model, seed, check.name, check.value, check.limit, check.passed, check.images, check.why)
        for check in checks
    ]


def as_csv(table: Sequence[Row]) -> str:
    """Return the table as CSV; `passed` is true or false, a value that does not exist is empty."""
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
    """Read the table that `as_csv` wrote to `path`.

    Raises `UserError` when the file is missing or not such a table.
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
        raise UserError(
            f"{path} is not a table of trust checks ({error}): delete it and run the workflow again"
        ) from None


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
    """Return for each model, in words, the checks that failed with any seed; models that failed none are absent."""
    failed: dict[str, list[str]] = {}
    for row in table:
        if not row.passed:
            failed.setdefault(row.model, []).append(row.words)
    return {model: ", ".join(dict.fromkeys(words)) for model, words in failed.items()}
