"""The attack: known optima, planted models that must be caught, and independence of how the work is divided."""

from __future__ import annotations

import contextlib
import math
import weakref
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp
from torch import Tensor, nn

from robustness.attacks import iterated_sign
from robustness.attacks.gradients import reward_gradient, static_prediction
from robustness.attacks.iterated_sign import AttackResult, Partner, attack
from robustness.attacks.spec import AttackSpec
from robustness.attacks.state import Store, Trajectories
from robustness.compute.counter_random import random_signs
from robustness.errors import UserError
from robustness.models.architectures import build
from robustness.models.frozen import frozen
from robustness.models.image_shape import ImageShape
from robustness.outcome import CAP, DEFAULT_STATE, SKIPPED, SUCCESS

CPU = torch.device("cpu")
SPEC = AttackSpec(reward="probability", direction="sign", alpha=0.01, confidence=0.9, max_iterations=60)
REWARDS = ["probability", "cross_entropy"]
DIRECTIONS = ["sign", "normalized"]
BY_LEVEL = ("adversarial", "outcome", "iterations", "label_after", "confidence_after", "zero_gradients", "scale")
RECORDED = ("adversarial", "outcome", "iterations", "label_before", "label_after", "confidence_after", "zero_gradients")


def random_images(count: int, channels: int = 1, side: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


def perceptron(channels: int = 1, side: int = 6, classes: int = 4, scale: float = 3.0, seed: int = 0) -> nn.Module:
    """A small network that sees all classes in random images, `scale` times as sure of them as a fresh one."""
    torch.manual_seed(seed)
    model = build({"family": "perceptron", "hidden": 12}, ImageShape(channels, side, side), classes)
    model[1].weight.data *= 4
    model[1].bias.data = -model[1].weight.data.sum(1) / 2
    model[3].weight.data -= model[3].weight.data.mean(1, keepdim=True)
    model[3].weight.data *= scale
    return model


def resnet(filters: int = 2, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = build({"family": "resnet", "blocks": [1, 1, 1, 1], "filters": filters}, ImageShape(1, 28, 28), classes=3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.1, 0.5)
    return model


class Planted(nn.Module):
    """A model whose logits are a function of the image; it needs a gradient, so everything hangs on the pixels."""

    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = logits
        self.images = 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        return self.logits(x) + 0 * x.sum()


def predictions(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return frozen(model, CPU)(images).argmax(1)


def run(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    spec: AttackSpec = SPEC,
    *,
    ids: Tensor | None = None,
    seed: int = 1,
    batch_size: int = 16,
    **options: Any,
) -> AttackResult:
    """Attack images from their own predictions, unless labels are given; the result at the highest level alone."""
    labels = predictions(model, images) if labels is None else labels
    ids = torch.arange(len(images)) if ids is None else ids
    result = attack(frozen(model, CPU), images, labels, ids, spec, seed=seed, batch_size=batch_size, **options)
    return at(result, -1)


def at(result: AttackResult, level: int) -> AttackResult:
    """The result at one required confidence, without the dimension of levels."""
    return replace(result, **{name: getattr(result, name)[:, level] for name in BY_LEVEL})


# --- a linear model, whose optimum is known --------------------------------------------------------------------------


def linear(channels: int, side: int = 5) -> nn.Module:
    """A linear model that is steep enough for its optimum to lie well within [0, 1]."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * side**2, 2))
    model[1].weight.data *= 6
    return model


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 33])
def test_the_attack_on_a_linear_model_stops_within_one_step_of_the_optimum(
    reward: Any, direction: Any, channels: int, count: int
) -> None:
    model = linear(channels)
    images = 0.5 + 0.05 * (random_images(count, channels, 5) - 0.5)
    spec = replace(SPEC, reward=reward, direction=direction, alpha=0.002 if direction == "sign" else 0.02)
    spec = replace(spec, max_iterations=2000)
    result = run(model, images, spec=spec, batch_size=count)
    with torch.no_grad():
        logits = model(images)
        difference = model[1].weight[1] - model[1].weight[0]
    gap = (logits[:, 1] - logits[:, 0]).abs() + math.log(0.9 / 0.1)
    change = (result.adversarial - images).flatten(1)
    optimum = gap / (difference.norm(p=1) if direction == "sign" else difference.norm(p=2))
    found = change.abs().amax(1) if direction == "sign" else change.norm(dim=1)
    assert (result.outcome == SUCCESS).all()
    assert 0 < result.adversarial.min() <= result.adversarial.max() < 1  # no clipping, for which the optimum holds
    assert (found >= optimum - 1e-5).all()
    assert (found < optimum + spec.alpha + 1e-5).all()
    assert (found / spec.alpha).tolist() == pytest.approx(result.iterations.tolist(), abs=0.01)


# --- independence of the division of work ----------------------------------------------------------------------------


def assert_equal(first: AttackResult, second: AttackResult, rows: Tensor) -> None:
    """The rows of `first` are all of `second`, bit for bit."""
    for name in RECORDED:
        assert torch.equal(getattr(first, name)[rows], getattr(second, name)), name


class Division:
    """The same images attacked at once, and in parts."""

    def __init__(self, model: nn.Module, images: Tensor, spec: AttackSpec) -> None:
        self.model, self.images, self.spec = model, images, spec
        self.labels = predictions(model, images)
        self.labels[::7] = (self.labels[::7] + 1) % 3
        self.whole = run(model, images, self.labels, spec, batch_size=len(images))

    def check(self, batch_size: int, order: list[int], cuts: list[int]) -> None:
        for part in torch.tensor_split(torch.tensor(order), sorted(cuts)):
            result = run(self.model, self.images[part], self.labels[part], self.spec, ids=part, batch_size=batch_size)
            assert_equal(self.whole, result, part)


DIVISIONS = [
    ("perceptron", "probability", "sign", None),
    ("perceptron", "cross_entropy", "normalized", "random"),
    ("saturated", "probability", "sign", None),
    ("saturated", "probability", "normalized", "least_likely"),
    ("resnet", "cross_entropy", "sign", None),
    ("wider resnet", "probability", "normalized", "next"),
]


@pytest.fixture(scope="module", params=DIVISIONS, ids=lambda values: "-".join(map(str, values)))
def division(request: pytest.FixtureRequest) -> Division:
    name, reward, direction, target = request.param
    spec = AttackSpec(reward, direction, 0.02 if direction == "sign" else 0.1, 0.9, 18, target)
    match name:
        case "perceptron":
            return Division(perceptron(), random_images(23), spec)
        case "saturated":
            return Division(perceptron(scale=3000), random_images(23), spec)
        case "resnet":
            return Division(resnet(2), random_images(12, side=28), replace(spec, max_iterations=5))
    return Division(resnet(4), random_images(12, side=28), replace(spec, max_iterations=5))


@settings(max_examples=4)
@given(data=st.data())
def test_results_are_the_same_bits_for_any_batch_size_order_and_shards(division: Division, data: st.DataObject) -> None:
    count = len(division.images)
    division.check(
        data.draw(st.integers(1, count + 3), "batch size"),
        data.draw(st.permutations(range(count)), "order"),
        data.draw(st.lists(st.integers(0, count), max_size=4), "cuts"),
    )


@pytest.mark.parametrize("batch_size", [1, 9])
def test_results_are_the_same_bits_one_image_at_a_time(division: Division, batch_size: int) -> None:
    count = len(division.images)
    division.check(batch_size, list(reversed(range(count))), list(range(0, count, 6)))


def test_the_divisions_cover_different_ends_and_random_steps() -> None:
    result = Division(perceptron(scale=3000), random_images(23), SPEC).whole
    assert (result.outcome == SKIPPED).sum() >= 3
    assert (result.zero_gradients > 0).sum() >= 3
    assert len(set(result.iterations.tolist())) >= 3


def test_another_seed_changes_only_what_is_random() -> None:
    model, images = perceptron(), random_images(8)
    assert torch.equal(run(model, images, seed=1).adversarial, run(model, images, seed=2).adversarial)
    model = perceptron(scale=3000)
    assert not torch.equal(run(model, images, seed=1).adversarial, run(model, images, seed=2).adversarial)


def test_no_images_give_an_empty_result() -> None:
    result = run(perceptron(), random_images(0))
    assert result.adversarial.shape == (0, 1, 6, 6)
    assert result.evaluations == result.needed == 0


def test_the_images_given_are_left_as_they_are() -> None:
    images = random_images(8)
    run(perceptron(), images)
    assert torch.equal(images, random_images(8))


# --- gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("target", [None, 2])
@pytest.mark.parametrize("count", [3, 9])
def test_gradients_agree_with_finite_differences(reward: Any, target: int | None, count: int) -> None:
    model = perceptron(scale=1.0).double()
    images, labels = random_images(count).double(), torch.arange(count) % 2
    spec = replace(SPEC, reward=reward, target=target)
    targets = torch.full_like(labels, -1 if target is None else target)

    def rewards(x: Tensor) -> Tensor:
        with torch.no_grad():
            p = model(x).softmax(1)
        of = p.gather(1, (labels if target is None else targets)[:, None])[:, 0]
        of = of.log() if reward == "cross_entropy" else of
        return -of if target is None else of

    log_p, gradient = reward_gradient(model, images, (labels if target is None else targets).numpy(), spec)
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(log_p), model(images).log_softmax(1), atol=1e-12)
    for pixel in ((0, 0), (2, 5), (4, 1)):
        shift = torch.zeros_like(images)
        shift[:, 0, *pixel] = 1e-6
        slope = (rewards(images + shift) - rewards(images - shift)) / 2e-6
        assert slope.abs().max() > 1e-3
        assert gradient[:, 0, *pixel].tolist() == pytest.approx(slope.tolist(), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("target", [None, 2])
def test_both_rewards_point_the_same_way(target: int | None) -> None:
    model, images = perceptron(scale=1.0), random_images(9)
    aimed = np.full(9, 0 if target is None else target)
    gradients = [
        reward_gradient(model, images, aimed, replace(SPEC, reward=reward, target=target))[1]
        for reward in ("probability", "cross_entropy")
    ]
    assert torch.equal(gradients[0].sign(), gradients[1].sign())
    assert not torch.allclose(gradients[0], gradients[1])


def test_a_saturated_probability_has_no_gradient_but_its_logarithm_has() -> None:
    model, images = perceptron(scale=3000), random_images(9)
    labels = predictions(model, images)
    for reward, vanished in (("probability", True), ("cross_entropy", False)):
        # One step towards the wrong class saturates the other way: p_y = 0, as after a success.
        wrong = (labels + 1) % 4
        _, gradient = reward_gradient(model, images, wrong.numpy(), replace(SPEC, reward=reward))  # type: ignore[arg-type]
        assert (gradient == 0).all().item() is vanished


def test_random_signs_step_in_where_the_gradient_has_vanished() -> None:
    model, images = perceptron(scale=3000), random_images(8)
    spec = replace(SPEC, max_iterations=1, confidence=0.999999)
    result = run(model, images, spec=spec)
    stuck = (result.zero_gradients == 1) & (result.outcome == CAP)
    assert stuck.any()
    signs = random_signs(1, torch.arange(8), torch.zeros(8, dtype=torch.int64), images.shape[1:])
    expected = (images + spec.alpha * signs).clamp(0, 1)
    assert torch.equal(result.adversarial[stuck], expected[stuck])


# --- planted models --------------------------------------------------------------------------------------------------


def constant(x: Tensor) -> Tensor:
    return torch.tensor([0.0, 1.0, 0.0]).expand(len(x), 3)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("reward", REWARDS)
def test_a_constant_model_ends_in_the_default_state(reward: Any, direction: Any) -> None:
    images = random_images(11)
    result = run(Planted(constant), images, spec=replace(SPEC, reward=reward, direction=direction))
    assert (result.outcome == DEFAULT_STATE).all()
    assert (result.iterations == 20).all()
    assert torch.equal(result.zero_gradients, result.iterations)
    assert (result.label_after == 1).all()


def sure(x: Tensor) -> Tensor:
    """So sure of class 0, which it sees in static, too, that a step changes its probability by less than 10⁻⁶."""
    brightness = x.mean((1, 2, 3))
    return torch.stack([40 * (brightness - 0.1), torch.zeros_like(brightness)], 1)


def test_the_papers_rule_takes_a_very_sure_model_for_the_default_state() -> None:
    images, labels = torch.full((3, 1, 6, 6), 0.9), torch.zeros(3, dtype=torch.int64)
    spec = replace(SPEC, alpha=0.001, max_iterations=900)
    result = run(Planted(sure), images, labels, spec)
    assert (result.outcome == DEFAULT_STATE).all()
    assert (result.iterations == 20).all()


def test_the_cross_entropy_is_not_at_rest_while_the_logits_of_a_very_sure_model_move() -> None:
    images, labels = torch.full((3, 1, 6, 6), 0.9), torch.zeros(3, dtype=torch.int64)
    spec = replace(SPEC, reward="cross_entropy", alpha=0.001, max_iterations=900)
    result = run(Planted(sure), images, labels, spec)
    assert (result.outcome == SUCCESS).all()
    # From a brightness of 0.9 to where class 1 has a probability of 0.9: log-odds of log 9 at a slope of 40.
    assert (result.iterations == math.ceil((0.8 + math.log(9) / 40) / 0.001)).all()


def test_a_model_that_ignores_small_changes_but_sees_static_otherwise_runs_to_the_cap() -> None:
    def by_contrast(x: Tensor) -> Tensor:
        bright = (x.mean((1, 2, 3)) > 0.7).float()
        return torch.stack([1 - bright, bright], 1) * 5

    images = torch.full((3, 1, 6, 6), 0.95)
    model = Planted(by_contrast)
    assert static_prediction(model, images.shape[1:], 1, CPU) == 0
    result = run(model, images, torch.ones(3, dtype=torch.int64), replace(SPEC, alpha=0.001))
    assert (result.outcome == CAP).all()
    assert (result.iterations == SPEC.max_iterations).all()


@pytest.mark.parametrize("reward", REWARDS)
def test_a_masked_gradient_is_never_called_a_success(reward: Any) -> None:
    inner = perceptron(scale=5)

    def masked(x: Tensor) -> Tensor:
        return inner((x * 4).round() / 4).detach() * 30

    model, images = Planted(masked), random_images(20)
    result = run(model, images, spec=replace(SPEC, reward=reward, alpha=0.002))
    assert torch.equal(result.zero_gradients, result.iterations)
    fooled = predictions(model, result.adversarial) != result.label_before
    assert torch.equal(result.outcome == SUCCESS, fooled)
    assert not fooled.all()


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("reward", REWARDS)
def test_a_model_that_is_too_sure_for_a_gradient_is_never_called_fooled(reward: Any, direction: Any) -> None:
    def saturated(x: Tensor) -> Tensor:
        margin = 4000 * (x.mean((1, 2, 3)) - 0.4)
        return torch.stack([torch.zeros_like(margin), margin], 1)

    images, labels = random_images(10) * 0.2 + 0.5, torch.ones(10, dtype=torch.int64)
    spec = replace(SPEC, reward=reward, direction=direction, alpha=0.01 if direction == "sign" else 0.06)
    result = run(Planted(saturated), images, labels, spec)
    assert ((result.outcome == CAP) | (result.outcome == DEFAULT_STATE)).all()
    assert torch.equal(result.zero_gradients, result.iterations)


def test_an_image_that_was_wrong_from_the_start_is_skipped_and_left_alone() -> None:
    model, images = perceptron(), random_images(10)
    labels = predictions(model, images)
    wrong = torch.arange(10) % 3 == 0
    given = torch.where(wrong, (labels + 1) % 4, labels)
    result = run(model, images, given)
    assert torch.equal(result.outcome == SKIPPED, wrong)
    assert torch.equal(result.adversarial[wrong], images[wrong])
    assert (result.iterations[wrong] == 0).all()
    assert torch.equal(result.label_before, labels)
    assert (result.iterations[~wrong] > 0).all()


def test_an_attack_that_does_not_get_there_ends_at_the_cap() -> None:
    result = run(perceptron(), random_images(10), spec=replace(SPEC, max_iterations=3, alpha=0.0001))
    assert (result.outcome == CAP).all()
    assert (result.iterations == 3).all()
    assert torch.equal(result.label_before, result.label_after)


def test_a_success_at_the_very_last_iteration_is_one() -> None:
    model, images = perceptron(), random_images(10)
    needed = run(model, images)
    image = int((needed.outcome == SUCCESS).nonzero()[0])
    spec = replace(SPEC, max_iterations=int(needed.iterations[image]))
    assert run(model, images, spec=spec).outcome[image] == SUCCESS


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_model_that_returns_no_numbers_is_named_with_the_images(value: float) -> None:
    def broken(x: Tensor) -> Tensor:
        dark = x.mean((1, 2, 3), keepdim=True)[:, 0, 0] < 0.2
        return torch.where(dark, value, constant(x))

    images = random_images(30)
    images[[7, 12]] *= 0.1
    with pytest.raises(UserError, match=r"resnet-clean: the network answers test images 107, 112"):
        run(Planted(broken), images, torch.ones(30).long(), ids=torch.arange(100, 130), title="resnet-clean")


# --- what a success is -----------------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    reward=st.sampled_from(REWARDS),
    direction=st.sampled_from(DIRECTIONS),
    confidence=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    alpha=st.sampled_from([0.003, 0.05, 0.5]),
)
def test_a_success_is_a_confident_mistake_and_images_stay_between_0_and_1(
    seed: int, reward: Any, direction: Any, confidence: float, alpha: float
) -> None:
    model, images = perceptron(seed=seed), random_images(12, seed=seed)
    labels = predictions(model, images)
    result = run(model, images, labels, AttackSpec(reward, direction, alpha, confidence, 40))
    assert 0 <= result.adversarial.min() <= result.adversarial.max() <= 1
    with torch.no_grad():
        found, label = frozen(model, CPU)(result.adversarial).softmax(1).max(1)
    assert torch.equal(label, result.label_after)
    assert torch.allclose(found, result.confidence_after, atol=1e-5)
    goal = (label != labels) & (result.confidence_after >= confidence)
    assert torch.equal(result.outcome == SUCCESS, goal)


def test_less_confidence_never_needs_more_iterations() -> None:
    model, images = perceptron(), random_images(20)
    results = [run(model, images, spec=replace(SPEC, confidence=confidence)) for confidence in (0.0, 0.5, 0.9)]
    for less, more in pairwise(results):
        assert (less.iterations <= more.iterations).all()
    assert (results[0].iterations < results[2].iterations).any()


# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("target", ["next", "random", "least_likely", 2])
def test_a_targeted_attack_makes_the_model_sure_of_the_target(target: Any, reward: Any) -> None:
    model, images = perceptron(scale=6), random_images(20)
    labels = predictions(model, images)
    spec = replace(SPEC, target=target, reward=reward, max_iterations=200)
    result = run(model, images, labels, spec)
    with torch.no_grad():
        logits = frozen(model, CPU)(images)
        p = frozen(model, CPU)(result.adversarial).softmax(1).gather(1, result.target[:, None])[:, 0]
    won = result.outcome == SUCCESS
    assert won.sum() >= 5
    assert (p[won] >= 0.9 - 1e-5).all()
    assert torch.equal(result.label_after[won], result.target[won])
    assert (p[(result.outcome == CAP)] < 0.9).all()
    expected = {"next": (labels + 1) % 4, "least_likely": logits.argmin(1), 2: torch.full_like(labels, 2)}
    if target in expected:
        assert torch.equal(result.target, expected[target])
    else:
        assert (result.target != labels).all()
        assert len(set(((result.target - labels) % 4).tolist())) == 3


def test_images_that_are_of_the_target_class_already_are_skipped() -> None:
    model, images = perceptron(), random_images(30)
    labels = predictions(model, images)
    target = int(labels.mode().values)
    result = run(model, images, labels, replace(SPEC, target=target))
    assert torch.equal(result.outcome == SKIPPED, labels == target)
    assert torch.equal(result.adversarial[labels == target], images[labels == target])


def test_a_confident_mistake_that_is_not_the_target_is_no_success() -> None:
    model, images = perceptron(scale=6), random_images(20)
    untargeted = run(model, images)
    spec = replace(SPEC, target="next")
    result = run(model, images, spec=spec)
    assert (untargeted.label_after != result.target)[untargeted.outcome == SUCCESS].any()
    assert (result.label_after == result.target)[result.outcome == SUCCESS].all()


def test_classes_given_with_the_images_are_reached_as_in_one_attack_for_each_class() -> None:
    model, images = perceptron(scale=6), random_images(12)
    ids = torch.arange(12)
    targets = torch.arange(4).repeat(12)
    options = {"ids": ids.repeat_interleave(4), "spec": replace(SPEC, target="given")}
    together = run(model, images.repeat_interleave(4, 0), targets=targets, batch_size=7, **options)
    assert torch.equal(together.target, targets)
    assert (together.outcome == SUCCESS).sum() >= 10
    for target in range(4):
        alone = run(model, images, spec=replace(SPEC, target=target), ids=ids)
        for name in RECORDED:
            assert torch.equal(getattr(together, name)[target::4], getattr(alone, name)), name


def test_classes_are_given_exactly_where_the_spec_says_so() -> None:
    with pytest.raises(ValueError, match="exactly where the spec's target is 'given'"):
        run(perceptron(), random_images(3), spec=replace(SPEC, target="given"))
    with pytest.raises(ValueError, match="exactly where the spec's target is 'given'"):
        run(perceptron(), random_images(3), targets=torch.zeros(3, dtype=torch.int64))


def test_an_unknown_target_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="'nearest': use next, random, least_likely or a class"):
        run(perceptron(), random_images(3), spec=replace(SPEC, target="nearest"))


# --- random signs ----------------------------------------------------------------------------------------------------

SHAPE = torch.Size([3, 16, 16])


def signs(seed: int = 0, ids: range = range(40), iteration: int = 0) -> Tensor:
    return random_signs(seed, torch.tensor(ids), torch.full((len(ids),), iteration), SHAPE)


def test_random_signs_are_plus_and_minus_one_about_equally_often() -> None:
    drawn = signs()
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    assert drawn.mean().abs() < 4 / drawn.numel() ** 0.5
    assert (drawn.flatten(1).mean(1).abs() < 5 / SHAPE.numel() ** 0.5).all()
    assert (drawn.mean(0).abs() < 5.5 / 40**0.5).all()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signs(seed=0), signs(seed=1)),
        (signs(seed=2**40), signs(seed=2**40 + 1)),
        (signs(iteration=0), signs(iteration=1)),
        (signs(ids=range(40)), signs(ids=range(1, 41))),
        (signs(ids=range(40)), signs(ids=range(40)).roll(1, dims=3)),
    ],
    ids=["seed", "large seed", "iteration", "image", "pixel"],
)
def test_random_signs_of_different_counters_are_unrelated(first: Tensor, second: Tensor) -> None:
    assert (first * second).mean().abs() < 5 / first.numel() ** 0.5


def test_random_signs_do_not_depend_on_the_batch() -> None:
    batch = signs(ids=range(40))
    alone = [random_signs(0, torch.tensor([image]), torch.tensor([0]), SHAPE)[0] for image in (0, 17, 39)]
    assert torch.equal(torch.stack(alone), batch[[0, 17, 39]])


# --- the pool --------------------------------------------------------------------------------------------------------


def test_the_pool_is_kept_full() -> None:
    def slope(x: Tensor) -> Tensor:
        margin = 40 * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(margin), margin], 1)

    model = Planted(slope)
    images = torch.linspace(0.51, 0.8, 600)[torch.randperm(600, generator=torch.Generator().manual_seed(0))]
    images = images[:, None, None, None].expand(-1, 1, 3, 3).clone()
    copied = frozen(model, CPU)
    result = attack(
        copied,
        images,
        torch.ones(600, dtype=torch.int64),
        torch.arange(600),
        replace(SPEC, reward="cross_entropy", max_iterations=500, alpha=0.01),
        seed=1,
        batch_size=16,
    )
    assert (result.outcome == SUCCESS).all()
    assert result.iterations.max() > 4 * result.iterations.min()
    assert result.needed == int(result.iterations.sum()) + 600
    assert 1 <= result.evaluations / result.needed <= 1.05
    assert copied.images == result.evaluations + 64  # and the static


def test_progress_hears_of_every_image_once() -> None:
    heard: list[int] = []
    result = run(perceptron(), random_images(30), batch_size=4, progress=lambda ended: heard.extend(ended.tolist()))
    assert sorted(heard) == sorted(result.outcome.tolist())


def test_a_frozen_model_is_a_copy_without_gradients() -> None:
    model = perceptron().train()
    copied = frozen(model, CPU)
    assert model.training
    assert not copied.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(parameter.requires_grad for parameter in copied.parameters())
    x = random_images(5)
    assert torch.allclose(copied(x), model(x), atol=1e-5)


# --- several confidences from one trajectory -------------------------------------------------------------------------

LEVELS = (0.0, 0.5, 0.9, 0.99)
MANY = replace(SPEC, confidence=0.9, other_confidences=(0.0, 0.5, 0.99))


@settings(max_examples=6)
@given(seed=st.integers(0, 1000), reward=st.sampled_from(REWARDS), batch_size=st.integers(1, 20))
def test_one_trajectory_gives_what_an_attack_for_each_confidence_does(seed: int, reward: Any, batch_size: int) -> None:
    model, images = perceptron(seed=seed), random_images(15, seed=seed)
    labels = predictions(model, images)
    labels[::6] = (labels[::6] + 1) % 4
    spec = replace(MANY, reward=reward)
    ids = torch.arange(15)
    many = attack(frozen(model, CPU), images, labels, ids, spec, seed=1, batch_size=batch_size)
    for level, confidence in enumerate(LEVELS):
        alone = run(model, images, labels, replace(SPEC, reward=reward, confidence=confidence))
        assert_equal(at(many, level), alone, torch.arange(15))


def test_one_trajectory_costs_no_more_than_its_highest_confidence() -> None:
    model, images = perceptron(), random_images(30)
    labels, ids = predictions(model, images), torch.arange(30)
    many = attack(frozen(model, CPU), images, labels, ids, MANY, seed=1, batch_size=16)
    assert many.needed == run(model, images, spec=replace(SPEC, confidence=0.99)).needed
    assert (many.iterations.diff(dim=1) >= 0).all()
    assert (many.iterations[:, 0] < many.iterations[:, 3]).any()


def test_an_image_can_meet_one_confidence_and_end_at_the_cap_for_a_higher_one() -> None:
    model, images = perceptron(), random_images(30)
    labels, ids = predictions(model, images), torch.arange(30)
    reached = run(model, images).iterations.median()
    spec = replace(MANY, max_iterations=int(reached))
    result = attack(frozen(model, CPU), images, labels, ids, spec, seed=1, batch_size=16)
    both = (result.outcome[:, 0] == SUCCESS) & (result.outcome[:, 3] == CAP)
    assert both.any()
    assert (result.iterations[both, 3] == spec.max_iterations).all()
    assert not torch.equal(result.adversarial[both, 0], result.adversarial[both, 3])


# --- saved state -----------------------------------------------------------------------------------------------------


class Careful(Store):
    """A store that saves after every step."""

    def due(self) -> bool:
        return True


class Killed(Exception):
    """Stands for the end of the process."""


def killed_after(model: nn.Module, batches: int) -> nn.Module:
    """A model that lets the process die when it is asked once more than so many times."""
    count = 0

    def forward(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > batches:
            raise Killed

    model.register_forward_hook(forward)
    return model


@pytest.mark.parametrize("spec", [MANY, replace(MANY, direction="normalized"), replace(MANY, target="random")])
@pytest.mark.parametrize("scale", [3.0, 3000.0])
def test_an_attack_that_is_killed_again_and_again_gives_the_bits_of_an_undisturbed_one(
    tmp_path: Path, spec: AttackSpec, scale: float
) -> None:
    model, images = perceptron(scale=scale), random_images(23)
    labels, ids = predictions(model, images), torch.arange(23)
    labels[::7] = (labels[::7] + 1) % 4
    settings = {"seed": 1, "batch_size": 7}
    whole = attack(frozen(model, CPU), images, labels, ids, spec, **settings)
    kills = 0
    while True:
        store = Careful(tmp_path / "state.safetensors", "key", interval=0.0)
        mortal = killed_after(frozen(model, CPU), batches=20)
        try:
            result = attack(mortal, images, labels, ids, spec, **settings, store=store)
            break
        except Killed:
            kills += 1
            assert kills < 100
    assert kills >= 3
    for name in (*BY_LEVEL, "label_before", "target"):
        assert torch.equal(getattr(whole, name), getattr(result, name)), name
    assert whole.needed == result.needed  # nothing that was safe was computed again


def test_a_state_is_continued_in_the_memory_format_of_the_images(tmp_path: Path) -> None:
    images = random_images(4, channels=3).to(memory_format=torch.channels_last)
    store = Store(tmp_path / "state.safetensors", "key", interval=0.0)
    store.save(Trajectories.start(images, levels=1))
    loaded = iterated_sign._begun(images, SPEC, store, None).x
    assert torch.equal(loaded, images)
    assert loaded.stride() == images.stride()


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e-37, 1e-40, 1e-44, 0.0])
def test_a_step_along_a_normalized_gradient_has_the_length_alpha_however_small_the_gradient(scale: float) -> None:
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            value = scale * x.sum((1, 2, 3))
            return torch.stack([value, 0 * value - 1], dim=1)

    images = 0.25 + 0.5 * random_images(3)
    spec = replace(SPEC, direction="normalized", reward="cross_entropy", max_iterations=1)
    labels = torch.zeros(3, dtype=torch.int64)
    result = attack(frozen(Flat(), CPU), images, labels, torch.arange(3), spec, seed=0, batch_size=3)
    assert (result.zero_gradients == (0 if scale else 1)).all()
    length = (result.adversarial[:, 0] - images).flatten(1).norm(dim=1)
    assert length == pytest.approx(np.full(3, spec.alpha), rel=1e-4)


def test_progress_hears_of_images_that_had_ended_before_a_kill(tmp_path: Path) -> None:
    model, images = perceptron(), random_images(23)
    labels, ids = predictions(model, images), torch.arange(23)
    for batches in (20, 10_000):
        heard: list[int] = []
        store = Careful(tmp_path / "state.safetensors", "key", interval=0.0)
        mortal = killed_after(frozen(model, CPU), batches)
        with contextlib.suppress(Killed):
            attack(
                *(mortal, images, labels, ids, SPEC),
                **{"seed": 1, "batch_size": 7, "store": store},
                progress=lambda ended, heard=heard: heard.extend(ended.tolist()),
            )
    assert len(heard) == 23


# --- attacks that share their steps ----------------------------------------------------------------------------------


def counted(model: nn.Module) -> tuple[nn.Module, list[int]]:
    """The model as the attack takes it, and the number of images in each batch that it gives a gradient for."""
    model, seen = frozen(model, CPU), []
    model.register_forward_pre_hook(lambda _, arguments: seen.extend([len(arguments[0])] * arguments[0].requires_grad))
    return model, seen


def shared(
    model: nn.Module, images: Tensor, labels: Tensor, specs: list[AttackSpec], folder: Path, **options: Any
) -> list[AttackResult]:
    """The results of attacks that share their steps: the first one's own, and the others' from their stores."""
    stores = [Store(folder / f"{number}.safetensors", "key", 1000.0) for number in range(len(specs))]
    partners = [Partner(spec, store) for spec, store in zip(specs[1:], stores[1:], strict=True)]
    data = (images, labels, torch.arange(len(images)))
    results = [attack(model, *data, specs[0], seed=1, store=stores[0], partners=partners, **options)]
    unused, seen = counted(model)
    for partner in partners:
        results.append(attack(unused, *data, partner.spec, seed=1, store=partner.store, **options))
    assert seen == []
    return results


def alone(model: nn.Module, images: Tensor, labels: Tensor, spec: AttackSpec, **options: Any) -> AttackResult:
    return attack(model, images, labels, torch.arange(len(images)), spec, seed=1, batch_size=16, **options)


def assert_same(first: AttackResult, second: AttackResult) -> None:
    for name in (*BY_LEVEL, "label_before", "target"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


@dataclass(frozen=True)
class Parting:
    """A model, images and a spec with which the two rewards part at a known time."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    spec: AttackSpec

    def specs(self, *rewards: Any) -> list[AttackSpec]:
        return [replace(self.spec, reward=reward) for reward in rewards]


def shaded(slope: float, logits: Any, label: int, **settings: Any) -> Parting:
    """Images of all shades; `logits` are a function of slope · (brightness − 0.4).

    The lower half of the pixels weighs 10⁻²⁰ times as much as the upper one, so that the gradient of p vanishes there
    from a p of about 10⁻²⁶ on, and everywhere from 10⁻⁴⁵ on.
    """
    weights = torch.cat([torch.full((3, 6), 1 / 18), torch.full((3, 6), 1e-20 / 18)])
    model = Planted(lambda x: logits(slope * ((x[:, 0] * weights).sum((1, 2)) - 0.4)))
    images = random_images(20) * 0.05 + torch.linspace(0.42, 0.7, 20)[:, None, None, None]
    return Parting(model, images, torch.full((20,), label), replace(MANY, **settings))


def toward_dark(margin: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(margin), margin], 1)


def undecided(margin: Tensor) -> Tensor:
    """Two wrong classes that are always equally likely: p of the true one falls on and on."""
    return torch.stack([margin, torch.zeros_like(margin), torch.zeros_like(margin)], 1)


def predicted(model: nn.Module, images: Tensor, spec: AttackSpec) -> Parting:
    labels = predictions(model, images)
    labels[::6] = (labels[::6] + 1) % 2
    return Parting(model, images, labels, spec)


PARTINGS = {
    "never": predicted(linear(1), 0.5 + 0.1 * (random_images(20, side=5) - 0.5), MANY),
    "early": shaded(400, toward_dark, label=1, target=0),
    "early, without any gradient": shaded(4000, toward_dark, label=1, target=0),
    "late": shaded(200, undecided, label=0),
    "at any time": predicted(perceptron(scale=300), random_images(20), replace(MANY, target="random")),
    "at any time, in bfloat16": shaded(300, toward_dark, label=1, target=0, gradients="bfloat16"),
}


@settings(max_examples=30, deadline=None)
@given(
    when=st.sampled_from(list(PARTINGS)),
    rewards=st.permutations(REWARDS),
    batch_size=st.integers(1, 24),
    tighten=st.booleans(),
)
def test_attacks_that_share_their_steps_give_the_bits_that_each_gives_alone(
    tmp_path_factory: pytest.TempPathFactory, when: str, rewards: list[str], batch_size: int, tighten: bool
) -> None:
    parting, model = PARTINGS[when], frozen(PARTINGS[when].model, CPU)
    specs = [replace(spec, tighten=tighten) for spec in parting.specs(*rewards)]
    data = (parting.images, parting.labels)
    together = shared(model, *data, specs, tmp_path_factory.mktemp("states"), batch_size=batch_size)
    for spec, result in zip(specs, together, strict=True):
        assert_same(result, alone(model, *data, spec))


@pytest.mark.parametrize("rewards", [REWARDS, REWARDS[::-1]], ids="-".join)
@pytest.mark.parametrize("when", PARTINGS)
def test_attacks_that_share_their_steps_and_are_killed_again_and_again_give_the_same_bits(
    tmp_path: Path, when: str, rewards: list[str]
) -> None:
    parting = PARTINGS[when]
    data, ids = (parting.images, parting.labels), torch.arange(20)
    specs = parting.specs(*rewards)
    stores = [Careful(tmp_path / f"{number}.safetensors", "key", 0.0) for number in range(2)]
    kills = 0
    while True:
        mortal = killed_after(frozen(parting.model, CPU), batches=15)
        try:
            partners = [Partner(specs[1], stores[1])]
            options = {"seed": 1, "batch_size": 7, "store": stores[0], "partners": partners}
            first = attack(mortal, *data, ids, specs[0], **options)
            break
        except Killed:
            kills += 1
            assert kills < 200
    assert kills >= 3
    second = attack(frozen(parting.model, CPU), *data, ids, specs[1], seed=1, batch_size=7, store=stores[1])
    for spec, result in zip(specs, (first, second), strict=True):
        whole = alone(frozen(parting.model, CPU), *data, spec)
        assert_same(result, whole)
        assert result.needed == whole.needed


def evaluated(parting: Parting, rewards: list[str], folder: Path) -> int:
    """The images that the model gives gradients for in attacks that share their steps, or in one."""
    model, seen = counted(parting.model)
    specs = parting.specs(*rewards)
    partners = [Partner(spec, Store(folder / spec.reward, "key", 1000.0)) for spec in specs[1:]]
    attack(
        *(model, parting.images, parting.labels, torch.arange(20), specs[0]),
        **{"seed": 1, "batch_size": 20, "partners": partners},
    )
    return sum(seen)


def test_attacks_that_never_part_cost_what_one_does(tmp_path: Path) -> None:
    costs = {evaluated(PARTINGS["never"], rewards, tmp_path) for rewards in (REWARDS, REWARDS[:1], REWARDS[1:])}
    assert len(costs) == 1


def test_the_later_attacks_part_the_less_they_cost_together(tmp_path: Path) -> None:
    late, early = (
        evaluated(PARTINGS[when], REWARDS, tmp_path / when)
        / sum(evaluated(PARTINGS[when], [reward], tmp_path / when) for reward in REWARDS)
        for when in ("late", "early")
    )
    assert 0.5 < late < early < 1


def test_an_attack_joins_one_that_was_put_aside_where_they_meet_and_goes_its_own_way_where_not(tmp_path: Path) -> None:
    parting = PARTINGS["late"]
    data, ids = (parting.images, parting.labels), torch.arange(20)
    specs = parting.specs(*REWARDS)
    stores = [Careful(tmp_path / f"{number}.safetensors", "key", 0.0) for number in range(2)]
    with contextlib.suppress(Killed):
        mortal = killed_after(frozen(parting.model, CPU), batches=30)
        attack(mortal, *data, ids, specs[0], seed=1, batch_size=7, store=stores[0])
    partners = [Partner(specs[1], stores[1])]
    attack(frozen(parting.model, CPU), *data, ids, specs[0], seed=1, batch_size=7, store=stores[0], partners=partners)
    for spec, store in zip(specs, stores, strict=True):
        result = attack(frozen(parting.model, CPU), *data, ids, spec, seed=1, batch_size=7, store=store)
        assert_same(result, alone(frozen(parting.model, CPU), *data, spec))


@pytest.mark.parametrize(
    "changes", [{"alpha": 0.02}, {"confidence": 0.8}, {"target": 1}, {"direction": "normalized"}], ids=str
)
def test_attacks_that_differ_in_more_than_the_reward_share_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    partner = Partner(replace(SPEC, reward="cross_entropy", **changes), Store(tmp_path / "state", "key", 0.0))
    with pytest.raises(ValueError, match="differ in nothing but the reward"):
        run(perceptron(), random_images(3), partners=[partner])


def test_attacks_along_normalized_gradients_share_nothing(tmp_path: Path) -> None:
    spec = replace(SPEC, direction="normalized")
    with pytest.raises(ValueError, match="follow signs"):
        run(perceptron(), random_images(3), spec=spec, partners=[Partner(spec, Store(tmp_path / "state", "key", 0.0))])


# --- memory ----------------------------------------------------------------------------------------------------------


def test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does() -> None:
    model, images = perceptron(), random_images(60)
    labels, ids = predictions(model, images), torch.arange(60)
    whole = attack(frozen(model, CPU), images, labels, ids, MANY, seed=1, batch_size=60)
    limited = frozen(model, CPU)
    sizes: list[int] = []

    def forward(_: nn.Module, arguments: tuple[Tensor]) -> None:
        sizes.append(len(arguments[0]))
        if len(sizes) > 30 and sizes[-1] > 20:
            raise torch.OutOfMemoryError

    limited.register_forward_pre_hook(forward)
    result = attack(limited, images, labels, ids, MANY, seed=1, batch_size=60)
    for name in (*BY_LEVEL, "label_before"):
        assert torch.equal(getattr(whole, name), getattr(result, name)), name
    assert result.needed == whole.needed
    assert max(sizes[35:]) <= 20


def test_what_a_step_had_computed_is_gone_when_memory_that_did_not_suffice_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, images = frozen(perceptron(), CPU), random_images(16)
    computed: list[weakref.ref[Tensor]] = []
    held: list[bool] = []

    def forward(_: nn.Module, arguments: tuple[Tensor]) -> None:
        if len(arguments[0]) == 16:
            activations = 2 * arguments[0]
            computed.append(weakref.ref(activations))
            raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: held.append(computed[-1]() is not None))
    model.register_forward_pre_hook(forward)
    attack(model, images, torch.zeros(16).long(), torch.arange(16), SPEC, seed=1, batch_size=16)
    assert held == [False]


def test_a_device_too_small_for_one_image_is_named() -> None:
    model, images = frozen(perceptron(), CPU), random_images(5)
    calls = 0

    def forward(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise torch.OutOfMemoryError

    model.register_forward_pre_hook(forward)
    with pytest.raises(UserError, match="resnet: the device's memory does not hold a batch of one image"):
        attack(
            *(model, images, torch.zeros(5).long(), torch.arange(5), SPEC),
            **{"seed": 1, "batch_size": 4, "title": "resnet"},
        )


# --- precision -------------------------------------------------------------------------------------------------------


def test_gradients_in_bfloat16_need_the_same_change_within_one_percent() -> None:
    model, images = perceptron(side=8, classes=4, scale=4), random_images(300, side=8)
    labels, ids = predictions(model, images), torch.arange(300)
    changes = []
    for gradients in ("float32", "bfloat16"):
        spec = replace(SPEC, alpha=0.002, max_iterations=400, gradients=gradients)  # type: ignore[arg-type]
        result = at(attack(frozen(model, CPU), images, labels, ids, spec, seed=1, batch_size=100), 0)
        won = result.outcome == SUCCESS
        assert won.float().mean() > 0.9
        with torch.no_grad():
            p = frozen(model, CPU)(result.adversarial[won]).softmax(1)
        # Decided in float32: what is called a success is one, and the first one, up to a step.
        assert (p.max(1).values >= 0.9 - 1e-6).all()
        changes.append((won, (result.adversarial - images).abs().mean((1, 2, 3))))
    both = changes[0][0] & changes[1][0]
    assert both.float().mean() > 0.9
    # Two one-sided tests: the change is the same within 1 %, in the mean over images.
    ratios = np.log((changes[0][1][both] / changes[1][1][both]).numpy())
    for bound, side in ((math.log(0.99), "greater"), (math.log(1.01), "less")):
        assert ttest_1samp(ratios, bound, alternative=side).pvalue < 0.05


@pytest.mark.parametrize("gradients", ["bfloat16", "tf32"])
def test_the_first_iterate_that_meets_the_goal_ends_the_attack_in_any_precision(gradients: Any) -> None:
    model, images = perceptron(), random_images(40)
    labels, ids = predictions(model, images), torch.arange(40)
    spec = replace(MANY, alpha=0.003, max_iterations=200, gradients=gradients)
    result = attack(frozen(model, CPU), images, labels, ids, spec, seed=1, batch_size=16)
    won = result.outcome == SUCCESS
    assert won.any(dim=0).all()
    for level, confidence in enumerate(LEVELS):
        with torch.no_grad():
            p, label = frozen(model, CPU)(result.adversarial[:, level]).softmax(1).max(1)
        assert torch.equal((label != labels) & (p >= confidence - 1e-6), won[:, level])
        assert torch.allclose(p, result.confidence_after[:, level], atol=1e-6)


def test_in_reduced_precision_only_images_near_the_boundary_are_looked_at_twice() -> None:
    model, images = linear(3), 0.5 + 0.1 * random_images(40, 3, 5)
    model[1].weight.data *= 5  # so that images start far from the boundary
    model[1].bias.data *= 5
    labels, ids = predictions(model, images), torch.arange(40)
    spec = replace(SPEC, alpha=0.001, max_iterations=2000, gradients="bfloat16")
    seen: list[int] = []
    counted = frozen(model, CPU)
    counted.register_forward_pre_hook(lambda _, arguments: seen.append(len(arguments[0])))
    result = attack(counted, images, labels, ids, spec, seed=1, batch_size=40)
    assert (result.outcome == SUCCESS).all()
    twice = sum(seen) - result.evaluations - 64  # the static images
    assert 2 * 40 <= twice < 0.8 * result.evaluations


def test_in_reduced_precision_an_image_between_two_confidences_is_not_looked_at_twice() -> None:
    model, images = linear(3), 0.5 + 0.1 * random_images(40, 3, 5)
    model[1].weight.data *= 5
    labels, ids = predictions(model, images), torch.arange(40)
    looks = []
    for others in ((), (0.0,)):
        spec = replace(
            SPEC, alpha=0.0005, confidence=0.999, other_confidences=others, max_iterations=4000, gradients="bfloat16"
        )
        seen: list[int] = []
        counted = frozen(model, CPU)
        counted.register_forward_pre_hook(lambda _, arguments, seen=seen: seen.append(len(arguments[0])))
        result = attack(counted, images, labels, ids, spec, seed=1, batch_size=40)
        assert (result.outcome == SUCCESS).all()
        looks.append((sum(seen) - 64) / result.evaluations - 1)
    assert looks[0] < looks[1] < 0.5


def test_the_last_iterate_of_an_attack_at_its_cap_is_looked_at_in_float32() -> None:
    model, images = perceptron(scale=10), random_images(20)
    labels, ids = predictions(model, images), torch.arange(20)
    spec = replace(SPEC, alpha=0.0001, max_iterations=3, gradients="bfloat16")
    result = at(attack(frozen(model, CPU), images, labels, ids, spec, seed=1, batch_size=20), 0)
    assert (result.outcome == CAP).all()
    with torch.no_grad():
        p = frozen(model, CPU)(result.adversarial).softmax(1).max(1).values
    assert torch.allclose(p, result.confidence_after, atol=1e-6)
