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


@given(classes=st.integers(2, 40), each=st.integers(1, 3), others=st.integers(1, 12))
def test_of_many_classes_so_many_as_asked_for_are_drawn_and_the_same_for_all_models(
    classes: int, each: int, others: int
) -> None:
    labels = np.arange(classes).repeat(3)
    drawn = []
    for predictions in (labels, np.where(np.arange(len(labels)) % 3 == 0, (labels + 1) % classes, labels)):
        chosen = pairs(labels, predictions, classes, each, others)
        toward = {label: set(chosen.targets[labels[chosen.images] == label].tolist()) for label in range(classes)}
        assert all(label not in targets for label, targets in toward.items())
        assert {len(targets) for targets in toward.values()} == {min(others, classes - 1)}
        drawn.append(toward)
    assert drawn[0] == drawn[1]
    assert len(set(map(frozenset, drawn[0].values()))) > 1, "not the same classes for each"


def test_without_a_right_prediction_there_is_nothing_to_attack() -> None:
    chosen = pairs(np.array([0, 1]), np.array([1, 0]), 3, 5)
    assert chosen.images.tolist() == chosen.targets.tolist() == []
