"""Changes brought to a common size: the size is met after clipping, or as far as pixels can go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from robustness.analysis.clipping_aware_rescaling import NORMS, rescaled
from robustness.analysis.measures import norms


def images(count: int, seed: int) -> NDArray[np.float32]:
    """Images of which many pixels are black or white, as digits are."""
    values = np.random.default_rng(seed).random((count, 2, 4, 4))
    return np.clip(2 * values - 0.5, 0, 1).astype(np.float32)


def directions(count: int, seed: int) -> NDArray[np.float64]:
    """Directions of which some pixels are zero."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 2, 4, 4)) * rng.integers(0, 2, (count, 2, 4, 4))


def farthest(x: NDArray[np.float32], d: NDArray[np.float64]) -> NDArray[np.float32]:
    """What the largest change along the directions makes of the images: every pixel that moves is black or white."""
    return np.where(d > 0, 1, np.where(d < 0, 0, x)).astype(np.float32)


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 6))
def test_a_change_has_the_size_asked_for_or_the_largest_that_there_is(norm: str, seed: int, size: float) -> None:
    x, d = images(5, seed), directions(5, seed + 1)
    changed = rescaled(x, d, size, norm)
    limit = norms(x, farthest(x, d))[norm]
    assert norms(x, changed)[norm] == pytest.approx(np.minimum(size, limit), rel=1e-5, abs=1e-6)
    assert changed.dtype == np.float32
    assert 0 <= changed.min() <= changed.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 1))
def test_a_change_keeps_its_direction_where_pixels_can_move(norm: str, seed: int, size: float) -> None:
    x, d = images(3, seed), directions(3, seed + 1)
    changed = rescaled(x, d, size, norm).astype(np.float64)
    moved = changed - x
    assert (np.sign(moved) * np.sign(d) >= -1e-9).all()
    for change, direction, after in zip(moved, d, changed, strict=True):
        free = (after > 0) & (after < 1) & (direction != 0)
        factors = change[free] / direction[free]
        tolerance = 1e-6 / np.abs(direction[free])
        if free.any():
            assert (np.abs(factors - np.median(factors)) <= tolerance + 1e-6 / np.abs(direction[free]).max()).all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_change_brought_to_its_own_size_stays(norm: str) -> None:
    x = images(20, 0)
    changed = np.clip(x + 0.2 * directions(20, 1), 0, 1).astype(np.float32)
    again = rescaled(x, changed - x, norms(x, changed)[norm], norm)
    assert again == pytest.approx(changed, abs=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_no_direction_and_no_size_are_no_change(norm: str) -> None:
    x = images(4, 0)
    assert np.array_equal(rescaled(x, np.zeros_like(x), 1.0, norm), x)
    assert np.array_equal(rescaled(x, directions(4, 1), 0.0, norm), x)
    assert rescaled(x[:0], x[:0], 1.0, norm).shape == (0, 2, 4, 4)


def test_a_known_change_where_one_of_two_pixels_is_at_its_limit() -> None:
    x = np.array([[[[0.9, 0.2]]]], np.float32)
    d = np.ones((1, 1, 1, 2))
    # The first pixel can rise by 0.1 only; the second makes up for it: √(0.1² + 0.4²).
    assert rescaled(x, d, np.hypot(0.1, 0.4), "l2").flatten() == pytest.approx([1.0, 0.6])
    assert rescaled(x, d, 0.4, "linf").flatten() == pytest.approx([1.0, 0.6])


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="linf or l2, not 'l1'"):
        rescaled(images(1, 0), directions(1, 0), 1.0, "l1")
