"""The baselines: the same attack as ours where they say so, and as many gradient calls as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustness.attacks import adv_lib
from robustness.attacks.iterated_sign import attack
from robustness.attacks.spec import AttackSpec
from robustness.benchmarking import baselines
from robustness.benchmarking.baselines import Attacked, keep_until_last, one_at_a_time, plain
from robustness.errors import UserError
from robustness.models.architectures import build
from robustness.models.frozen import frozen
from robustness.models.image_shape import ImageShape
from robustness.outcome import CAP, DEFAULT_STATE, SKIPPED, SUCCESS

CPU = torch.device("cpu")
SPEC = AttackSpec(reward="probability", direction="sign", alpha=0.01, confidence=0.9, max_iterations=60)
COUNT = 40
LABELS = torch.arange(COUNT) % 3
IDS = torch.arange(COUNT)

Way = Callable[..., Attacked]


def until_last(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, spec: AttackSpec) -> Attacked:
    return keep_until_last(model, images, labels, ids, spec, seed=1, batch_size=16)


def alone(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, spec: AttackSpec) -> Attacked:
    return one_at_a_time(model, images, labels, ids, spec, seed=1)


WAYS = [until_last, alone]


def adv_lib_fmn() -> Callable[..., Tensor]:
    if not adv_lib.installed():
        pytest.skip("adv-lib is not installed: make comparators")
    return adv_lib.adv_lib_attacks().fmn


def random_images(channels: int = 1, side: int = 8) -> Tensor:
    return torch.rand(COUNT, channels, side, side, generator=torch.Generator().manual_seed(0))


def perceptron(channels: int = 1, side: int = 8) -> nn.Module:
    """A small network that is sure enough of all classes for its attacks to have different lengths."""
    torch.manual_seed(0)
    model = build({"family": "perceptron", "hidden": 12}, ImageShape(channels, side, side), classes=3)
    model[1].weight.data *= 4
    model[1].bias.data = -model[1].weight.data.sum(1) / 2
    model[3].weight.data -= model[3].weight.data.mean(1, keepdim=True)
    model[3].weight.data *= 3
    return model


def resnet() -> nn.Module:
    """A small network with convolutions that sees all classes in random images."""
    torch.manual_seed(0)
    model = build({"family": "resnet", "blocks": [1, 1, 1, 1], "filters": 2}, ImageShape(3, 28, 28), classes=3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.1, 0.5)
    model.dense.weight.data *= 20
    with torch.no_grad():
        model.dense.bias -= model.eval()(random_images(3, 28)).mean(0)
    return model


class Counting(nn.Module):
    """A model whose logits are a function of the image, and which counts the images that it sees."""

    def __init__(self, logits: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.logits = logits
        self.batches: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        return self.logits(x) + 0 * x.sum()


def flat(x: Tensor) -> Tensor:
    """Logits that no pixel changes: class 0, by far."""
    return torch.tensor([5.0, 0.0, 0.0]).expand(len(x), 3)


def ours(model: nn.Module, images: Tensor, labels: Tensor, spec: AttackSpec) -> tuple[list[int], list[int]]:
    result = attack(frozen(model, CPU), images, labels, IDS[: len(images)], spec, seed=1, batch_size=16)
    return result.outcome.flatten().tolist(), result.iterations.flatten().tolist()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reward", ["probability", "cross_entropy"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_baseline_ends_every_image_of_a_perceptron_as_our_attack_does(way: Way, reward: Any, channels: int) -> None:
    model, images = perceptron(channels), random_images(channels)
    spec = replace(SPEC, reward=reward)
    found = way(plain(model, CPU), images, LABELS, IDS, spec)
    ended, iterations = ours(model, images, LABELS, spec)
    assert found.outcome.tolist() == ended
    assert {SUCCESS, SKIPPED} <= set(ended)
    assert len(set(iterations)) > 5
    assert (found.iterations == torch.tensor(iterations)).float().mean() >= 0.95


@pytest.mark.parametrize("way", WAYS)
def test_a_baseline_agrees_on_a_network_with_convolutions(way: Way) -> None:
    model, images = resnet(), random_images(3, 28)
    spec = replace(SPEC, alpha=0.003, confidence=0.5)
    labels = frozen(model, CPU)(images.contiguous(memory_format=torch.channels_last)).argmax(1)
    found = way(plain(model, CPU), images, labels, IDS, spec)
    ended, iterations = ours(model, images, labels, spec)
    assert len(set(iterations)) > 5
    assert (found.outcome == torch.tensor(ended)).float().mean() >= 0.95
    assert (found.iterations == torch.tensor(iterations)).float().mean() >= 0.9


@pytest.mark.parametrize("way", WAYS)
def test_the_default_state_and_the_cap_end_images_as_in_our_attack(way: Way) -> None:
    images, labels = random_images(), torch.zeros(COUNT, dtype=torch.int64)
    found = way(Counting(flat), images, labels, IDS, SPEC)
    assert set(found.outcome.tolist()) == {DEFAULT_STATE}
    assert (found.outcome.tolist(), found.iterations.tolist()) == ours(Counting(flat), images, labels, SPEC)
    short = replace(SPEC, max_iterations=5)
    found = way(Counting(flat), images, labels, IDS, short)
    assert set(found.outcome.tolist()) == {CAP}
    assert (found.outcome.tolist(), found.iterations.tolist()) == ours(Counting(flat), images, labels, short)


@pytest.mark.parametrize("way", WAYS)
def test_images_without_a_gradient_wander_at_random_as_in_our_attack(way: Way) -> None:
    def steps(x: Tensor) -> Tensor:
        """Class 1 as soon as the mean has moved: reached by the same random signs only."""
        moved = (x.mean((1, 2, 3)) > 0.505).float()
        return torch.stack((5 - 10 * moved, 10 * moved, 0 * moved), 1)

    images, labels = torch.full((COUNT, 1, 8, 8), 0.5), torch.zeros(COUNT, dtype=torch.int64)
    found = way(Counting(steps), images, labels, IDS, SPEC)
    assert (found.outcome.tolist(), found.iterations.tolist()) == ours(Counting(steps), images, labels, SPEC)
    assert len(set(found.iterations.tolist())) > 3


@pytest.mark.parametrize("way", WAYS)
def test_what_is_counted_is_what_the_model_sees(way: Way) -> None:
    network = perceptron()
    model = Counting(network)
    found = way(model, random_images(), LABELS, IDS, SPEC)
    static, *batches = model.batches
    assert static == 64  # random static, for the default state
    assert found.evaluations == sum(batches)


def test_a_batch_is_evaluated_until_its_last_image_has_ended() -> None:
    found = until_last(plain(perceptron(), CPU), random_images(), LABELS, IDS, SPEC)
    batches = (found.iterations + 1).split(16)
    assert found.evaluations == sum(len(batch) * int(batch.max()) for batch in batches)


def test_one_image_at_a_time_needs_no_more_than_it_needs() -> None:
    found = alone(plain(perceptron(), CPU), random_images(), LABELS, IDS, SPEC)
    assert found.evaluations == int((found.iterations + 1).sum())


@pytest.mark.parametrize("way", WAYS)
def test_the_images_are_left_as_they_are(way: Way) -> None:
    images = random_images(3)
    way(plain(perceptron(3), CPU), images, LABELS, IDS, SPEC)
    assert torch.equal(images, random_images(3))
    assert not images.requires_grad


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", [{"target": 1}, {"direction": "normalized"}])
def test_an_attack_that_the_baselines_do_not_know_is_refused(way: Way, change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="untargeted attack with sign steps"):
        way(plain(perceptron(), CPU), random_images(), LABELS, IDS, replace(SPEC, **change))


def test_a_plain_model_is_a_copy_in_evaluation_mode_without_gradients_for_weights() -> None:
    model = resnet().train()
    copied = plain(model, CPU)
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())
    assert not copied.training
    assert not any(weight.requires_grad for weight in copied.parameters())


@pytest.mark.parametrize(("evaluations", "expected"), [(1, 16), (16, 16), (100, 112)])
def test_bare_gradient_calls_are_on_full_batches(evaluations: int, expected: int) -> None:
    model = Counting(perceptron())
    done = baselines.bare(model, random_images(), LABELS, evaluations=evaluations, batch_size=16)
    assert done == expected == sum(model.batches)
    assert set(model.batches) == {16}


def test_fewer_images_than_a_batch_are_repeated_to_fill_it() -> None:
    model = Counting(perceptron())
    assert baselines.bare(model, random_images()[:5], LABELS[:5], evaluations=20, batch_size=16) == 32
    assert model.batches == [16, 16]


def test_the_other_librarys_attack_has_the_given_number_of_gradient_calls() -> None:
    fmn = adv_lib_fmn()
    model = Counting(plain(perceptron(3), CPU))
    done = baselines.fast_minimum_norm(fmn, model, random_images(3), LABELS, steps=7, batch_size=16)
    assert done == 7 * COUNT == sum(model.batches)
    assert model.batches == [16] * 14 + [8] * 7


def test_the_other_librarys_attack_finds_changes_within_its_norm() -> None:
    found = []

    def noted(*arguments: Any, **options: Any) -> Tensor:
        assert options["norm"] == math.inf
        found.append(fmn(*arguments, **options))
        return found[-1]

    fmn = adv_lib_fmn()
    model, images = plain(perceptron(3), CPU), random_images(3)
    labels = model(images).argmax(1)
    baselines.fast_minimum_norm(noted, model, images, labels, steps=50, batch_size=16)
    adversarial = torch.cat(found)
    assert (model(adversarial).argmax(1) != labels).float().mean() > 0.9
    assert (adversarial - images).abs().amax((1, 2, 3)).median() < 0.3
