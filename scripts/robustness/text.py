"""Writes numbers and words as people read them, in the same way in tables, pages, figures and messages.

Uses only the standard library. Nothing that prepares data, trains or attacks may import this module, since an edit here
would repeat that work (`tests/unit/test_packages.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

DASH = "–"
"""Written where there is no number."""


def number(value: float) -> str:
    """Write a number with three significant digits and its thousands apart; a dash for NaN.

    What is left of a difference of equal numbers, around 1e-16, is written as 0.
    """
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) >= 999.5:
        return f"{value:,.0f}".replace("-", "−")
    digits = f"{value:#.3g}".rstrip(".")
    if "e" in digits:
        factor, _, power = digits.partition("e")
        digits = f"{factor} × 10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    return digits.replace("-", "−")


def percent(share: float, digits: int | None = None) -> str:
    """Write a share in percent: with one decimal, or with `digits` significant digits; a dash for NaN."""
    if math.isnan(share):
        return DASH
    value = 100 * share
    written = f"{value:.1f}" if digits is None else f"{value:.{digits}g}"
    return f"{value:.0f} %" if "e+" in written else f"{written} %"


def counted(count: float, one: str, several: str = "") -> str:
    """Write a whole number with its noun: `1 image`, `3,000 images`; `several` is a plural that does not end in s."""
    return f"{count:,.0f} {one if count == 1 else several or f'{one}s'}"


def listed(parts: Iterable[object], last: str = "and") -> str:
    """Join words as English does: `a`, `a and b`, `a, b and c`."""
    *before, final = [*map(str, parts)] or [""]
    return f"{', '.join(before)} {last} {final}" if before else final
