"""A library's attacks: known optima, planted models, and that nothing is believed that our own forward pass denies."""

from __future__ import annotations

import importlib.util
import math
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustness.analysis.comparison import NORM_OF
from robustness.attacks import adv_lib
from robustness.attacks.adv_lib import APGD_RUNS, METHODS, Compared, compare
from robustness.errors import UserError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("adv_lib") is None, reason="adv-lib is not installed: `make comparators` does it"
)

STEPS = {"fmn": 100, "apgd": 30, "ddn": 100, "deepfool": 20}
ORDER = {"linf": math.inf, "l2": 2}
DUAL = {"linf": 1, "l2": 2}
PIXELS = 6


class Linear(nn.Module):
    """A steep linear model of two classes, or of three, the last of which is never near."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(channels)
        self.weight = 3 * torch.randn(channels * PIXELS**2, generator=generator)
        self.classes = classes

    def margin(self, x: Tensor) -> Tensor:
        return (x - 0.5).flatten(1) @ self.weight

    def forward(self, x: Tensor) -> Tensor:
        margin = self.margin(x)
        return torch.stack([margin, -margin, 0 * margin - 500][: self.classes], dim=1)


class Planted(nn.Module):
    """A model whose logits are a function of the image; attacks need a gradient, so everything hangs on the pixels."""

    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x) + 0 * (x * x).flatten(1).sum(1, keepdim=True)


def inner_images(model: Linear, count: int, channels: int) -> Tensor:
    """Images far from the ends of [0, 1], and not so near the boundary that the attacks' first sizes overshoot it."""
    generator = torch.Generator().manual_seed(1)
    images = 0.35 + 0.3 * torch.rand(50 * count, channels, PIXELS, PIXELS, generator=generator)
    return images[model.margin(images).abs() / model.weight.norm() > 0.05][:count]


def run(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, method: str = "fmn", **options: Any
) -> Compared:
    """Attack images from their own predictions, unless labels are given."""
    labels = model(images).argmax(1) if labels is None else labels
    steps = options.pop("steps", STEPS[method])
    return compare(model, images, labels, method, steps, options.pop("batch_size", 16), **options)


def change(result: Compared, images: Tensor, norm: str) -> Tensor:
    return (result.adversarial - images).flatten(1).norm(p=ORDER[norm], dim=1)


# --- a linear model, whose optimum is known --------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_an_attack_comes_within_a_few_percent_of_the_smallest_change(method: str, channels: int, classes: int) -> None:
    model = Linear(channels, classes)
    images = inner_images(model, 33, channels)
    assert len(images) == 33
    optimum = model.margin(images).abs() / model.weight.norm(p=DUAL[NORM_OF[method]])
    result = run(model, images, method=method, batch_size=16)
    assert result.outcome == ["success"] * 33
    ratio = change(result, images, NORM_OF[method]) / optimum
    assert ratio.min() > 0.999
    assert ratio.median() < 1.03
    assert ratio.max() < 1.05


@pytest.mark.parametrize("method", METHODS)
def test_one_image_alone_is_attacked_like_any(method: str) -> None:
    model = Linear(3, 3)
    images = inner_images(model, 1, 3)
    result = run(model, images, method=method, batch_size=1)
    optimum = model.margin(images).abs() / model.weight.norm(p=DUAL[NORM_OF[method]])
    assert change(result, images, NORM_OF[method]) == pytest.approx(optimum, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_images_with_channels_last_in_memory_are_changed_as_little(method: str) -> None:
    model = Linear(3, 3)
    images = inner_images(model, 8, 3)
    results = [run(model, each, method=method) for each in (images, images.to(memory_format=torch.channels_last))]
    assert torch.equal(results[0].adversarial, results[1].adversarial)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_called_a_success_is_one(method: str) -> None:
    model = Linear(1, 3)
    images = torch.rand(40, 1, PIXELS, PIXELS, generator=torch.Generator().manual_seed(2))
    labels = model(images).argmax(1)
    result = run(model, images, labels, method=method)
    won = torch.tensor([ended == "success" for ended in result.outcome])
    assert won.any()
    found = result.adversarial[won]
    assert found.min() >= 0
    assert found.max() <= 1
    probability = model(found).softmax(1)
    assert (probability.argmax(1) != labels[won]).all()
    assert torch.equal(result.label_after[won], probability.argmax(1))
    assert result.confidence_after[won].tolist() == pytest.approx(probability.max(1).values.tolist(), abs=1e-3)


# --- images that are not, or cannot be, fooled -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_an_image_that_is_wrong_unchanged_is_skipped(method: str) -> None:
    model = Linear(1, 3)
    images = inner_images(model, 6, 1)
    labels = model(images).argmax(1)
    labels[[0, 4]] = 1 - labels[[0, 4]]
    result = run(model, images, labels, method=method, batch_size=4)
    assert [row for row, ended in enumerate(result.outcome) if ended == "skipped"] == [0, 4]
    assert torch.equal(result.adversarial[[0, 4]], images[[0, 4]])
    assert result.iterations[[0, 4]].tolist() == [0, 0]
    assert torch.equal(result.label_after[[0, 4]], result.label_before[[0, 4]])
    assert torch.equal(result.label_before, model(images).argmax(1))


@pytest.mark.parametrize("method", METHODS)
def test_a_shard_of_which_every_image_is_wrong_is_no_error(method: str) -> None:
    model = Linear(1, 3)
    images = inner_images(model, 3, 1)
    result = run(model, images, 1 - model(images).argmax(1), method=method)
    assert result.outcome == ["skipped"] * 3


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_model_is_never_fooled_and_leaves_no_image(method: str) -> None:
    model = Planted(lambda x: torch.tensor([[2.0, 1.0, 0.0]]).repeat(len(x), 1))
    result = run(model, torch.full((5, 1, PIXELS, PIXELS), 0.5), method=method, steps=10)
    assert result.outcome == ["cap"] * 5
    assert result.adversarial.isnan().all()
    assert result.label_after.tolist() == result.label_before.tolist() == [0] * 5
    assert result.confidence_after.tolist() == pytest.approx([0.6652] * 5, abs=1e-4)
    assert result.iterations.tolist() == [10 * APGD_RUNS if method == "apgd" else 10] * 5


def claims(images: Tensor) -> Any:
    """A method of a library that claims to have found `images`."""
    return lambda attacks, model, originals, labels, steps: (images, torch.full_like(labels, steps))


@pytest.mark.parametrize(
    "claimed",
    [torch.full((1, 1, 2, 2), 0.6), torch.full((1, 1, 2, 2), math.nan), torch.full((1, 1, 2, 2), 0.75)],
    ids=["not wrong", "not a number", "unchanged"],
)
def test_a_result_that_our_forward_pass_does_not_confirm_is_no_success(
    claimed: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "claimed", claims(claimed))
    monkeypatch.setitem(STEPS, "claimed", 7)
    model = Planted(lambda x: torch.stack([x.mean((1, 2, 3)) - 0.5, 0.5 - x.mean((1, 2, 3))], dim=1))
    result = run(model, torch.full((1, 1, 2, 2), 0.75), method="claimed")
    assert result.outcome == ["cap"]
    assert result.adversarial.isnan().all()
    assert result.label_after.tolist() == [0]
    assert result.iterations.tolist() == [7]


def test_a_result_outside_of_the_pixels_range_counts_with_what_is_left_of_it_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(METHODS, "claimed", claims(torch.full((1, 1, 2, 2), -3.0)))
    monkeypatch.setitem(STEPS, "claimed", 7)
    model = Planted(lambda x: torch.stack([x.mean((1, 2, 3)) + 1, 0.5 - x.mean((1, 2, 3))], dim=1))
    result = run(model, torch.full((1, 1, 2, 2), 0.75), method="claimed")
    assert result.outcome == ["cap"]  # -3 would fool the model, 0 does not


def test_a_model_that_returns_nan_is_named() -> None:
    model = Planted(lambda x: torch.stack([x.amax((1, 2, 3)), math.inf * (x.amax((1, 2, 3)) - 0.5)], dim=1))
    images = torch.rand(2, 1, PIXELS, PIXELS)
    images[1] = 0.5
    with pytest.raises(UserError, match="mnist/basic: the network answers test images 10, 11 with NaN or infinity"):
        run(model, images, torch.tensor([0, 0]), title="mnist/basic", first=10)


# --- steps and random numbers ----------------------------------------------------------------------------------------


def test_deepfool_counts_the_steps_of_each_image() -> None:
    # DeepFool follows the tangent; on a parabola that halves the distance, so that images further away take more steps.
    model = Planted(lambda x: torch.stack([(x.mean((1, 2, 3)) - 0.2) ** 2, 0 * x.sum((1, 2, 3)) + 1e-4], dim=1))
    levels = torch.tensor([0.3, 0.9, 0.6, 0.205])
    images = levels[:, None, None, None].expand(4, 1, PIXELS, PIXELS).contiguous()
    result = run(model, images, torch.zeros(4, dtype=torch.int64), method="deepfool")
    assert result.outcome == ["success"] * 3 + ["skipped"]
    one, three, two, none = result.iterations.tolist()
    assert 0 == none < one < two < three < STEPS["deepfool"]
    alone = [run(model, images[[row]], torch.tensor([0]), method="deepfool").iterations.item() for row in range(3)]
    assert alone == [one, three, two]


@pytest.mark.parametrize("method", METHODS)
def test_the_same_batches_give_the_same_result_and_leave_the_generator_alone(method: str) -> None:
    model = Linear(1, 3)
    images = inner_images(model, 5, 1)
    before = torch.get_rng_state()
    first = run(model, images, method=method, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert torch.equal(run(model, images, method=method, seed=3).adversarial, first.adversarial)


def test_a_batch_does_not_depend_on_those_before_it() -> None:
    model = Linear(1, 3)
    images = inner_images(model, 8, 1)
    together = run(model, images, method="apgd", batch_size=4)
    assert torch.equal(together.adversarial[4:], run(model, images[4:], method="apgd", batch_size=4).adversarial)


def test_progress_is_told_how_the_images_of_each_batch_ended() -> None:
    model = Linear(1, 3)
    told: list[list[str]] = []
    run(model, inner_images(model, 5, 1), method="deepfool", batch_size=2, progress=told.append)
    assert told == [["success"] * 2, ["success"] * 2, ["success"]]


# --- the library itself ----------------------------------------------------------------------------------------------


def test_every_method_has_a_norm() -> None:
    assert set(METHODS) == set(NORM_OF)


def test_a_missing_library_is_answered_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adv_lib", None)
    with pytest.raises(UserError, match=r"adv-lib.* is not installed: run `make comparators`.* `--sdm conda`"):
        run(Linear(1, 3), torch.rand(1, 1, PIXELS, PIXELS))


def test_visdom_is_stood_in_for_only_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = ModuleType("visdom")
    monkeypatch.setitem(sys.modules, "visdom", installed)
    adv_lib._stand_in_for_visdom()
    assert sys.modules["visdom"] is installed
