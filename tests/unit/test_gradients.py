"""What is replaced in a frozen model computes the same, and the same for every place in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from robustness.attacks import gradients
from robustness.attacks.gradients import log_probabilities, reward_gradient
from robustness.attacks.spec import AttackSpec
from robustness.errors import UserError
from robustness.models.architectures import build
from robustness.models.frozen import _rows_agree, frozen
from robustness.models.image_shape import ImageShape
from robustness.models.placement import memory_format

CPU = torch.device("cpu")


def passes(model: nn.Module, x: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    result = model(x)
    return result.detach(), torch.autograd.grad(result, x, seeds)[0]


@settings(max_examples=60)
@given(
    inputs=st.integers(1, 200),
    outputs=st.integers(1, 70),
    start=st.integers(0, 40),
    count=st.integers(1, 60),
    bias=st.booleans(),
)
def test_a_linear_layer_gives_a_row_the_same_bits_in_any_batch(
    inputs: int, outputs: int, start: int, count: int, bias: bool
) -> None:
    generator = torch.Generator().manual_seed(inputs * 71 + outputs)
    layer = nn.Linear(inputs, outputs, bias=bias)
    exact = frozen(nn.Sequential(layer), CPU)
    x, seeds = (torch.randn(100, width, generator=generator) for width in (inputs, outputs))
    whole = passes(exact, x, seeds)
    part = slice(start, start + count)
    for all_rows, rows in zip(whole, passes(exact, x[part], seeds[part]), strict=True):
        assert torch.equal(all_rows[part], rows)
    for expected, found in zip(passes(layer, x, seeds), whole, strict=True):
        assert torch.allclose(expected, found, atol=1e-4)


def test_a_linear_layer_computes_in_float64_where_rows_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = nn.Linear(12, 5)
    assert frozen(linear, CPU).filled_weight.dtype == torch.float32
    monkeypatch.setattr("robustness.models.frozen._rows_agree", lambda *_: False)
    exact = frozen(linear, CPU)
    assert exact.filled_weight.dtype == torch.float64
    x = torch.rand(20, 12)
    assert exact(x).dtype == torch.float32
    assert torch.allclose(exact(x), linear(x), atol=1e-6)


def test_rows_that_depend_on_their_place_are_noticed() -> None:
    class Drifting(nn.Module):
        outputs = 3

        def forward(self, x: Tensor) -> Tensor:
            return x[:, :3] * torch.linspace(1, 1 + 1e-6, len(x))[:, None]

    assert not _rows_agree(Drifting(), 5)  # type: ignore[arg-type]


def test_a_linear_layer_takes_sequences() -> None:
    linear, x = nn.Linear(6, 4), torch.rand(3, 7, 6)
    assert torch.allclose(frozen(linear, CPU)(x), linear(x), atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"affine": False}])
def test_a_frozen_batch_norm_scales_and_shifts_as_before(options: dict[str, Any]) -> None:
    norm = nn.BatchNorm2d(5, **options)
    for tensor in norm.state_dict().values():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.2, 2.0)
    x, seeds = torch.randn(9, 5, 4, 4), torch.randn(9, 5, 4, 4)
    expected = passes(norm.eval(), x, seeds)
    fixed = frozen(norm, CPU)
    assert not isinstance(fixed, nn.BatchNorm2d)
    for before, after in zip(expected, passes(fixed, x, seeds), strict=True):
        assert torch.allclose(before, after, atol=1e-5)


def test_a_batch_norm_without_running_statistics_is_left_alone() -> None:
    assert isinstance(frozen(nn.BatchNorm2d(3, track_running_stats=False), CPU), nn.BatchNorm2d)


@pytest.mark.parametrize("family", ["perceptron", "resnet"])
def test_a_frozen_model_agrees_with_the_one_that_it_was_made_from(family: str) -> None:
    torch.manual_seed(0)
    architectures = {
        "perceptron": {"family": "perceptron", "hidden": 12},
        "resnet": {"family": "resnet", "blocks": [1, 1, 1, 1], "filters": 4},
    }
    model = build(architectures[family], ImageShape(3, 28, 28), classes=3).eval()
    x, seeds = torch.rand(9, 3, 28, 28), torch.randn(9, 3)
    for expected, found in zip(passes(model, x, seeds), passes(frozen(model, CPU), x, seeds), strict=True):
        assert torch.allclose(expected, found, atol=1e-5 * expected.abs().max())


def test_images_lie_as_the_model_reads_them_fastest() -> None:
    assert memory_format(nn.Linear(3, 3)) == torch.contiguous_format
    assert memory_format(nn.Sequential(nn.Conv2d(1, 1, 3))) == torch.channels_last


# --- precision -------------------------------------------------------------------------------------------------------


class Noting(torch.autograd.Function):
    """Hands images on, and notes whether TF32 is allowed where they pass, for matrix products and for convolutions."""

    seen: list[tuple[str, bool, bool]]

    @staticmethod
    def note(when: str) -> None:
        allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        Noting.seen.append((when, *allowed))

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        Noting.note("forward")
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        Noting.note("backward")
        return gradient


class Noted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(Noting.apply(x).flatten(1))


@pytest.fixture
def settings_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of precision are made as on a GPU; they begin with PyTorch's own defaults."""
    made = gradients._float32_products
    monkeypatch.setattr(gradients, "_float32_products", lambda _, precision: made(torch.device("cuda"), precision))
    monkeypatch.setattr(Noting, "seen", [], raising=False)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32, cudnn.allow_tf32 = False, True
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("tf32", True)])
def test_a_gradient_is_computed_in_one_precision_there_and_back(
    settings_of_a_gpu: None, precision: Any, allowed: bool
) -> None:
    spec = AttackSpec("probability", "sign", alpha=0.01, confidence=0.9, max_iterations=10, gradients=precision)
    reward_gradient(Noted(), torch.rand(2, 1, 2, 2), np.array([0, 1]), spec)
    assert Noting.seen == [("forward", allowed, allowed), ("backward", allowed, allowed)]
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_what_decides_is_computed_in_float32(settings_of_a_gpu: None) -> None:
    log_probabilities(Noted(), torch.rand(2, 1, 2, 2))
    assert Noting.seen == [("forward", False, False)]


class Complex(nn.Module):
    """A network that computes with complex numbers on its way, of which there are none in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.layer(x.flatten(1))
        return torch.complex(features, features).abs()


def test_a_network_that_fails_in_bfloat16_is_told_what_to_set() -> None:
    spec = AttackSpec("probability", "sign", alpha=0.01, confidence=0.9, max_iterations=10, gradients="bfloat16")
    x, aimed = torch.rand(2, 1, 2, 2), np.array([0, 1])
    with pytest.raises(UserError, match=r"fails in bfloat16 \(.*\): set 'gradients' of the attacks to float32 or tf32"):
        reward_gradient(Complex(), x, aimed, spec)
    reward_gradient(Complex(), x, aimed, replace(spec, gradients="float32"))
