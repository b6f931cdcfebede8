"""The attack toward each class: which images are taken, and toward which classes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robustness.attacks.targets import pairs


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 12), each=st.integers(1, 4))
def test_the_first_right_images_of_each_class_go_toward_every_other_class(seed: int, classes: int, each: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 60)
    predictions = np.where(rng.random(60) < 0.7, labels, rng.integers(0, classes, 60))
    chosen = pairs(labels, predictions, classes, each)
    expected = []
    for label in range(classes):
        right = [image for image in range(60) if labels[image] == predictions[image] == label][:each]
        expected += [(image, target) for image in right for target in range(classes) if target != label]
    assert list(zip(chosen.images.tolist(), chosen.targets.tolist(), strict=True)) == expected


def test_without_a_right_prediction_there_is_nothing_to_attack() -> None:
    chosen = pairs(np.array([0, 1]), np.array([1, 0]), 3, 5)
    assert chosen.images.tolist() == chosen.targets.tolist() == []
