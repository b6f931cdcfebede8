"""The measures of change, by hand and by what must hold between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from robustness.analysis.measures import (
    mean_change,
    measure,
    norms,
    pixel_change,
    pixels_changed,
    structural_similarity,
)

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]

GRAY: Pair = (
    np.array([[[[0.0, 0.25], [0.5, 1.0]]]], np.float32),
    np.array([[[[0.5, 0.25], [0.25, 0.0]]]], np.float32),
)
# Channels change a pixel by 0.25 + 0.5, by −0.25 + 0.25, by nothing and by 0.125.
COLOUR: Pair = (
    np.full((1, 3, 2, 2), 0.5, np.float32),
    0.5
    + np.array(
        [[[[0.25, -0.25], [0.0, 0.0]], [[0.5, 0.25], [0.0, 0.125]], [[0.0, 0.0], [0.0, 0.0]]]],
        np.float32,
    ),
)


def pairs() -> st.SearchStrategy[Pair]:
    """Two images of one to three channels and the same size."""
    shapes = st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 5), st.integers(1, 5))
    pixels = st.floats(0, 1, width=32)
    return shapes.flatmap(
        lambda shape: st.tuples(arrays(np.float32, shape, elements=pixels), arrays(np.float32, shape, elements=pixels))
    )


def noise(count: int, channels: int = 1, side: int = 16, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, channels, side, side), dtype=np.float32)


def test_the_change_of_a_pixel_is_summed_over_channels() -> None:
    assert pixel_change(*GRAY).tolist() == [[[0.5, 0.0], [0.25, 1.0]]]
    assert pixel_change(*COLOUR).tolist() == [[[0.75, 0.5], [0.0, 0.125]]]


def test_the_mean_change_is_a_mean_over_pixels() -> None:
    assert mean_change(*GRAY).tolist() == [1.75 / 4]
    assert mean_change(*COLOUR).tolist() == [1.375 / 4]


@pytest.mark.parametrize(("threshold", "gray", "colour"), [(0.0, 3, 3), (0.125, 3, 2), (0.25, 2, 2), (0.6, 1, 1)])
def test_pixels_above_the_threshold_are_counted_once(threshold: float, gray: int, colour: int) -> None:
    assert pixels_changed(*GRAY, threshold).tolist() == [gray]
    assert pixels_changed(*COLOUR, threshold).tolist() == [colour]


@pytest.mark.parametrize("start", [0.0, 0.3, 0.7])
@pytest.mark.parametrize(("alpha", "steps"), [(0.005, 20), (0.01, 10), (0.0025, 40)])
def test_steps_that_add_up_to_the_threshold_do_not_exceed_it(start: float, alpha: float, steps: int) -> None:
    original = np.full((1, 1, 2, 2), start, np.float32)
    adversarial = original.copy()
    for _ in range(steps):
        adversarial += np.float32(alpha)
    assert pixels_changed(original, adversarial, 0.1).tolist() == [0]
    assert pixels_changed(original, adversarial + np.float32(alpha), 0.1).tolist() == [4]


def test_norms_are_over_pixels_and_channels() -> None:
    gray, colour = norms(*GRAY), norms(*COLOUR)
    assert {name: value.tolist() for name, value in gray.items()} == {
        "l0": [3.0],
        "l1": [1.75],
        "l2": [pytest.approx((0.25 + 0.0625 + 1) ** 0.5)],
        "linf": [1.0],
    }
    assert {name: value.tolist() for name, value in colour.items()} == {
        "l0": [5.0],
        "l1": [1.375],
        "l2": [pytest.approx((3 * 0.0625 + 0.25 + 0.015625) ** 0.5)],
        "linf": [0.5],
    }


def test_every_image_is_measured_by_itself() -> None:
    original, adversarial = noise(5, 3), noise(5, 3, seed=1)
    together = measure(original, adversarial, 0.1)
    for image in range(5):
        alone = measure(original[image : image + 1], adversarial[image : image + 1], 0.1)
        for name, values in together.items():
            assert values[image] == pytest.approx(alone[name][0], abs=1e-6), name


def test_all_measures_of_the_study_are_there() -> None:
    found = measure(noise(2), noise(2, seed=1), 0.1)
    names = {"mean_change", "pixels_changed", "pixels_changed_any", "l0", "l1", "l2", "linf", "ssim"}
    assert set(found) == names
    assert (found["pixels_changed"] < found["pixels_changed_any"]).all()


# --- similarity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_wholly_similar_to_itself(channels: int) -> None:
    assert structural_similarity(noise(3, channels), noise(3, channels)).tolist() == pytest.approx([1, 1, 1])


def test_more_noise_is_less_similar() -> None:
    original = noise(1)
    similar = [
        structural_similarity(original, (1 - share) * original + share * noise(1, seed=1)) for share in (0.1, 0.5)
    ]
    assert 1 > similar[0][0] > similar[1][0]


def test_similarity_of_plain_gray_images_has_its_closed_form() -> None:
    light, dark = np.full((1, 1, 16, 16), 0.8, np.float32), np.full((1, 1, 16, 16), 0.4, np.float32)
    expected = (2 * 0.8 * 0.4 + 0.01**2) / (0.8**2 + 0.4**2 + 0.01**2)
    assert structural_similarity(light, dark)[0] == pytest.approx(expected, rel=1e-4)


def test_the_similarity_of_each_image_is_its_own() -> None:
    original, adversarial = noise(5), noise(5, seed=1)
    together = structural_similarity(original, adversarial).tolist()
    alone = [structural_similarity(original[[row]], adversarial[[row]])[0] for row in range(5)]
    assert together == alone
    assert len(set(together)) == 5


# --- no image ---------------------------------------------------------------------------------------------------------


def test_where_there_is_no_image_there_is_no_measure() -> None:
    original, adversarial = noise(3), noise(3, seed=1)
    whole = measure(original, adversarial, 0.1)
    adversarial[1] = np.nan
    for name, values in measure(original, adversarial, 0.1).items():
        assert np.isnan(values[1]), name
        assert values[[0, 2]].tolist() == whole[name][[0, 2]].tolist(), name


# --- what must hold --------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(pair=pairs())
def test_the_mean_change_is_l1_divided_by_the_number_of_pixels(pair: Pair) -> None:
    height, width = pair[0].shape[2:]
    assert norms(*pair)["l1"] == pytest.approx(mean_change(*pair) * height * width, rel=1e-9)


@settings(max_examples=50)
@given(pair=pairs(), thresholds=st.tuples(st.floats(0, 3), st.floats(0, 3)).map(sorted))
def test_a_higher_threshold_never_counts_more_pixels(pair: Pair, thresholds: list[float]) -> None:
    low, high = (pixels_changed(*pair, threshold) for threshold in thresholds)
    assert (high <= low).all()
    assert (low <= pixels_changed(*pair, 0.0)).all()


@settings(max_examples=50)
@given(pair=pairs())
def test_norms_are_ordered(pair: Pair) -> None:
    found = norms(*pair)
    slack = 1 + 1e-9
    assert (found["linf"] <= found["l2"] * slack).all()
    assert (found["l2"] <= found["l1"] * slack).all()
    assert (found["l1"] <= found["l0"] * slack).all()


def test_images_smaller_than_its_window_have_no_structural_similarity() -> None:
    small = np.zeros((2, 1, 10, 28), np.float32)
    assert np.isnan(structural_similarity(small, small)).all()
    assert np.isfinite(measure(small, small, 0.1)["mean_change"]).all()
    assert structural_similarity(np.zeros((1, 1, 11, 11), np.float32), np.zeros((1, 1, 11, 11), np.float32)) == [1]
