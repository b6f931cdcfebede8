"""The trust checks: a sound model passes all of them, and for each there is a planted one that it catches."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from torch import Tensor, nn

import attack_shard
import require_trust
import write_table
from robustness.attacks import gradients
from robustness.attacks.criterion import any_wrong_class
from robustness.attacks.iterated_sign import attack
from robustness.attacks.pgd import PGD
from robustness.attacks.spec import AttackSpec
from robustness.errors import UserError
from robustness.models.frozen import frozen
from robustness.products.tables import trust
from robustness.storage.records import read_arrays, write_records
from robustness.storage.tensors import write_tensors
from robustness.trust import checks as trust_checks
from robustness.trust import confidence, questions
from robustness.trust.checks import LIMITS
from robustness.trust.evidence import Evidence, Images, Subject, gathered
from robustness.trust.questions import QUESTIONS, Check, Row

CPU = torch.device("cpu")
SPEC = AttackSpec("probability", "sign", alpha=0.002, confidence=0.8, max_iterations=200, other_confidences=(0.0,))
COUNT = 24


class Planted(nn.Module):
    """A linear model that sees a function of the image; it needs a gradient, so everything hangs on the pixels."""

    def __init__(self, seen: Any) -> None:
        super().__init__()
        self.seen, self.inner = seen, linear()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.seen(x)) + 0 * x.sum()


class Single(Planted):
    """The linear model in the precision of what it sees."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.seen(x)
        return self.inner.to(x.dtype)(x)


class Curve(nn.Module):
    """Two classes, told apart by the mean of the pixels alone: the second wins where a broken line is above zero."""

    def __init__(self, *points: tuple[float, float], scale: float = 50.0) -> None:
        super().__init__()
        self.points, self.scale = points, scale

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(1).mean(1)
        places, heights = zip(*self.points, strict=True)
        slopes = np.diff(heights) / np.diff(places)
        line = heights[0] + slopes[0] * (mean - places[0])
        for place, turn in zip(places[1:-1], np.diff(slopes), strict=True):
            line = line + turn * (mean - place).relu()
        return torch.stack((torch.zeros_like(line), self.scale * line), 1)


class Masked(torch.autograd.Function):
    """The identity, with a gradient that is that of another image."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.flip(-1)


def pictures(low: float = 0.4, high: float = 0.6, count: int = COUNT, seed: int = 0) -> Tensor:
    """Images (count, 1, 6, 6) that a picture file can hold, each value between the two."""
    drawn = low + (high - low) * torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return (drawn * 255).round() / 255


def plain(*means: float) -> Tensor:
    """An image of one gray for each mean."""
    return torch.tensor(means, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 6, 6).clone()


def linear(scale: float = 6.0) -> nn.Module:
    """Three classes told apart by planes, far enough from `pictures` for many steps and near enough to be reached."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    model[1].weight.data *= scale
    model[1].bias.data = -(model[1].weight.data * 0.5).sum(1)
    return model


def evidence_of(
    folder: Path,
    network: nn.Module,
    images: Tensor | None = None,
    spec: AttackSpec = SPEC,
    *,
    labels: Tensor | None = None,
    attacked: nn.Module | None = None,
) -> tuple[Subject, Evidence]:
    """What the script gathers after attacks with both rewards, of the network or of another `attacked` one."""
    images = pictures() if images is None else images
    model = frozen(attacked or network, CPU)
    if labels is None:
        with torch.no_grad():
            labels = model(images).argmax(1)
    ids = torch.arange(len(images))
    records, shards = {}, []
    for name, reward in (("original", spec.reward), ("strong", "cross_entropy")):
        each = replace(spec, reward=reward)
        result = attack(model, images, labels, ids, each, seed=1, batch_size=16)
        columns = attack_shard._columns(result, each, ids.numpy(), labels.numpy()).by_name()
        write_records(folder / f"{name}.parquet", columns, {})
        records[name] = read_arrays(folder / f"{name}.parquet")
        shards.append(folder / f"{name}.safetensors")
        write_tensors(shards[-1], {"adversarial": result.adversarial.flatten(0, 1).numpy()}, {})
    stored = {"images": (images * 255).round().to(torch.uint8).numpy(), "labels": labels.numpy()}
    write_tensors(folder / "test.safetensors", stored, {})
    evidence = gathered(folder / "test.safetensors", shards, records, spec, COUNT, CPU)
    return Subject(network, frozen(network, CPU), spec, seed=1, batch_size=16, title="planted"), evidence


def verdicts(subject: Subject, evidence: Evidence) -> dict[str, Check]:
    return {check.name: check for check in trust_checks.all_checks(subject, evidence)}


def failed(folder: Path, network: nn.Module, *arguments: Any, **options: Any) -> set[str]:
    """The names of the checks that a network fails."""
    checks = verdicts(*evidence_of(folder, network, *arguments, **options))
    return {name for name, check in checks.items() if not check.passed}


# ---- a sound model --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", ["probability", "cross_entropy"])
@pytest.mark.parametrize("direction", ["sign", "normalized"])
def test_a_linear_model_passes_every_check(tmp_path: Path, reward: Any, direction: Any) -> None:
    spec = replace(SPEC, reward=reward, direction=direction, alpha=0.002 if direction == "sign" else 0.012)
    checks = verdicts(*evidence_of(tmp_path, linear(), spec=spec))
    assert [check for check in checks.values() if not check.passed] == []
    assert [*checks, "as_strong_as_autoattack"] == list(QUESTIONS)  # which needs AutoAttack's records


def test_the_evaluations_of_all_checks_are_known_before_about(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    given: list[int] = []
    subject.model.register_forward_hook(lambda model, inputs, outputs: given.append(len(outputs)))
    trust_checks.all_checks(subject, evidence)
    assert trust_checks.evaluations(subject, evidence) == pytest.approx(sum(given), rel=0.3)


def test_a_sound_model_with_few_images_passes_every_check(tmp_path: Path) -> None:
    assert failed(tmp_path, linear(), pictures(count=3)) == set()


def test_a_targeted_attack_on_a_linear_model_passes_every_check(tmp_path: Path) -> None:
    assert failed(tmp_path, linear(), spec=replace(SPEC, target="least_likely")) == set()


def test_the_bounded_attack_fools_a_linear_model_from_the_optimum_on_and_not_below() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    images = pictures(0.45, 0.55)
    with torch.no_grad():
        logits = model(images)
    weights = model[1].weight.data
    optimum = float(((logits[:, 1] - logits[:, 0]).abs() / (weights[1] - weights[0]).norm(p=1)).median())
    distance = ((logits[:, 1] - logits[:, 0]).abs() / (weights[1] - weights[0]).norm(p=1)).numpy()
    pgd, criterion = PGD(frozen(model, CPU), SPEC, seed=0), any_wrong_class(logits.argmax(1).numpy())
    reached = pgd.attack(images, criterion, torch.arange(COUNT), alpha=optimum / 4, steps=10, radius=optimum)
    assert reached[distance < 0.999 * optimum].all()
    assert not reached[distance > 1.001 * optimum].any()
    one = pgd.single_step(images, criterion, torch.arange(COUNT), (optimum,))[0]
    assert (one == reached)[abs(distance / optimum - 1) > 0.001].all()


@settings(max_examples=20)
@given(radius=st.floats(0.001, 0.2), seed=st.integers(0, 100))
def test_a_bounded_attack_stays_within_its_ball(radius: float, seed: int) -> None:
    images = pictures(0, 1, count=4, seed=seed)
    seen: list[Tensor] = []
    model = frozen(linear(), CPU)
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()[:4]))
    nothing = replace(any_wrong_class(np.zeros(4, np.int64)), confidence=np.full(4, 2.0))
    PGD(model, SPEC, seed=0).attack(images, nothing, torch.arange(4), alpha=radius / 2, steps=5, radius=radius)
    assert len(seen) == 6
    for x in seen:
        assert (x - images).abs().max() <= radius + 1e-6
        assert x.min() >= 0
        assert x.max() <= 1


# ---- planted models -------------------------------------------------------------------------------------------------


def test_a_constant_model_is_caught(tmp_path: Path) -> None:
    network = Planted(torch.zeros_like)
    found = {"unbounded", "half_step", "beats_noise", "zero_gradients", "eight_bits", "confidence_in_reach"}
    assert failed(tmp_path, network) == found


class Bounded(nn.Module):
    """A linear model whose outputs end at 0 and 1, as behind a sigmoid, times a temperature."""

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.inner, self.temperature = linear(), temperature

    def forward(self, x: Tensor) -> Tensor:
        return self.temperature * self.inner(x).sigmoid()


def test_a_confidence_that_bounded_outputs_cannot_reach_is_caught_and_named(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, Bounded())
    check = verdicts(subject, evidence)["confidence_in_reach"]
    ceiling = math.e / (math.e + 2)  # one output of 1, two of 0
    assert not check.passed
    assert SPEC.confidence - check.value == pytest.approx(ceiling, abs=0.02)
    assert SPEC.confidence - check.value <= ceiling
    assert "reached at most 0.5" in check.why
    assert "of the required 0.8: its images do not end for lack of confidence, not for robustness." in check.why


def test_bounded_outputs_with_a_temperature_and_attacks_that_end_early_are_in_reach(tmp_path: Path) -> None:
    assert verdicts(*evidence_of(tmp_path, Bounded(temperature=20.0)))["confidence_in_reach"].passed
    early = evidence_of(tmp_path, linear(), spec=replace(SPEC, max_iterations=1))
    check = verdicts(*early)["confidence_in_reach"]
    assert check.passed
    assert "No recorded attack reached" in check.why


def test_records_of_other_images_are_caught_and_named(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    recorded = evidence.confidence_last.copy()
    recorded[[3, 4]] += 0.01
    check = verdicts(subject, replace(evidence, confidence_last=recorded))["as_recorded"]
    assert not check.passed
    named = ", ".join(str(int(image)) for image in evidence.sample.ids[3:5])
    assert check.why.endswith(f"answers 2 otherwise than recorded, for instance test images {named}.")
    other = replace(evidence, label_last=(evidence.label_last + 1) % 3)
    assert verdicts(subject, other)["as_recorded"].value == 1


def test_another_networks_weights_do_not_answer_as_recorded(tmp_path: Path) -> None:
    assert "as_recorded" in failed(tmp_path, linear(), attacked=Bounded())


def test_where_attacks_reached_the_confidence_nothing_is_evaluated_to_see_that_it_can_be(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    records = evidence.attacks["original"]
    fooled = (records["ended"] == "success") & (records["required_confidence"] == records["required_confidence"].max())
    assert fooled.sum() > 1
    why = verdicts(subject, evidence)["confidence_in_reach"].why
    assert why == f"A wrong class reached the required probability of 0.8 on {fooled.sum()} images."
    assert confidence.evaluations(subject, evidence) == 0


def test_a_model_that_is_always_wrong_leaves_nothing_to_check(tmp_path: Path) -> None:
    with torch.no_grad():
        wrong = (linear()(pictures()).argmax(1) + 1) % 3
    subject, evidence = evidence_of(tmp_path, linear(), labels=wrong)
    checks = verdicts(subject, evidence)
    assert set(checks) == set(QUESTIONS)
    assert not any(check.passed for check in checks.values())
    assert {check.images for check in checks.values()} == {0}


def test_a_model_that_quantises_its_input_is_caught_by_what_its_gradient_does_not_tell(tmp_path: Path) -> None:
    network = Planted(lambda x: (x * 8).round() / 8)
    assert {"zero_gradients", "beats_noise"} <= failed(tmp_path, network)


def test_a_saturated_model_is_caught_although_its_decisions_are_those_of_a_linear_one(tmp_path: Path) -> None:
    images, plane = plain(*np.linspace(0.3, 0.4, COUNT)), ((0.0, -0.45), (0.5, 0.05), (1.0, 0.55))
    assert failed(tmp_path, Curve(*plane, scale=40.0), images) == set()
    found = failed(tmp_path, Curve(*plane, scale=4000.0), images)
    assert {"zero_gradients", "finite_differences", "beats_noise"} <= found


def test_a_false_gradient_is_caught_by_finite_differences(tmp_path: Path) -> None:
    assert "finite_differences" in failed(tmp_path, Planted(Masked.apply))


@pytest.mark.parametrize("seen", [lambda x: x.float(), lambda x: x * torch.ones((), dtype=torch.float32)])
def test_a_network_of_single_precision_alone_is_not_held_against_its_slopes(tmp_path: Path, seen: Any) -> None:
    subject, evidence = evidence_of(tmp_path, Single(seen))
    checks = verdicts(subject, evidence)
    assert ("finite_differences" in checks) == (seen(torch.zeros(1).double()).dtype == torch.float64)
    assert all(check.passed for check in checks.values())


def test_a_model_without_a_second_class_is_caught_although_it_has_a_gradient(tmp_path: Path) -> None:
    network = Curve((0.0, -1.0), (0.5, -0.1), (1.0, -1.0), scale=5.0)
    found = failed(tmp_path, network)
    assert "unbounded" in found
    assert "zero_gradients" not in found


def test_limits_are_what_the_docs_say() -> None:
    none = ("valid_values", "as_recorded", "confidence_in_reach", "unbounded", "batch_size")
    shares = {"larger_budget": 0.02, "iterated": 0.02, "half_step": 0.5, "double_cap": 0.005, "beats_noise": 0.05}
    shares |= {"zero_gradients": 0.01, "finite_differences": 0.02, "eight_bits": 0.02, "rewards_agree": 0.01}
    assert dict.fromkeys(none, 0.0) | shares | {"as_strong_as_autoattack": 0.2} == LIMITS


def test_a_share_that_equals_the_limit_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    fooled = np.arange(50) < np.array([40, 45, 41, 41, 45])[:, None]  # 41 of 50 is 4 of 50 less than 45, and so rounded
    monkeypatch.setattr(trust_checks.passes, "pgd", lambda *_, **__: fooled.ravel())
    monkeypatch.setattr(trust_checks.passes, "single_step", lambda *_: np.roll(fooled, 1, axis=0))
    pixels, classes = torch.zeros(50, 1, 2, 2), np.zeros(50, np.int64)
    evidence: Any = SimpleNamespace(sample=Images(pixels, torch.arange(50), classes, classes), first=pixels + 0.1)
    subject: Any = SimpleNamespace(pgd=None)
    larger, iterated = trust_checks.budgets(subject, evidence)
    assert (larger.value, larger.limit, larger.passed) == (0.08, 0.08, True)
    assert (iterated.value, iterated.passed) == (0.1, False)


def test_a_target_that_large_steps_leap_over_is_caught_by_larger_budgets(tmp_path: Path) -> None:
    images = plain(*np.linspace(0.3, 0.4, COUNT))
    network = Curve((0.0, -2.0), (0.44, -0.5), (0.475, 1.0), (0.51, -0.5), (1.0, -2.0), scale=5.0)
    assert "larger_budget" in failed(tmp_path, network, images)


def test_a_hill_that_only_a_leap_passes_is_caught_by_the_single_step(tmp_path: Path) -> None:
    images = plain(*np.linspace(0.44, 0.46, COUNT - 8), *np.linspace(0.09, 0.11, 8))
    network = Curve((0.0, -3.0), (0.12, -0.5), (0.3, -2.0), (0.36, 0.3), (1.0, 3.0), scale=20.0)
    assert "iterated" in failed(tmp_path, network, images, replace(SPEC, confidence=0.6))


def test_a_coarse_step_is_caught_by_half_of_it(tmp_path: Path) -> None:
    assert failed(tmp_path, linear(), spec=replace(SPEC, alpha=0.3)) >= {"half_step"}


def test_a_cap_that_comes_too_early_is_caught_by_twice_as_many_steps(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    enough = int(np.median(evidence.steps))
    subject, evidence = evidence_of(tmp_path, linear(), spec=replace(SPEC, max_iterations=int(0.7 * enough)))
    check = verdicts(subject, evidence)["double_cap"]
    assert not check.passed
    assert check.value > 0.2


def test_images_that_stay_at_the_cap_do_not_fail_the_check_on_it(tmp_path: Path) -> None:
    network = Curve((0.0, -1.0), (0.5, -0.1), (1.0, -1.0), scale=5.0)
    subject, evidence = evidence_of(tmp_path, network, spec=replace(SPEC, max_iterations=5))
    assert len(evidence.stopped) == COUNT
    assert verdicts(subject, evidence)["double_cap"].passed


def test_a_model_that_no_file_can_fool_is_caught_by_eight_bits(tmp_path: Path) -> None:
    network = linear(scale=2000.0)
    network[1].bias.data = torch.tensor([0.0, -0.2, 0.2]) - (network[1].weight.data * pictures(count=1).flatten()).sum(
        1
    )
    images = pictures(count=1).expand(COUNT, 1, 6, 6).clone()
    assert "eight_bits" in failed(tmp_path, network, images, replace(SPEC, alpha=1e-6))


class BatchNormalised(nn.Module):
    """A model that normalises by the batch that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, track_running_stats=False)
        self.inner = linear()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(0.5 + 0.1 * self.norm(x))


class Noisy(nn.Module):
    """A model that draws noise at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x + 0.05 * torch.randn_like(x))


@pytest.mark.parametrize("network", [BatchNormalised(), Noisy()], ids=["batch norm", "noise"])
def test_a_model_that_depends_on_the_batch_or_on_chance_is_caught(tmp_path: Path, network: nn.Module) -> None:
    torch.manual_seed(0)
    assert "batch_size" in failed(tmp_path, network)


def test_a_model_that_returns_nan_is_caught_and_nothing_more_is_computed_with_it(tmp_path: Path) -> None:
    network = Planted(lambda x: x.where(x < 0.9, torch.nan))
    checks = verdicts(*evidence_of(tmp_path, network, attacked=linear()))
    assert list(checks) == ["valid_values"]
    assert not checks["valid_values"].passed
    assert re.search(r"not finite, for instance for test images \d+, ", checks["valid_values"].why)


def test_nan_that_only_a_check_meets_is_said_with_the_images(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    broken = replace(subject, model=Planted(lambda x: x.where(x < 2, torch.nan) * math.inf))
    with pytest.raises(UserError, match=r"the network answers test images \d+, .* with NaN or infinity"):
        trust_checks.beats_noise(broken, evidence)
    with pytest.raises(UserError, match=r"the network answers test images \d+, .* with NaN or infinity"):
        trust_checks.budgets(broken, evidence)


@pytest.mark.parametrize("value", [1.001, -0.001, math.nan])
def test_an_impossible_pixel_in_the_files_is_caught(tmp_path: Path, value: float) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    shards = [tmp_path / "original.safetensors", tmp_path / "strong.safetensors"]
    images = np.full((COUNT * 2, 1, 6, 6), 0.5, np.float32)
    images[-1, 0, 3, 3] = value
    write_tensors(shards[1], {"adversarial": images}, {})
    again = gathered(tmp_path / "test.safetensors", shards, dict(evidence.attacks), SPEC, COUNT, CPU)
    assert again.invalid == 1
    assert not verdicts(subject, again)["valid_values"].passed


def test_two_attacks_of_which_one_was_stopped_are_caught(tmp_path: Path) -> None:
    _, evidence = evidence_of(tmp_path, linear())
    original = dict(evidence.attacks["original"])
    original["ended"] = np.where(original["image"] % 4 == 0, "default_state", original["ended"])
    check = trust_checks.rewards_agree({"original": original, "strong": evidence.attacks["strong"]})
    assert not check.passed
    assert check.value == 0.25
    assert "6 by attack strong alone" in check.why


def test_one_attack_is_compared_with_no_other(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    alone = replace(evidence, attacks={"original": evidence.attacks["original"]})
    others = {"rewards_agree", "as_strong_as_autoattack"}
    assert list(verdicts(subject, alone)) == [name for name in QUESTIONS if name not in others]


def test_the_batch_size_changes_no_check(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, linear())
    assert verdicts(subject, evidence) == verdicts(replace(subject, batch_size=5), evidence)


def test_the_attack_that_had_most_zero_gradients_is_named(tmp_path: Path) -> None:
    _, evidence = evidence_of(tmp_path, linear())
    strong = dict(evidence.attacks["strong"])
    strong["zero_gradients"] = strong["iterations"] // 2
    strong["iterations"] = 2 * strong["iterations"]
    whole = trust_checks.at_level(strong, strong["required_confidence"].max())
    original = evidence.attacks["original"]
    for attacks in ({"original": original, "strong": strong}, {"strong": strong, "original": original}):
        check = trust_checks.zero_gradients(attacks)
        assert not check.passed
        assert f"Of the {whole['iterations'].sum():,} steps of attack strong" in check.why


# ---- what a check counts --------------------------------------------------------------------------------------------


def known(images: Tensor, changed: Tensor) -> Any:
    """Evidence of images of class 0 that an attack made `changed` of, which fooled all."""
    classes = np.zeros(len(images), np.int64)
    return SimpleNamespace(
        sample=Images(images, torch.arange(len(images)), classes, np.full_like(classes, -1)),
        first=changed,
        last=changed,
        fooled_first=classes == 0,
        fooled_last=classes == 0,
        steps=np.full_like(classes, 10),
        attacked=len(images),
    )


def subject_of(network: nn.Module) -> Subject:
    return Subject(network, frozen(network, CPU), SPEC, seed=1, batch_size=16, title="planted")


@pytest.mark.parametrize(("fallen", "grown", "moved"), [(3, 10, 10), (9, 2, 9), (0, 0, 0)])
def test_half_the_step_counts_the_images_whose_change_moved_by_more_than_five_percent_the_same_way(
    monkeypatch: pytest.MonkeyPatch, fallen: int, grown: int, moved: int
) -> None:
    factors = torch.ones(COUNT)
    factors[:fallen], factors[fallen : fallen + grown] = 0.94, 1.06
    factors[fallen + grown :] = torch.linspace(0.96, 1.04, COUNT - fallen - grown)
    images = pictures()
    changed = images + 0.1 * factors.view(-1, 1, 1, 1)
    monkeypatch.setattr(trust_checks.passes, "attacked", lambda *_: (changed, np.ones(COUNT, bool)))
    check = trust_checks.half_step(subject_of(linear()), known(images, images + 0.1))
    assert check.value == moved / COUNT
    assert f"change of {fallen} of {COUNT} images fell by more than 5 %, and the change of {grown} grew" in check.why


def test_an_image_that_half_the_step_does_not_fool_counts_as_having_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    images, fooled = pictures(), np.arange(COUNT) >= 7
    monkeypatch.setattr(trust_checks.passes, "attacked", lambda *_: (images + 0.1, fooled))
    assert trust_checks.half_step(subject_of(linear()), known(images, images + 0.1)).value == 7 / COUNT


@pytest.mark.parametrize(("factor", "wrong"), [(1.003, False), (0.997, False), (1.0125, True), (0.9875, True)])
def test_a_gradient_may_differ_from_the_slope_by_one_percent(
    monkeypatch: pytest.MonkeyPatch, factor: float, wrong: bool
) -> None:
    true = gradients.reward_gradient

    def scaled(*arguments: Any) -> Any:
        log_p, gradient = true(*arguments)
        return log_p, factor * gradient

    monkeypatch.setattr(trust_checks, "reward_gradient", scaled)
    images, network = pictures(), linear()
    check = trust_checks.finite_differences(subject_of(network), known(images, images), linear().double())
    assert check.passed == (not wrong)
    assert check.value >= 0.5 if wrong else check.value == 0


def test_pixels_are_rounded_to_the_nearest_of_256_values() -> None:
    network = Curve((0.0, -100.25 / 255), (0.5, 0.5 - 100.25 / 255), (1.0, 1 - 100.25 / 255))
    changed = plain(*[100.4 / 255] * 5, *[100.6 / 255] * 19)  # of the second class; 100 is of the first
    check = trust_checks.eight_bits(subject_of(network), known(plain(*[0.3] * COUNT), changed))
    assert check.value == 5 / COUNT


def test_a_network_that_fails_on_static_alone_is_caught(tmp_path: Path) -> None:
    def seen(x: Tensor) -> Tensor:
        values = x.flatten(1)
        return x.where((values.amax(1) - values.amin(1) < 0.9).view(-1, 1, 1, 1), torch.nan)

    check = verdicts(*evidence_of(tmp_path, Planted(seen), attacked=linear()))["valid_values"]
    assert not check.passed
    assert check.why.endswith("were not finite.")  # no test image is named


def test_what_unlimited_change_cannot_fool_is_a_share_of_all_attacked_images(tmp_path: Path) -> None:
    subject, evidence = evidence_of(tmp_path, Planted(torch.zeros_like))
    few = replace(evidence, never=evidence.never.of(np.arange(6)))
    check = trust_checks.unbounded(subject, few)
    assert (check.value, check.images) == (6 / COUNT, COUNT)


def test_on_a_cpu_an_image_alone_has_to_change_by_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures()[:8]
    sizes = {1: 0.1001, 8: 0.1}
    monkeypatch.setattr(trust_checks.passes, "attacked", lambda *given: (images + sizes[given[-1]], None))
    check = trust_checks.batch_size(subject_of(linear()), known(pictures(), pictures()))
    assert check.value == pytest.approx(0.001, rel=0.01)
    assert (check.limit, check.passed) == (0, False)


# ---- limits and verdicts --------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(share=st.floats(0.001, 0.5), images=st.integers(1, 20000))
def test_a_limit_lies_above_what_is_tolerated_and_below_all_images(share: float, images: int) -> None:
    limit = questions.tolerated(share, images)
    assert limit >= share - 1 / images
    assert limit <= share + 2.6 * math.sqrt(share * (1 - share) / images) + 2 / images
    assert limit * images == pytest.approx(round(limit * images))


@settings(max_examples=60, deadline=None)
@given(share=st.sampled_from([share for share in LIMITS.values() if share]), images=st.integers(1, 20000))
def test_what_is_tolerated_is_scipys_quantile(share: float, images: int) -> None:
    # At 0.99 itself, such as of one image and a share of 0.01, rounding decides.
    low, high = binom.ppf([0.99 - 1e-9, 0.99 + 1e-9], images, share) / images
    assert low <= questions.tolerated(share, images) <= high


def test_a_limit_is_wider_for_few_images_and_still_can_be_missed() -> None:
    assert questions.tolerated(0.005, 10_000) < 0.007
    assert questions.tolerated(0.005, 100) == 0.03
    assert questions.tolerated(0.01, 8) == 1 / 8
    assert math.isnan(questions.tolerated(0.01, 0))


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (Check("unbounded", 0.0, 0.0, 5, ""), True),
        (Check("unbounded", 0.1, 0.0, 5, ""), False),
        (Check("unbounded", math.nan, 0.1, 5, ""), False),
        (Check("unbounded", 0.0, 0.1, 0, ""), False),
    ],
    ids=["at the limit", "above", "not a number", "no images"],
)
def test_a_check_passes_with_images_and_a_value_within_its_limit(check: Check, passed: bool) -> None:
    assert check.passed == passed


def test_every_check_has_a_limit_and_a_question() -> None:
    assert list(LIMITS) == list(QUESTIONS)
    for question in QUESTIONS.values():
        assert "The value is" in question.asked
        assert question.failed.endswith(".")


# ---- the table ------------------------------------------------------------------------------------------------------


ROWS = [
    Row("basic", 0, "unbounded", 0.0, 0.0, True, 90, "Of 90 images, 0 were left."),
    Row("basic", 1, "half_step", math.nan, 0.66, False, 50, 'A "sentence", with signs.'),
    Row("resnet", 0, "beats_noise", 0.3, 0.14, False, 50, "Noise did."),
    Row("resnet", 1, "beats_noise", 0.3, 0.14, False, 50, "Noise did."),
    Row("deep", 0, "unbounded", 0.0, 0.0, True, 90, "Fine."),
]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "trust.csv").write_text(questions.as_csv(ROWS), encoding="utf-8")
    assert [repr(row) for row in questions.read(tmp_path / "trust.csv")] == [repr(row) for row in ROWS]


def test_failures_are_told_by_model_once() -> None:
    assert questions.failures(ROWS) == {"basic": "the step decides the change", "resnet": "noise does as well"}
    several = [ROWS[1], replace(ROWS[1], check="beats_noise"), *(replace(ROWS[1], images=0) for _ in range(2))]
    assert questions.failures(several) == {
        "basic": "the step decides the change, noise does as well, no image to check"
    }


@pytest.mark.parametrize("text", ["model,seed\na,1\n", "<html>", questions.as_csv(ROWS).replace("true", "yes")])
def test_what_is_no_table_of_checks_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "trust.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"trust\.csv is not a table of trust checks"):
        questions.read(tmp_path / "trust.csv")
    with pytest.raises(UserError, match=r"absent\.csv does not exist"):
        questions.read(tmp_path / "absent.csv")


def called(script: Any, spec: dict[str, Any], *flags: Any) -> None:
    script.main(script.arguments().parse_args(["--spec", json.dumps(spec), *map(str, flags)]))


def tabulated(checks: Sequence[Path], table: Path) -> None:
    """What the rule of the table of checks does, in this process."""
    flags = ["--checks", *map(str, checks), "--table", str(table)]
    write_table.main(write_table.arguments(trust).parse_args(flags))


def test_tables_of_models_are_joined_and_trust_is_refused_by_name_where_one_failed(tmp_path: Path) -> None:
    for name, rows in (("basic", ROWS[:2]), ("deep", ROWS[4:])):
        (tmp_path / f"{name}.csv").write_text(questions.as_csv(rows), encoding="utf-8")
    table = tmp_path / "trust.csv"
    passed = ("--page", "results/mnist/trust.html", "--passed", tmp_path / "passed.txt")
    tabulated([tmp_path / "basic.csv", tmp_path / "deep.csv"], table)
    sentence = r"mnist is not trustworthy: basic \(the step decides the change\)\. results/mnist/trust\.html says why"
    with pytest.raises(UserError, match=sentence):
        called(require_trust, {"dataset": "mnist"}, "--table", table, *passed)
    assert not (tmp_path / "passed.txt").exists()
    tabulated([tmp_path / "deep.csv"], table)
    called(require_trust, {"dataset": "mnist"}, "--table", table, *passed)
    assert (tmp_path / "passed.txt").read_text() == "All 1 trust checks of mnist passed.\n"
