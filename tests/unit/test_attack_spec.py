"""An attack's settings: what they mean, and the sentence for each mistake."""

from __future__ import annotations

from typing import Any

import pytest

from robustness.attacks.spec import AttackSpec, read_spec
from robustness.errors import UserError
from robustness.storage.levels import ARGMAX

SETTINGS: dict[str, Any] = {
    "reward": "probability",
    "direction": "sign",
    "alpha": 0.01,
    "confidence": 0.9,
    "max_iterations": 100,
}
TITLE = "mnist/basic-clean, test images 0 to 199"


def test_settings_become_a_spec_with_its_levels_in_rising_order() -> None:
    spec = read_spec(SETTINGS | {"other_confidences": [0.99, "argmax", 0.9, 0.5]}, 10, TITLE)
    assert spec.levels == (ARGMAX, 0.5, 0.9, 0.99)
    assert spec.confidence == 0.9
    assert AttackSpec(**SETTINGS).levels == (0.9,)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"stepsize": 1}, "unknown attack setting 'stepsize'; known are alpha, confidence"),
        ({"reward": "margin"}, "reward is 'margin'; use probability or cross_entropy"),
        ({"direction": 3}, "direction is 3; use sign or normalized"),
        ({"gradients": "float16"}, "gradients is 'float16'; use float32 or tf32 or bfloat16"),
        ({"alpha": 0}, "alpha is 0; a step must be between 0 and 1"),
        ({"alpha": "fast"}, "alpha is 'fast'; use a number"),
        ({"max_iterations": 0}, "max_iterations is 0; use 1 or more"),
        ({"max_iterations": 1.5}, "max_iterations is 1.5; use a whole number"),
        ({"confidence": 1.0}, "confidence has 1.0, which no probability exceeds; use a value below 1"),
        ({"confidence": 0.25}, "confidence has 0.25, but with 4 classes every prediction has .* at least 0.25"),
        ({"confidence": "argmax"}, "confidence is 'argmax'; use a number"),
        ({"other_confidences": [0.1]}, "other_confidences has 0.1, but with 4 classes .* 'argmax'"),
        ({"other_confidences": ["high"]}, "other_confidences has 'high'; use numbers or 'argmax'"),
        ({"target": 4}, "target class 4 does not exist; the model has classes 0 to 3"),
        ({"target": "nearest"}, "unknown target 'nearest'; use next, random, least_likely or a class of the dataset"),
    ],
)
def test_a_mistake_is_named_with_the_attack_the_key_and_the_value(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{TITLE}: {words}"):
        read_spec(SETTINGS | changed, 4, TITLE)


@pytest.mark.parametrize("key", SETTINGS)
def test_a_missing_setting_is_named(key: str) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != key}
    with pytest.raises(UserError, match=f"the attack lacks '{key}'"):
        read_spec(settings, 10, TITLE)
