"""Numbers and words look the same wherever they are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustness.text import counted, listed, number, percent


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_is_written_with_three_digits(value: float) -> None:
    text = number(value)
    mantissa, _, power = text.replace(",", "").replace("−", "-").partition(" × 10")
    exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)
    assert math.isclose(float(mantissa) * 10.0**exponent, value, rel_tol=5.01e-3, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.067, "0.0670"),
        (12.0, "12.0"),
        (239.47, "239"),
        (39760, "39,760"),
        (7.94e-05, "7.94 × 10⁻⁵"),
        (0.0, "0"),
        (0.3 - 0.1 - 0.2, "0"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-0.5, "−0.500"),
        (999.6, "1,000"),
    ],
)
def test_numbers_look_like_this(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.91337, None, "91.3 %"),
        (0.0, None, "0.0 %"),
        (0.0123, 2, "1.2 %"),
        (0.0123, 3, "1.23 %"),
        (0.996, 2, "100 %"),
        (1.234, 2, "123 %"),
        (0.01, 3, "1 %"),
        (math.nan, None, "–"),
        (math.nan, 2, "–"),
    ],
)
def test_shares_look_like_this(share: float, digits: int | None, text: str) -> None:
    assert percent(share, digits) == text


def test_a_noun_follows_its_number() -> None:
    assert [counted(count, "image") for count in (0, 1, 2, 3000.0)] == [
        "0 images",
        "1 image",
        "2 images",
        "3,000 images",
    ]
    assert [counted(count, "shard of it", "shards of it") for count in (1, 2)] == ["1 shard of it", "2 shards of it"]


def test_words_are_joined_as_in_a_sentence() -> None:
    assert [listed("abc"[:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed([1, 2, 3], "or") == "1, 2 or 3"
