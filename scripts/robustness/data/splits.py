"""Defines what every reader of a source returns, and draws a dataset's splits from it.

So one place decides, for every kind of source, which images are trained on and attacked. The choice does not shift when
somebody asks for more images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robustness.data.account import Account
from robustness.errors import UserError

TRAINING_ORDER_SEED = 0
TEST_ORDER_SEED = 1


@dataclass(frozen=True)
class SourceImages:
    """All labelled images of a source, in its own order.

    Images are uint8 (N, C, H, W), labels int64 (N,) from 0 on. The rows are int64 (N,): the place of each image in the
    source's own order, counted within its training or test images, or through the whole where a source has no test set.
    What was passed over or changed is counted by reason (`robustness.data.account`).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    train_rows: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """The counts of images that were read, and of what was passed over or changed."""
        return Account(len(self.train_labels) + len(self.test_labels), dict(self.passed_over), dict(self.changed))

    @classmethod
    def in_order(
        cls,
        train_images: NDArray[np.uint8],
        train_labels: NDArray[np.int64],
        test_images: NDArray[np.uint8],
        test_labels: NDArray[np.int64],
    ) -> SourceImages:
        """Build a source that has its own test set and whose arrays are in its own order."""
        rows = [np.arange(len(labels), dtype=np.int64) for labels in (train_labels, test_labels)]
        return cls(train_images, train_labels, rows[0], test_images, test_labels, rows[1])


@dataclass(frozen=True)
class Split:
    """Some images of a source: uint8 (N, C, H, W), labels int64 (N,), and their rows in the source, int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]


def split(
    images: SourceImages, counts: Mapping[str, int], classes: Sequence[str], *, dataset: str, source: str
) -> dict[str, Split]:
    """Draw the `train`, `validation` and `test` images of a dataset, as many as `counts` says.

    The order is drawn once per source: the first n test images are a random sample of them, and so are the first n
    training images; validation images come from the other end, so changing one number leaves the other's images.
    `dataset` (its key in the configuration) and `source` (its kind) are named in errors.

    Raises `UserError` when the source has too few images, or not as many labels as there are `classes`.
    """
    _check_classes(images, classes, dataset, source)
    _check_counts(images, counts, dataset, source)
    train_order = fixed_order(len(images.train_labels), TRAINING_ORDER_SEED)
    test_order = fixed_order(len(images.test_labels), TEST_ORDER_SEED)
    from_train = {
        "train": train_order[: counts["train"]],
        "validation": train_order[len(train_order) - counts["validation"] :],
    }
    splits = {
        name: Split(images.train_images[order], images.train_labels[order], images.train_rows[order])
        for name, order in from_train.items()
    }
    order = test_order[: counts["test"]]
    splits["test"] = Split(images.test_images[order], images.test_labels[order], images.test_rows[order])
    return splits


def fixed_order(count: int, seed: int) -> NDArray[np.int64]:
    """Return a permutation of 0 to `count` - 1 that is the same with every version of NumPy."""
    # RandomState, because its stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    return np.random.RandomState(seed).permutation(count).astype(np.int64)


def _check_classes(images: SourceImages, classes: Sequence[str], dataset: str, source: str) -> None:
    present = np.union1d(images.train_labels, images.test_labels)
    if not np.array_equal(present, np.arange(len(present))):
        raise UserError(
            f"the labels of the source ({source}) of datasets.{dataset} are {present.min()} to {present.max()}, "
            f"{len(present)} in all: they must count from 0 without gaps; a data set of torchvision is renumbered by "
            "make overlay (docs/own-model.md)"
        )
    if len(present) != len(classes):
        raise UserError(
            f"datasets.{dataset}.classes names {len(classes)} classes, but its source ({source}) has {len(present)} "
            f"labels, {present.min()} to {present.max()}: name one class for each label, in their order"
        )


def _check_counts(images: SourceImages, counts: Mapping[str, int], dataset: str, source: str) -> None:
    training, test = len(images.train_labels), len(images.test_labels)
    if counts["train"] + counts["validation"] > training:
        raise UserError(
            f"{dataset} asks for {counts['train']} training and {counts['validation']} validation images, but its "
            f"source ({source}) has {training} for both: lower datasets.{dataset}.split.train or "
            f"datasets.{dataset}.split.validation"
        )
    if counts["test"] > test:
        raise UserError(
            f"{dataset} asks for {counts['test']} test images, but its source ({source}) has {test}: "
            f"lower datasets.{dataset}.split.test"
        )
