"""Augmentation: how strong it is, whether its geometry is right, and that a generator decides it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from robustness.training.augmentation import affine, augment, gaussian_noise

STILL: dict[str, Any] = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "flip": False}
STRONG: dict[str, Any] = {"rotation": 20.0, "shift": 0.2, "shear": 15.0, "zoom": 0.2, "flip": True}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 4, channels: int = 3, side: int = 12) -> Tensor:
    return torch.empty(count, channels, side, side).uniform_(generator=generator(99))


def extreme(monkeypatch: pytest.MonkeyPatch, *draws: float) -> None:
    """Let each uniform draw from [-limit, limit] return the given share of the limit; the last one repeats."""
    left = list(draws)

    def rand(count: int, **_: object) -> Tensor:
        return torch.full((count,), ((left.pop(0) if len(left) > 1 else left[0]) + 1) / 2)

    monkeypatch.setattr("robustness.training.augmentation.torch.rand", rand)


# --- noise -----------------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(sigma=st.floats(0, 10), seed=st.integers(0, 2**31))
def test_noisy_pixels_stay_between_0_and_1(sigma: float, seed: int) -> None:
    noisy = gaussian_noise(pictures(), sigma, generator(seed))
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_no_noise_leaves_images_as_they_are() -> None:
    assert torch.equal(gaussian_noise(pictures(), 0.0, generator()), pictures())


def test_noise_on_gray_has_the_standard_deviation_sigma_and_no_mean() -> None:
    gray = torch.full((20, 3, 32, 32), 0.5)
    noise = gaussian_noise(gray, 0.1, generator()) - gray
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.002)


def test_noise_differs_between_images_and_channels() -> None:
    noisy = gaussian_noise(torch.full((2, 2, 8, 8), 0.5), 0.1, generator())
    assert len({tuple(noisy[image, channel].flatten().tolist()) for image in (0, 1) for channel in (0, 1)}) == 4


def test_noise_does_not_change_the_images_that_it_was_given() -> None:
    images = pictures()
    gaussian_noise(images, 0.5, generator())
    assert torch.equal(images, pictures())


# --- affine transforms -----------------------------------------------------------------------------------------------


def test_a_transform_without_limits_returns_the_images() -> None:
    assert torch.allclose(affine(pictures(), generator(), **STILL), pictures(), atol=1e-5)


def test_a_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    images = pictures(2000, side=4)
    result = affine(images, generator(), **{**STILL, "flip": True})
    mirrored = torch.isclose(result, images.flip(3), atol=1e-5).flatten(1).all(1)
    kept = torch.isclose(result, images, atol=1e-5).flatten(1).all(1)
    assert (mirrored | kept).all()
    assert 0.45 < mirrored.float().mean() < 0.55


@pytest.mark.parametrize(("share", "turns"), [(1.0, 1), (-1.0, -1)])
def test_a_quarter_turn_is_a_quarter_turn(monkeypatch: pytest.MonkeyPatch, share: float, turns: int) -> None:
    extreme(monkeypatch, share)
    turned = affine(pictures(), generator(), **{**STILL, "rotation": 90.0})
    assert torch.allclose(turned, torch.rot90(pictures(), turns, [2, 3]), atol=1e-4)


def test_a_shift_moves_by_its_share_of_the_width_and_repeats_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    extreme(monkeypatch, 0.0, 0.0, 0.0, 1.0, 0.0)
    images = pictures(side=12)
    shifted = affine(images, generator(), **{**STILL, "shift": 0.25})
    expected = torch.cat([images[..., 3:], images[..., -1:].expand(-1, -1, -1, 3)], dim=3)
    assert torch.allclose(shifted, expected, atol=1e-5)


def test_zoom_shear_rotation_and_mirror_compose_as_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    extreme(monkeypatch, 0.5, -0.8, 0.6, -0.1, 0.3, -0.4)  # angle, slant, scale, mirror, shift by x and y
    found = affine(pictures(), generator(), **STRONG)
    angle, slant = math.radians(0.5 * 20), math.radians(-0.8 * 15)
    rotate = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shear = np.array([[1, math.tan(slant)], [0, 1]])
    linear = (1 + 0.6 * 0.2) * rotate @ shear @ np.diag([-1, 1])
    shift = 2 * 0.2 * np.array([[0.3], [-0.4]])
    matrix = torch.tensor(np.hstack([linear, shift]), dtype=torch.float32).expand(4, 2, 3)
    grid = functional.affine_grid(matrix, [4, 3, 12, 12], align_corners=False)
    expected = functional.grid_sample(pictures(), grid, padding_mode="border", align_corners=False)
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, pictures(), atol=0.1)


@pytest.mark.parametrize(
    "option", [{"rotation": 30.0}, {"shift": 0.2}, {"shear": 30.0}, {"zoom": 0.3}, {"flip": True}], ids=str
)
def test_each_option_changes_each_image_in_its_own_way(option: dict[str, Any]) -> None:
    one = pictures(1).expand(12, -1, -1, -1)
    results = affine(one, generator(), **{**STILL, **option})
    different = {tuple(result.flatten().tolist()) for result in results}
    assert len(different) == (2 if "flip" in option else 12)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_transformed_images_keep_shape_and_range(seed: int) -> None:
    result = affine(pictures(), generator(seed), **STRONG)
    assert result.shape == pictures().shape
    assert 0 <= result.min() <= result.max() <= 1


# --- by name ---------------------------------------------------------------------------------------------------------

KINDS = [{"kind": "gaussian_noise", "sigma": 0.3}, {"kind": "affine", **STRONG}]


@pytest.mark.parametrize("augmentation", KINDS, ids=["noise", "affine"])
def test_the_same_generator_gives_the_same_images_and_the_next_draw_others(augmentation: dict[str, Any]) -> None:
    first, again = generator(7), generator(7)
    drawn = augment(pictures(), augmentation, first)
    assert torch.equal(drawn, augment(pictures(), augmentation, again))
    assert not torch.equal(drawn, augment(pictures(), augmentation, first))
    assert not torch.equal(drawn, augment(pictures(), augmentation, generator(8)))


def test_an_unknown_augmentation_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'mixup'; known are gaussian_noise and affine"):
        augment(pictures(), {"kind": "mixup"}, generator())
