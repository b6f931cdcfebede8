"""What judges are shown and what they answer: the images that fooled, noise of the same size, and no batch in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from robustness.analysis.answers import answers
from robustness.analysis.cross_model import classified, fooled_images, loaded, noise_like
from robustness.analysis.measures import norms
from robustness.errors import UserError
from robustness.models import architectures, weights
from robustness.models.image_shape import ImageShape
from robustness.storage.identity import Identity, contents
from robustness.storage.records import write_records
from robustness.storage.tensors import write_tensors

CPU = torch.device("cpu")


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_noise_has_the_norm_of_what_it_is_held_against_although_it_is_clipped(norm: str) -> None:
    rng = np.random.default_rng(0)
    x = np.clip(2 * rng.random((30, 1, 8, 8)) - 0.5, 0, 1).astype(np.float32)
    size = rng.uniform(0.05, 0.9, 30)
    noise = noise_like(x, size, np.arange(30), norm, seed=1)
    assert norms(x, noise)[norm] == pytest.approx(size, rel=1e-5)
    assert 0 <= noise.min() <= noise.max() <= 1


def test_noise_depends_on_the_seed_and_the_image_alone() -> None:
    x = np.full((6, 1, 8, 8), 0.5, np.float32)
    ids = np.array([3, 1, 4, 15, 92, 6])
    together = noise_like(x, 1.0, ids, "l2", seed=1)
    assert np.array_equal(noise_like(x[4:5], 1.0, ids[4:5], "l2", seed=1)[0], together[4])
    assert not np.array_equal(together[0], together[1])
    assert not np.array_equal(noise_like(x, 1.0, ids, "l2", seed=2), together)


def test_a_judges_answer_is_the_new_label_the_original_one_or_neither() -> None:
    found = answers(np.array([3, 7, 1]), new=np.array([3, 3, 3]), original=np.array([7, 7, 7]))
    assert found.tolist() == ["new", "original", "neither"]


@pytest.mark.parametrize(
    "architecture", [{"family": "perceptron", "hidden": 8}, {"family": "resnet", "blocks": [1] * 4, "filters": 8}]
)
def test_what_a_network_sees_does_not_depend_on_the_other_images(architecture: dict, tmp_path: Path) -> None:
    torch.manual_seed(0)
    metadata = {"architecture": architecture, "image": [1, 28, 28], "classes": 5}
    weights.save(tmp_path / "w", architectures.build(architecture, ImageShape(1, 28, 28), 5), metadata)
    images = np.random.default_rng(0).random((40, 1, 28, 28), dtype=np.float32)
    network = loaded(tmp_path / "w", CPU)
    ids = np.arange(40)

    def seen(rows: slice) -> list[int]:
        return classified(network, images[rows], CPU, ids[rows], "a judge").tolist()

    assert seen(slice(None)) == [label for row in range(40) for label in seen(slice(row, row + 1))]
    assert seen(slice(0)) == []
    images[39, 0, 3, 3] = np.inf
    with pytest.raises(UserError, match=r"a judge: the network answers original or changed test image 39 with NaN"):
        seen(slice(20, 40))


def test_only_images_that_were_fooled_at_the_required_confidence_are_judged(tmp_path: Path) -> None:
    pixels = np.arange(8, dtype=np.uint8)[:, None, None, None].repeat(4, axis=2) * np.uint8(10)
    write_tensors(tmp_path / "test", {"images": pixels, "labels": np.zeros(8, np.int64)}, {})
    columns = {
        "image": np.array([2, 2, 3, 3, 4, 4, 5, 5]),
        "required_confidence": np.array([0.0, 0.9] * 4),
        "ended": ["success", "success", "success", "cap", *["default_state", "skipped"] * 2],
        "label": np.array([7, 7, 1, 1] * 2),
        "label_after": np.array([2, 3, 4, 5] * 2),
    }
    header = Identity("made", "basic", "original", 0).header({}, contents(test=tmp_path / "test"))
    write_records(tmp_path / "measures", columns, header)
    for start in (2, 4):
        rows = slice(2 * start - 4, 2 * start)
        adversarial = np.arange(4, dtype=np.float32)[:, None, None, None].repeat(4, axis=2) / 10
        tensors = {name: columns[name][rows] for name in ("image", "required_confidence")} | {
            "adversarial": adversarial
        }
        write_tensors(tmp_path / f"{start}", tensors, header)
    fooled = fooled_images(tmp_path / "test", tmp_path / "measures", [tmp_path / "2", tmp_path / "4"], 0.9)
    assert fooled.image.tolist() == [2]
    assert (fooled.label.tolist(), fooled.label_after.tolist()) == ([7], [3])
    assert fooled.original.flatten().tolist() == pytest.approx([20 / 255] * 4)
    assert fooled.adversarial.flatten().tolist() == pytest.approx([0.1] * 4)
    with pytest.raises(UserError, match=r"measures and .*4 and .*2 hold other images, or these in another order"):
        fooled_images(tmp_path / "test", tmp_path / "measures", [tmp_path / "4", tmp_path / "2"], 0.9)
