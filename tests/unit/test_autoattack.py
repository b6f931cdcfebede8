"""AutoAttack within budgets: a known optimum, planted models, and that every claim of the library is checked."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustness.attacks import autoattack
from robustness.attacks.autoattack import BLOCK, Bounds, bounds, possible
from robustness.config.threat_models import STANDARD
from robustness.errors import UserError
from robustness.storage.columns.bounded import NOTHING, UNCHANGED

CHEAP = ["apgd-ce", "apgd-t"]
PIXELS = 5
DUAL = {"linf": 1, "l2": 2}


class Linear(nn.Module):
    """A linear model whose first two logits are ± a margin; the other classes are never near."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.weight = 2 * torch.randn(PIXELS**2, generator=torch.Generator().manual_seed(0))
        self.classes = classes

    def margin(self, x: Tensor) -> Tensor:
        return (x - 0.5).flatten(1) @ self.weight

    def forward(self, x: Tensor) -> Tensor:
        margin = self.margin(x)
        far = [0 * margin - 30 - each for each in range(self.classes - 2)]
        return torch.stack([margin, -margin, *far], dim=1)


def inner_images(count: int) -> Tensor:
    """Images so far from the ends of [0, 1] that no budget of these tests reaches them."""
    return 0.4 + 0.2 * torch.rand(count, 1, PIXELS, PIXELS, generator=torch.Generator().manual_seed(1))


def run(model: nn.Module, images: Tensor, labels: Tensor, **options: Any) -> Bounds:
    settings: dict[str, Any] = {"norm": "linf", "budgets": [0.05], "attacks": CHEAP, "targets": 3} | options
    norm, budgets, attacks = (settings.pop(name) for name in ("norm", "budgets", "attacks"))
    return bounds(model, images, labels, norm, budgets, attacks, **settings)


def withstood(found: Bounds) -> list[list[bool]]:
    return [[name == NOTHING for name in names] for names in found.decided_by]


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attacks", [CHEAP, [name for name in STANDARD if name != "square"]])
def test_of_a_linear_model_exactly_the_images_withstand_whose_margin_the_budget_cannot_bridge(
    norm: str, attacks: list[str]
) -> None:
    model, images = Linear(), inner_images(30)
    labels = (model.margin(images) < 0).long()
    needed = model.margin(images).abs() / torch.linalg.vector_norm(model.weight, DUAL[norm])
    budgets = [float(needed.quantile(share)) for share in (0.2, 0.5, 0.8)]  # between two images' needs
    found = run(model, images, labels, norm=norm, budgets=budgets, attacks=attacks)
    assert withstood(found) == [(needed > budget).tolist() for budget in budgets]
    for budget, distance, names in zip(budgets, found.distance, found.decided_by, strict=True):
        fooled = torch.tensor([name not in (NOTHING, UNCHANGED) for name in names])
        assert (distance[fooled] <= 1.00001 * budget).all()
        assert (distance[fooled] >= 0.999 * needed[fooled]).all()
        assert distance[~fooled].isnan().all()


def test_square_needs_no_gradient() -> None:
    model, images = Linear(), inner_images(4)
    labels = (model.margin(images) < 0).long()
    needed = model.margin(images).abs() / model.weight.abs().sum()
    found = run(model, images, labels, budgets=[4 * float(needed.max())], attacks=["square"])
    assert found.decided_by == [["square"] * 4]


def test_an_image_that_is_wrong_unchanged_is_not_attacked() -> None:
    model, images = Linear(), inner_images(6)
    labels = (model.margin(images) >= 0).long()
    found = run(model, images, labels, budgets=[0.01, 0.2])
    assert found.decided_by == [[UNCHANGED] * 6] * 2
    assert (found.distance == 0).all()
    assert (found.label_before != labels).all()


def test_what_a_small_budget_fools_counts_at_larger_ones_with_the_same_attack_and_change() -> None:
    model, images = Linear(), inner_images(20)
    labels = (model.margin(images) < 0).long()
    found = run(model, images, labels, budgets=[0.02, 0.05, 0.2])
    for small, large in ((0, 1), (1, 2)):
        for place, name in enumerate(found.decided_by[small]):
            if name != NOTHING:
                assert found.decided_by[large][place] == name
                assert found.distance[large][place] == found.distance[small][place]
    assert 0 < sum(map(sum, withstood(found))) < 60


def test_the_same_seed_gives_the_same_bounds_and_blocks_do_not_depend_on_ranges_that_begin_with_them() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS**2, 12), nn.Tanh(), nn.Linear(12, 5)).requires_grad_(False)
    images = inner_images(BLOCK + 10)
    labels = model(images).argmax(1)
    options: dict[str, Any] = {"budgets": [0.05, 0.1], "seed": 4}
    whole, again = (run(model, images, labels, **options) for _ in range(2))
    assert whole.decided_by == again.decided_by
    assert torch.equal(whole.distance.nan_to_num(), again.distance.nan_to_num())
    parts = [
        run(model, images[rows], labels[rows], first=rows.start, **options)
        for rows in (slice(0, BLOCK), slice(BLOCK, len(images)))
    ]
    assert [[*one, *two] for one, two in zip(*(part.decided_by for part in parts), strict=True)] == whole.decided_by


def test_each_block_and_each_seed_has_random_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def tools(block: autoattack._Block, _: float) -> dict[str, Any]:
        seeds.append(block.seed)
        return {"apgd-ce": lambda images, labels: images}

    monkeypatch.setattr(autoattack._Block, "_tools", tools)
    model, images = Linear(), inner_images(BLOCK + 1)
    for seed in (0, 1, 0):
        run(model, images, torch.zeros(len(images), dtype=torch.int64), attacks=["apgd-ce"], seed=seed)
    assert seeds[:2] == seeds[4:]
    assert len(set(seeds)) == 4


def test_the_state_of_random_numbers_is_left_as_it_was() -> None:
    model, images = Linear(), inner_images(4)
    before = torch.random.get_rng_state()
    run(model, images, (model.margin(images) < 0).long(), attacks=[*CHEAP, "square"], budgets=[0.001])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_model_that_writes_into_its_input_gains_nothing() -> None:
    class Erasing(Linear):
        def forward(self, x: Tensor) -> Tensor:
            answers = super().forward(x)
            with torch.no_grad():
                x.mul_(0)
            return answers

    images = inner_images(12)
    labels = (Linear().margin(images) < 0).long()
    kept = images.clone()
    honest, erasing = (run(model, images, labels, attacks=["square"]) for model in (Linear(), Erasing()))
    assert erasing.decided_by == honest.decided_by
    assert torch.equal(images, kept)


def test_a_model_that_seeds_the_random_numbers_makes_square_no_weaker() -> None:
    class Seeding(Linear):
        def forward(self, x: Tensor) -> Tensor:
            torch.manual_seed(7)
            return super().forward(x)

    images = inner_images(12)
    labels = (Linear().margin(images) < 0).long()
    honest, seeding = (run(model, images, labels, attacks=["square"]) for model in (Linear(), Seeding()))
    assert "square" in honest.decided_by[0]
    assert seeding.decided_by == honest.decided_by
    assert torch.equal(seeding.distance.nan_to_num(), honest.distance.nan_to_num())


def test_a_change_beyond_the_budget_or_that_fools_nobody_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = Linear(), inner_images(8)
    labels = (model.margin(images) < 0).long()
    for returned in (lambda x, _: 1 - x, lambda x, _: x + 0.001, lambda x, _: x * math.nan):
        monkeypatch.setattr(autoattack._Block, "_tools", lambda *_, cheat=returned: {"apgd-ce": cheat})
        found = run(model, images, labels, attacks=["apgd-ce"], budgets=[0.001])
        needed = model.margin(images).abs() / model.weight.abs().sum()
        assert all(name == NOTHING for name, each in zip(found.decided_by[0], needed, strict=True) if each > 0.001)


def test_pixels_that_leave_their_range_are_brought_back_before_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = Linear(), inner_images(8)
    labels = (model.margin(images) < 0).long()

    def far(x: Tensor, labels: Tensor) -> Tensor:
        return x + 5 * (2 * labels - 1).view(-1, 1, 1, 1) * model.weight.sign().view(1, 1, PIXELS, PIXELS)

    monkeypatch.setattr(autoattack._Block, "_tools", lambda *_: {"apgd-ce": far})
    found = run(model, images, labels, attacks=["apgd-ce"], budgets=[9.0])
    assert found.decided_by == [["apgd-ce"] * 8]
    assert (found.distance <= 1).all()


def test_the_library_is_asked_for_the_losses_and_targets_of_the_standard_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import pyautoattack

    made: list[Any] = []
    losses: list[str] = []

    class Watched(pyautoattack.AutoAttack):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)
            perturb = self.apgd.perturb
            self.apgd.perturb = lambda *given: losses.append(self.apgd.loss) or perturb(*given)

    monkeypatch.setattr(pyautoattack, "AutoAttack", Watched)
    model, images = Linear(), inner_images(3)
    labels = (model.margin(images) < 0).long()
    run(model, images, labels, attacks=["apgd-ce", "apgd-dlr", "apgd-t", "fab-t"], budgets=[0.001], targets=3)
    assert all(library.fab.targeted for library in made)
    assert {each.n_target_classes for library in made for each in (library.apgd_targeted, library.fab)} == {3}
    assert losses == ["ce", "dlr"]


def test_logits_that_are_not_finite_are_refused_with_a_sentence() -> None:
    class Broken(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * math.inf

    with pytest.raises(UserError, match="digits/mine: the network answers test images 50, 51, 52 with NaN or infinity"):
        run(Broken(), inner_images(3), torch.zeros(3, dtype=torch.int64), title="digits/mine", first=50)


def test_logits_that_are_not_finite_for_a_changed_image_are_refused_with_the_images_that_were_changed() -> None:
    class Fragile(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).where((x < 0.99).flatten(1).all(1)[:, None], math.nan)

    model, images = Fragile(), inner_images(3)
    labels = (Linear().margin(images) < 0).long()
    with pytest.raises(UserError, match="digits/mine: the network answers some change of test images 7, 8"):
        run(model, images, labels, budgets=[0.9], attacks=["square"], title="digits/mine", first=7)


@pytest.mark.parametrize(
    ("classes", "chosen"),
    [(2, ["apgd-ce", "fab-t", "square"]), (3, ["apgd-ce", "apgd-dlr", "fab-t", "square"]), (4, list(STANDARD))],
)
def test_few_classes_have_the_attacks_that_they_allow(
    classes: int, chosen: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert possible(STANDARD, classes, "pets/mine") == chosen
    assert ("apgd-t cannot attack" in caplog.text) == (classes < 4)
    model, images = Linear(classes), inner_images(10)
    labels = (model.margin(images) < 0).long()
    needed = model.margin(images).abs() / model.weight.abs().sum()
    budget = float(needed.quantile(0.5))
    found = run(
        model, images, labels, budgets=[budget], attacks=[each for each in chosen if each != "square"], targets=9
    )
    assert withstood(found) == [(needed > budget).tolist()]


def test_progress_is_told_of_each_block_and_budget() -> None:
    told: list[int] = []
    model, images = Linear(), inner_images(BLOCK + 3)
    run(model, images, (model.margin(images) >= 0).long(), budgets=[0.1, 0.2], progress=told.append)
    assert told == [BLOCK, BLOCK, 3, 3]
