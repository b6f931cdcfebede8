"""Times the attack and other ways to run it in alternating runs, and summarises them.

`measure` runs every method of `benchmarking.baselines` on the same model and images, one after another and round by
round, so that whatever slows a machine for a while slows all methods. `summarise` computes a table from what was
measured, and `readable` turns it into text. Methods that do the attack's task must do the same work: `measure` checks
this.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from robustness.attacks import adv_lib
from robustness.attacks.iterated_sign import AttackResult, attack
from robustness.attacks.spec import AttackSpec
from robustness.benchmarking import baselines
from robustness.benchmarking.baselines import Attacked
from robustness.compute.hardware import timed
from robustness.models import describe
from robustness.models.frozen import frozen
from robustness.models.image_shape import ImageShape
from robustness.runtime.progress import Progress

OURS = "ours"

ALONE_IMAGES = 100
"""How many images are attacked one at a time, which takes long; their time is given per image."""

SAME_ENDS = 0.95
SAME_WORK = 0.05
"""The limits within which two methods do the same task.

At least the share `SAME_ENDS` of images end alike, and the evaluations needed differ by at most the share `SAME_WORK`.
They do not agree on every image: now and then rounding flips the sign of a step, and an image ends a step earlier.
"""


@dataclass(frozen=True)
class Run:
    """One timed run of a method on the first `images` images.

    `evaluations` counts the forward and backward passes of single images that the run made. `needed` counts the passes
    that our attack needs for the same images; it is None where the method is not the same attack.
    """

    method: str
    seconds: float
    images: int
    evaluations: int
    needed: int | None


@dataclass(frozen=True)
class Agreement:
    """The share of images that end as in our attack, and the share that end after the same number of steps."""

    ends: float
    iterations: float


@dataclass(frozen=True)
class Measurement:
    """All runs in the order in which they were made, and what the methods did.

    `agreement` holds the methods that are the same attack, `notes` a few words on methods that do not run on all images
    or are not the same attack. `batches` (steps,) is how many images each step of our attack evaluated, padding aside.
    """

    runs: list[Run]
    agreement: dict[str, Agreement]
    notes: dict[str, str]
    batches: Tensor


@dataclass(frozen=True)
class _Method:
    """A way to run on the first n images; `run` returns what it found, or its evaluations if it is not the attack."""

    run: Callable[[int], Attacked | int]
    images: int
    batch: int
    note: str = ""


def measure(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    image_ids: Tensor,
    spec: AttackSpec,
    *,
    seed: int,
    batch_size: int,
    rounds: int,
    title: str = "model",
) -> Measurement:
    """Time every method `rounds` times, taking turns; arguments as in `iterated_sign.attack`, `model` as loaded.

    Each method first warms up on one batch. Preparing a model (`frozen`, `plain`) is not timed. adv-lib's attack is
    left out where adv-lib is not installed. Raises `RuntimeError` when methods that should be the same attack do not do
    the same work, and `UserError` for an attack that the baselines do not know.
    """
    device = images.device
    ours_model, plain_model = frozen(model, device), baselines.plain(model, device)

    def first(count: int) -> tuple[Tensor, Tensor, Tensor]:
        return images[:count], labels[:count], image_ids[:count]

    def ours(count: int) -> AttackResult:
        return attack(ours_model, *first(count), spec, seed=seed, batch_size=batch_size, title=title)

    def keep_until_last(count: int) -> Attacked:
        return baselines.keep_until_last(plain_model, *first(count), spec, seed=seed, batch_size=batch_size)

    def one_at_a_time(count: int) -> Attacked:
        return baselines.one_at_a_time(plain_model, *first(count), spec, seed=seed)

    def bare(count: int) -> int:
        evaluations = round(result.evaluations * count / len(images))
        return baselines.bare(plain_model, *first(count)[:2], evaluations=evaluations, batch_size=batch_size)

    result = ours(len(images))
    reference = _attacked(result)
    alone = min(ALONE_IMAGES, len(images))
    methods = {
        OURS: _Method(lambda count: _attacked(ours(count)), len(images), batch_size),
        "keep_until_last": _Method(keep_until_last, len(images), batch_size),
        "one_at_a_time": _Method(one_at_a_time, alone, 1, f"the first {alone} images"),
    }
    if adv_lib.installed():
        fmn = adv_lib.adv_lib_attacks().fmn
        steps = max(1, round(result.evaluations / len(images)))
        run_fmn = partial(baselines.fast_minimum_norm, fmn, plain_model, steps=steps, batch_size=batch_size)
        note = f"another attack: FMN, L∞, {steps} steps"
        methods["adv_lib"] = _Method(lambda count: run_fmn(*first(count)[:2]), len(images), batch_size, note)
    methods["bare"] = _Method(bare, len(images), batch_size, "no attack: gradient calls alone")
    for method in methods.values():
        method.run(min(method.batch, method.images))

    runs, found = [], {}
    with Progress(f"times of {title}", rounds * len(methods), "runs") as progress:
        for name, method in list(methods.items()) * rounds:
            seconds, outcome = timed(device, partial(method.run, method.images))
            progress.advance(1)
            if isinstance(outcome, int):
                runs.append(Run(name, seconds, method.images, outcome, needed=None))
                continue
            runs.append(Run(name, seconds, method.images, outcome.evaluations, _needed(reference, method.images)))
            if name != OURS:
                found[name] = agreement(name, outcome, reference)
    notes = {name: method.note for name, method in methods.items() if method.note}
    return Measurement(runs, found, notes, result.batches)


def _attacked(result: AttackResult) -> Attacked:
    return Attacked(result.outcome.flatten(), result.iterations.flatten(), result.evaluations)


def _needed(attacked: Attacked, images: int) -> int:
    """Return how many evaluations the first `images` need: each one more than its steps, to find that it has ended."""
    return int((attacked.iterations[:images] + 1).sum())


def agreement(name: str, theirs: Attacked, ours: Attacked) -> Agreement:
    """Return how far a method agrees with our attack on the method's images, which are the first of our images.

    Raises `RuntimeError` naming the method when the two do not do the same work, since their times then say nothing.
    """
    count = len(theirs.outcome)
    ends = (theirs.outcome == ours.outcome[:count]).double().mean().item()
    iterations = (theirs.iterations == ours.iterations[:count]).double().mean().item()
    needed, expected = _needed(theirs, count), _needed(ours, count)
    if ends < SAME_ENDS or abs(needed - expected) > SAME_WORK * expected:
        raise RuntimeError(
            f"{name} is not the attack that it is compared with: {ends:.1%} of {count} images end alike, and it needs "
            f"{needed} evaluations instead of {expected}"
        )
    return Agreement(ends, iterations)


def gflop_per_evaluation(model: nn.Module, image: ImageShape) -> float:
    """Return the GFLOP of one forward and backward pass of one image.

    Counted are matrix products and convolutions; a multiply-add is two operations. The sum is twice the forward pass:
    the backward pass to the pixels, without gradients of weights, multiplies as often.
    """
    return 2 * describe.summarise(model, image).gflops


def summarise(
    measurement: Measurement, *, batch_size: int, gflop: float, peaks: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Return one row per method, in the order of their first runs; None where a column does not apply.

    `seconds_*` are of whole runs. `waste` is a method's evaluations divided by the evaluations that our attack needed.
    `to_ours` is a method's time per image divided by our time per image in the same round, and `evaluation_to_ours` the
    same ratio per evaluation: medians over rounds, with the smallest and the largest. `gflop` is of one evaluation.
    `gflop_per_second` counts all evaluations, also evaluations of padding and of images that had ended; `*_peak` are
    its shares of `peaks` (GFLOP per second by type, None where not measured). `small_batch_steps` is the share of our
    steps whose batch was less than a quarter full, and `small_batch_evaluations` the share of our evaluations in such
    steps, both without padding.
    """
    by_method: dict[str, list[Run]] = {}
    for run in measurement.runs:
        by_method.setdefault(run.method, []).append(run)
    small_steps, small_evaluations = small_batches(measurement.batches, batch_size)
    rows = []
    for method, runs in by_method.items():
        seconds = [run.seconds for run in runs]
        median = statistics.median(seconds)
        first = runs[0]
        pairs = list(zip(runs, by_method[OURS], strict=True))
        same = measurement.agreement.get(method)
        rate = gflop * first.evaluations / median
        rows.append(
            {
                "method": method,
                "note": measurement.notes.get(method),
                "rounds": len(runs),
                "images": first.images,
                "seconds_min": min(seconds),
                "seconds_median": median,
                "seconds_max": max(seconds),
                "images_per_second": first.images / median,
                "evaluations": first.evaluations,
                "waste": None if first.needed is None else first.evaluations / first.needed,
                "microseconds_per_evaluation": 1e6 * median / first.evaluations,
                **_spread("to_ours", [_ratio(run, ours, "images") for run, ours in pairs]),
                **_spread("evaluation_to_ours", [_ratio(run, ours, "evaluations") for run, ours in pairs]),
                "equal_ends": same and same.ends,
                "equal_iterations": same and same.iterations,
                "small_batch_steps": small_steps if method == OURS else None,
                "small_batch_evaluations": small_evaluations if method == OURS else None,
                "gflop_per_second": rate,
                **{f"{name}_peak": peak and rate / peak for name, peak in peaks.items()},
                "seconds_by_round": " ".join(f"{value:.6g}" for value in seconds),
            }
        )
    return rows


def _ratio(run: Run, ours: Run, per: str) -> float:
    return (run.seconds / getattr(run, per)) / (ours.seconds / getattr(ours, per))


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}


def small_batches(batches: Tensor, batch_size: int) -> tuple[float, float]:
    """Return the share of steps whose batch is less than a quarter full, and the share of evaluations in such steps."""
    small = batches < batch_size / 4
    return small.double().mean().item(), batches[small].sum().item() / batches.sum().item()


def readable(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of `summarise` as text for a terminal: a line for each method, then what did not fit there."""
    peaks = [name for name, value in rows[0].items() if name.endswith("_peak") and value is not None]
    lines = [
        f"{'method':16s}{'rounds':>7s}{'images':>7s}{'seconds: min, median, max':>29s}{'images/s':>10s}"
        f"{'evaluations':>13s}{'waste':>7s}{'µs each':>10s}{'time per image ÷ ours':>24s}"
        + "".join(f"{name.removesuffix('_peak'):>9s}" for name in peaks)
    ]
    for row in rows:
        seconds = "".join(f"{row[f'seconds_{name}']:9.3f}" for name in ("min", "median", "max"))
        waste = "" if row["waste"] is None else f"{row['waste']:.2f}"
        ratio = f"{row['to_ours']:.2f} [{row['to_ours_min']:.2f}, {row['to_ours_max']:.2f}]"
        lines.append(
            f"{row['method']:16s}{row['rounds']:7d}{row['images']:7d}{seconds:>29s}{row['images_per_second']:10.1f}"
            f"{row['evaluations']:13d}{waste:>7s}{row['microseconds_per_evaluation']:10.1f}{ratio:>24s}"
            + "".join(f"{row[name]:9.1%}" for name in peaks)
        )
    for row in rows:
        if row["note"]:
            lines.append(f"{row['method']}: {row['note']}")
        if row["equal_iterations"] is not None:
            lines.append(
                f"{row['method']}: {row['equal_ends']:.1%} of its images end as ours do, "
                f"{row['equal_iterations']:.1%} after as many steps"
            )
        if row["small_batch_steps"] is not None:
            lines.append(
                f"{row['method']}: {row['small_batch_steps']:.1%} of steps with a batch less than a quarter full, "
                f"{row['small_batch_evaluations']:.1%} of evaluations in them"
            )
    return "\n".join(lines)
