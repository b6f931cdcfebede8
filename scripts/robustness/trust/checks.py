"""Computes the trust checks of one model: is what the attack found a property of the model, or of the attack?

Each function takes a model, its images and the records of its attacks, and returns one `questions.Check` (or two that
share an attack). `questions.QUESTIONS` says what each asks, and what its failure means. A smaller value is always
better. Limits of shares are wider for fewer images (`questions.tolerated`), so that a sound model seldom exceeds one by
chance; with very few images a limit is 1, which nothing exceeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.analysis.measures import mean_change
from robustness.attacks.criterion import any_wrong_class
from robustness.attacks.gradients import reward_gradient, smallest_batch
from robustness.attacks.pgd import PGD
from robustness.attacks.spec import AttackSpec
from robustness.compute.counter_random import random_signs
from robustness.compute.finite import naming
from robustness.models.copies import copied
from robustness.outcome import Outcome
from robustness.storage.levels import ARGMAX, highest_shared, is_level
from robustness.text import counted, percent
from robustness.trust import confidence, passes
from robustness.trust.evidence import Evidence, Records, Subject
from robustness.trust.questions import QUESTIONS, Check, tolerated

LIMITS = {
    "valid_values": 0.0,
    "as_recorded": 0.0,
    "confidence_in_reach": 0.0,
    "unbounded": 0.0,
    "larger_budget": 0.02,
    "iterated": 0.02,
    "half_step": 0.5,
    "double_cap": 0.005,
    "beats_noise": 0.05,
    "zero_gradients": 0.01,
    "finite_differences": 0.02,
    "eight_bits": 0.02,
    "batch_size": 0.0,
    "rewards_agree": 0.01,
    "as_strong_as_autoattack": 0.2,
}
"""The largest values of a sound model; for shares of images, the largest share over endlessly many images."""
GPU_BATCH_SIZE = 0.05
"""The limit of `batch_size` on a GPU, which rounds differently for another batch."""

BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Budgets of the bounded attacks, in units of the median L∞ that the recorded attack needed."""
BOUNDED_STEPS = 10
STEPS_TO_THE_EDGE = 4
"""Steps that take a bounded attack from an image to the edge of its ball."""
UNBOUNDED_STEPS = {0.02: 100, 0.1: 50, 0.5: 50}
"""Steps of the unbounded attack by their length, tried one after the other."""
MOVED = 0.05
"""The change of an image has moved when it is smaller or larger by more than this share."""
HALF_STEP_SLACK = 6
"""Steps of the attack with half the step, in units of the median of the other's; two are expected."""
ROUNDING = 0.001
"""How far a probability may differ between batches of different sizes, which are rounded differently."""
DISPLACEMENT = 1e-6
"""How far pixels are moved, either way, for finite differences."""
SLOPE_TOLERANCE = 0.01
_NAMED = 5  # how many images a sentence names
ALONE, ALONE_STEPS = 8, 10
"""Images that are attacked alone and together, and for how many steps."""


def all_checks(subject: Subject, evidence: Evidence) -> list[Check]:
    """Make every check, in the order of `QUESTIONS`.

    Where nothing was attacked all checks have failed; where values are not finite, the other checks would be
    meaningless and are left out. `finite_differences` needs a network that computes in float64, and `rewards_agree` a
    second attack.
    """
    if not evidence.attacked:
        why = "The model classifies none of the images correctly, so that none was attacked."
        return [Check(name, np.nan, LIMITS[name], 0, why) for name in QUESTIONS]
    valid = valid_values(subject, evidence)
    if not valid.passed:
        return [valid]
    exact = in_float64(subject, evidence.sample.pixels)
    checks = [
        valid,
        as_recorded(subject, evidence),
        confidence.confidence_in_reach(subject, evidence),
        unbounded(subject, evidence),
        *budgets(subject, evidence),
        half_step(subject, evidence),
        double_cap(subject, evidence),
        beats_noise(subject, evidence),
        zero_gradients(evidence.attacks),
        *([] if exact is None else [finite_differences(subject, evidence, exact)]),
        eight_bits(subject, evidence),
        batch_size(subject, evidence),
    ]
    return checks + ([rewards_agree(evidence.attacks)] if len(evidence.attacks) > 1 else [])


def evaluations(subject: Subject, evidence: Evidence) -> int:
    """Estimate how many images `all_checks` gives to the model; an attack that takes longer than before needs more."""
    images, spec = len(evidence.sample), subject.spec
    once = 7 * images
    bounded = len(BUDGETS) * images * (BOUNDED_STEPS + 2)
    halved = 2 * int(evidence.steps[evidence.fooled_last].sum())
    alone = min(ALONE, images) * (ALONE_STEPS + 1) * (1 + smallest_batch(subject.model, evidence.sample.pixels.device))
    longer = len(evidence.never) * sum(UNBOUNDED_STEPS.values()) + len(evidence.stopped) * spec.max_iterations
    return once + bounded + halved + alone + longer + confidence.evaluations(subject, evidence)


# ---- from the records -----------------------------------------------------------------------------------------------


def at_level(records: Records, level: float) -> dict[str, NDArray[Any]]:
    """Return the records of attacked images at one required confidence, in the order of the images."""
    rows = is_level(records["required_confidence"], level) & (records["ended"] != Outcome.SKIPPED)
    return {name: column[rows] for name, column in records.items()}


def zero_gradients(attacks: Mapping[str, Records]) -> Check:
    """Return the share of steps with a zero gradient, for the attack with the largest share."""
    whole = {name: at_level(records, records["required_confidence"].max()) for name, records in attacks.items()}
    steps = {name: int(rows["iterations"].sum()) for name, rows in whole.items()}
    shares = {name: rows["zero_gradients"].sum() / max(1, steps[name]) for name, rows in whole.items()}
    worst = max(shares, key=shares.__getitem__)
    taken = counted(steps[worst], "step")
    why = f"Of the {taken} of attack {worst}, {percent(shares[worst], 3)} had a gradient of exactly zero."
    return _check("zero_gradients", shares[worst], len(whole[worst]["image"]), why)


def rewards_agree(attacks: Mapping[str, Records]) -> Check:
    """Return the share of images that only one of two attacks fooled, at the highest level that both have."""
    names = list(attacks)
    level = highest_shared(*(records["required_confidence"] for records in attacks.values()))
    at = [at_level(records, level) for records in attacks.values()]
    fooled = [set(each["image"][each["ended"] == Outcome.SUCCESS].tolist()) for each in at]
    images = len(at[0]["image"])
    until = "any wrong class" if is_level(level, ARGMAX) else f"a probability of {level:g}"
    alone = len(fooled[0] - fooled[1]), len(fooled[1] - fooled[0])
    why = (
        f"Of {counted(images, 'image')}, until {until}, {alone[0]} were fooled by attack {names[0]} alone "
        f"and {alone[1]} by attack {names[1]} alone."
    )
    return _share("rewards_agree", sum(alone), images, why)


# ---- with the model -------------------------------------------------------------------------------------------------


def valid_values(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of images, attacked images and static whose pixels or outputs are impossible."""
    originals = evidence.sample.pixels
    static = torch.rand(originals.shape, generator=torch.Generator().manual_seed(subject.seed)).to(originals)
    shown = (originals, evidence.first, evidence.last, static)
    not_finite = [passes.not_finite(subject, x) for x in shown]
    bad, outputs = sum(map(len, not_finite)), sum(map(len, shown))
    why = (
        f"Of {counted(evidence.recorded, 'attacked image')} in the files, {evidence.invalid} had pixels outside of "
        f"0 to 1; of {counted(outputs, 'output')} of the network, {bad} were not finite"
    )
    named = np.unique(evidence.sample.ids.cpu().numpy()[np.concatenate(not_finite[:-1])])[:_NAMED]
    why += f", for instance for test images {', '.join(map(str, named))}." if len(named) else "."
    images = evidence.recorded + outputs
    return _check("valid_values", (bad + evidence.invalid) / images, images, why)


def as_recorded(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of attacked images that the network does not answer as the records say."""
    p = np.exp(passes.outputs(subject, evidence.last, evidence.sample.ids))
    of_label = p[np.arange(len(p)), evidence.label_last]
    differs = (np.abs(of_label - evidence.confidence_last) > ROUNDING) | (p.max(1) - of_label > ROUNDING)
    named = evidence.sample.ids.cpu().numpy()[differs][:_NAMED]
    why = f"Of {counted(len(p), 'stored image')}, the network answers {int(differs.sum())} otherwise than recorded"
    why += f", for instance test images {', '.join(map(str, named))}." if len(named) else "."
    return _check("as_recorded", differs.mean(), len(p), why)


def unbounded(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of all attacked images that neither a recorded attack nor one of unlimited change fools."""
    left = evidence.never
    for alpha, steps in UNBOUNDED_STEPS.items():
        fooled = passes.pgd(subject, subject.pgd, left, any_wrong_class(left.truth), alpha=alpha, steps=steps)
        left = left.of(np.flatnonzero(~fooled))
    why = (
        f"Of {counted(evidence.attacked, 'image')}, {len(evidence.never)} kept the right label in every recorded "
        f"attack, and {len(left)} in attacks with unlimited change as well."
    )
    return _check("unbounded", len(left) / evidence.attacked, evidence.attacked, why)


def budgets(subject: Subject, evidence: Evidence) -> list[Check]:
    """Return `larger_budget` and `iterated`: PGD, and a single step, both at each of `BUDGETS`."""
    sample = evidence.sample
    # An attack that changed nothing leaves a budget of its step to be tried.
    middle = float(np.median(_linf(sample.pixels, evidence.first))) or subject.spec.alpha
    radii = tuple(min(1.0, middle * budget) for budget in BUDGETS)
    # All budgets at once, in few batches that are full.
    start = sample.of(np.tile(np.arange(len(sample)), len(radii)))
    radius = torch.tensor(radii).repeat_interleave(len(sample))
    options = {"alpha": radius / STEPS_TO_THE_EDGE, "radius": radius}
    fooled = passes.pgd(subject, subject.pgd, start, any_wrong_class(start.truth), steps=BOUNDED_STEPS, **options)
    many = fooled.reshape(len(radii), -1).sum(1)
    one = passes.single_step(subject, sample, any_wrong_class(sample.truth), radii).sum(1)
    limit = tolerated(LIMITS["larger_budget"], len(sample))
    within = f"Fooled within an L∞ of {', '.join(f'{radius:.2g}' for radius in radii)}:"
    images = len(sample)
    by_many = f"{_percents(many / images)} by {BOUNDED_STEPS} steps"
    # Counts are exact: of shares, a difference may exceed by its rounding the limit that it equals.
    fall, ahead = (max(0, int(each.max())) / images for each in (np.maximum.accumulate(many) - many, one - many))
    return [
        _check("larger_budget", fall, images, f"{within} {by_many}.", limit),
        _check("iterated", ahead, images, f"{within} {by_many}, {_percents(one / images)} by one.", limit),
    ]


def half_step(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of fooled images whose mean change falls, or grows, by over 5 % when the step is halved.

    The cap on steps is doubled. If more than half of the images fall by that much, so does the median ratio of the two
    changes, so the limit is a share of one half. Since only the median counts, images that take
    `HALF_STEP_SLACK` times as many steps as the median did with the whole step count as having grown.
    """
    spec, rows = subject.spec, np.flatnonzero(evidence.fooled_last)
    images = len(rows)
    limit = tolerated(LIMITS["half_step"], images)
    if not images:
        return _check("half_step", np.nan, 0, "No image was fooled, so that there is no change to compare.", limit)
    fooled = evidence.sample.of(rows)
    most = min(2 * spec.max_iterations, HALF_STEP_SLACK * int(np.median(evidence.steps[rows])))
    halved = replace(spec, alpha=spec.alpha / 2, max_iterations=most, other_confidences=())
    changed, again = passes.attacked(subject, fooled, halved, subject.batch_size)
    before = _mean_change(fooled.pixels, evidence.last[torch.from_numpy(rows).to(changed.device)])
    ratio = np.where(again, _mean_change(fooled.pixels, changed) / before, np.inf)
    moved = (ratio < 1 - MOVED).sum(), (ratio > 1 + MOVED).sum()
    why = (
        f"With half of α = {spec.alpha:g}, the change of {moved[0]} of {counted(images, 'image')} fell by more than "
        f"{percent(MOVED, 3)}, and the change of {moved[1]} grew; the median ratio is {np.median(ratio):.3f}."
    )
    return _check("half_step", max(moved) / images, images, why, limit)


def double_cap(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of all attacked images that as many steps again would fool.

    Where fewer images ended at the cap than the limit allows, their share is the value, and nothing is attacked.
    """
    max_iterations, stopped, attacked = subject.spec.max_iterations, evidence.stopped, evidence.attacked
    limit = tolerated(LIMITS["double_cap"], attacked)
    why = f"Of {counted(attacked, 'image')}, {len(stopped)} ended at the cap of {max_iterations} steps"
    if len(stopped) <= limit * attacked:
        return _check("double_cap", len(stopped) / attacked, attacked, f"{why}; more steps can fool no others.", limit)
    pgd = PGD(subject.model, subject.spec, subject.seed, subject.title)
    criterion = stopped.criterion(subject.spec.confidence)
    fooled = int(passes.pgd(subject, pgd, stopped, criterion, alpha=subject.spec.alpha, steps=max_iterations).sum())
    return _check(
        "double_cap", fooled / attacked, attacked, f"{why}, and {max_iterations} more fooled {fooled} of them.", limit
    )


def beats_noise(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of images on which the attack fails, or random signs of its L∞ reach its goal as well."""
    sample = evidence.sample
    signs = random_signs(subject.seed, sample.ids, torch.zeros_like(sample.ids), sample.pixels.shape[1:])
    size = torch.from_numpy(_linf(sample.pixels, evidence.first)).to(sample.pixels).view(-1, 1, 1, 1)
    noisy = (sample.pixels + size * signs).clamp(0, 1)
    by_noise = sample.criterion(subject.spec.levels[0]).met(passes.outputs(subject, noisy, sample.ids))
    why = (
        f"Of {counted(len(sample), 'image')}, the attack reached its goal on {int(evidence.fooled_first.sum())}, and "
        f"noise of the same L∞ on {int(by_noise.sum())}."
    )
    return _share("beats_noise", int((by_noise | ~evidence.fooled_first).sum()), len(sample), why)


def in_float64(subject: Subject, pixels: Tensor) -> nn.Module | None:
    """Return the network itself in float64; None for a user's own that computes in float32 whatever it is given."""
    exact = copied(subject.network).to(pixels.device).eval().requires_grad_(False).double()
    try:
        output = exact(pixels[:2].double())
    except Exception:  # the user's code: tensors of two types meet, or it asks for a type
        return None
    return exact if output.dtype == torch.float64 else None


def finite_differences(subject: Subject, evidence: Evidence, exact: nn.Module) -> Check:
    """Return the share of slopes that differ from the gradient's, along its signs and along random signs.

    The reward is computed in float64 by `exact`, the network itself, and from log-odds, which lose nothing to rounding
    where a probability is near 0 or 1. A slope along the gradient's signs is compared relative to itself; one along
    random signs, which may cancel to nothing, relative to the gradient's L2 norm, its typical size.
    """
    sample = evidence.sample
    spec = replace(subject.spec, gradients="float32")
    aimed = sample.criterion(0.0).aimed
    signs = random_signs(subject.seed, sample.ids, torch.ones_like(sample.ids), sample.pixels.shape[1:]).double()
    wrong = slopes = 0
    for points in (sample.pixels, (sample.pixels + evidence.first) / 2, evidence.first):
        for rows in passes.batches(len(sample), subject.batch_size):
            with naming(subject.title, sample.ids[rows]):
                gradient = reward_gradient(subject.model, points[rows], aimed[rows], spec)[1].double()
            for direction, norm in ((gradient.sign(), 1), (signs[rows], 2)):
                ahead, behind = (
                    _reward(exact(points[rows].double() + displaced * direction), aimed[rows], spec)
                    for displaced in (DISPLACEMENT, -DISPLACEMENT)
                )
                expected = (gradient * direction).flatten(1).sum(1)
                error = (ahead - behind) / (2 * DISPLACEMENT) - expected
                # Written so that a slope of NaN is wrong.
                wrong += int((~(error.abs() <= SLOPE_TOLERANCE * gradient.flatten(1).norm(p=norm, dim=1))).sum())
                slopes += len(error)
    why = f"{wrong} of {slopes} slopes differ from the gradient by more than {percent(SLOPE_TOLERANCE, 3)}."
    limit = tolerated(LIMITS["finite_differences"], slopes)
    return _check("finite_differences", wrong / slopes, len(sample), why, limit)


def eight_bits(subject: Subject, evidence: Evidence) -> Check:
    """Return the share of fooled images that no longer fool the model when their pixels are rounded to 8 bits."""
    fooled = np.flatnonzero(evidence.fooled_last)
    at = torch.from_numpy(fooled).to(evidence.last.device)
    rounded, ids = (evidence.last[at] * 255).round() / 255, evidence.sample.ids[at]
    criterion = evidence.sample.criterion(0.0).of(fooled)
    lost = int((~criterion.met(passes.outputs(subject, rounded, ids))).sum()) if len(fooled) else 0
    why = f"Of {counted(len(fooled), 'fooled image')}, {lost} fooled no longer once they were rounded to 8 bits."
    if not len(fooled):
        why = "No image was fooled, so that there is none to round."
    return _share("eight_bits", lost, len(fooled), why)


def batch_size(subject: Subject, evidence: Evidence) -> Check:
    """Return the largest relative difference of an image's change when it is attacked alone and with others."""
    few = evidence.sample.of(np.arange(min(ALONE, len(evidence.sample))))
    spec = replace(subject.spec, max_iterations=ALONE_STEPS, other_confidences=())
    alone, together = (passes.attacked(subject, few, spec, size)[0] for size in (1, ALONE))
    change = _mean_change(few.pixels, together)
    apart = (_mean_change(alone, together) / np.where(change > 0, change, 1)).max()
    images = counted(len(few), "image")
    why = f"Of {images}, attacked alone and together, the changes differ by up to {percent(apart, 3)}."
    limit = LIMITS["batch_size"] if few.pixels.device.type == "cpu" else GPU_BATCH_SIZE
    return _check("batch_size", apart, len(few), why, limit)


# ---- what they share ------------------------------------------------------------------------------------------------


def _check(name: str, value: float, images: int, why: str, limit: float | None = None) -> Check:
    return Check(name, float(value), LIMITS[name] if limit is None else limit, images, why)


def _share(name: str, count: int, images: int, why: str) -> Check:
    """Return a check of a share of images, whose limit depends on their number."""
    return _check(name, count / max(1, images), images, why, tolerated(LIMITS[name], images))


def _reward(logits: Tensor, aimed: NDArray[np.int64], spec: AttackSpec) -> Tensor:
    """Return the rewards (N,) of `AttackSpec.reward` up to a constant, from the log-odds of all other classes."""
    at = torch.from_numpy(aimed).to(logits.device)[:, None]
    odds = logits.scatter(1, at, -torch.inf).logsumexp(1) - logits.gather(1, at)[:, 0]
    reward = odds.sigmoid() if spec.reward == "probability" else functional.softplus(odds)
    return reward if spec.target is None else -reward


def _mean_change(original: Tensor, changed: Tensor) -> NDArray[np.float64]:
    return mean_change(original.cpu().numpy(), changed.cpu().numpy())


def _linf(original: Tensor, changed: Tensor) -> NDArray[np.floating]:
    return (changed - original).abs().flatten(1).amax(1).cpu().numpy()


def _percents(shares: NDArray[np.floating]) -> str:
    return ", ".join(percent(share, 3).removesuffix(" %") for share in shares) + " %"
