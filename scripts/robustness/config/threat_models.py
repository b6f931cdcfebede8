"""Threat models: in which norm, and by how much, an attacker may change an image; and AutoAttack's settings.

Pure functions of the configuration, without PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

NORMS = {"linf": "L∞", "l2": "L2"}
"""The norms that budgets are of, as figures and pages write them."""

NORM_OF_STEPS = {"sign": "linf", "normalized": "l2"}
"""The norm in which a step of our attack is bounded, by its direction; no smallest change is looked for in another."""

STANDARD = ("apgd-ce", "apgd-t", "fab-t", "square")
"""The attacks of AutoAttack's standard version, in its order (Croce and Hein, 2020)."""
STANDARD_TARGETS = 9
"""The wrong classes that each targeted attack of the standard version aims at, the most likely first."""

_SLACK = 1e-6
"""Pixels are float32: steps that add up to a budget may miss it by their rounding, as may a projection onto it."""


def value_of(budget: float | str) -> float:
    """Return a budget as a number; the configuration may write `8/255` or `0.5/255`."""
    if not isinstance(budget, str):
        return float(budget)
    numerator, denominator = map(Fraction, budget.split("/"))
    return float(numerator / denominator)


def budgets_of(threat_models: Mapping[str, Any] | None) -> dict[str, list[float]]:
    """Return the budgets of each norm that has any, in rising order; nothing where a dataset has no threat models."""
    listed = {norm: budgets for norm, budgets in (threat_models or {}).items() if budgets is not None}
    return {norm: sorted({value_of(each) for each in budgets}) for norm, budgets in listed.items()}


def attacks_of(autoattack: Mapping[str, Any]) -> tuple[list[str], int]:
    """Return the attacks that the entry `autoattack` asks for, and the number of wrong classes that they aim at."""
    if autoattack["version"] == "standard":
        return list(STANDARD), STANDARD_TARGETS
    return list(autoattack["version"]), autoattack["targets"]


def is_within(distance: Any, budget: float) -> Any:
    """Return whether a change of this size is one that the budget allows, for an array at each of its values."""
    return distance <= budget * (1 + _SLACK) + _SLACK


def in_words(budget: float) -> str:
    """Return a budget as people write it: `8/255` or `0.5/255` where it is that, otherwise a decimal."""
    halves = budget * 255 * 2
    is_decimal = float(f"{budget:.3g}") == budget  # 0.2 is 51/255, too
    return f"{budget:.3g}" if is_decimal or abs(halves - round(halves)) > 1e-6 else f"{round(halves) / 2:g}/255"
