"""Training: that it learns, that it can be killed and resumed, and how it fails."""

from __future__ import annotations

import itertools
import logging
import math
import os
import signal
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from flipped_bits import flips
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from robustness.attacks.autoattack import bounds
from robustness.compute import compilation
from robustness.errors import UserError
from robustness.models.architectures import build
from robustness.models.image_shape import ImageShape
from robustness.runtime import preemption
from robustness.storage.columns.bounded import NOTHING
from robustness.training import checkpoint, loop
from robustness.training.checkpoint import Epoch
from robustness.training.loop import Images, Recipe, evaluate, learning_rate, train

SHAPE = ImageShape(1, 28, 28)
PERCEPTRON = {"family": "perceptron", "hidden": 8}
RESNET = {"family": "resnet", "blocks": [1, 1, 1, 1], "filters": 2}
RECIPE = Recipe(epochs=4, batch_size=10, learning_rate=0.01, weight_decay=0.01, optimiser="adamw", augmentation=None)
NOISE = {"kind": "gaussian_noise", "sigma": 0.2}
ATTACKED = {"ball": "linf", "epsilon": 0.1, "step_size": 0.04, "pgd_steps": 5}


def halves(count: int, seed: int = 0) -> Images:
    """Two classes that differ in which half of a noisy image is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 100, (count, 1, 28, 28), generator=generator)
    for row, label in enumerate(labels.tolist()):
        pixels[row, :, :, 14 * label : 14 * label + 14] += 100
    return Images(pixels.to(torch.uint8), labels)


def model_of(architecture: dict[str, Any] = PERCEPTRON, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(architecture, SHAPE, 2)


def trained(
    model: nn.Module, checkpoint: Path, recipe: Recipe = RECIPE, key: str = "key", seed: int = 3
) -> list[Epoch]:
    return train(
        model, halves(40), halves(20, seed=1), recipe, seed=seed, title="Basic (noisy)", checkpoint=checkpoint, key=key
    )


def timeless(history: list[Epoch]) -> list[Epoch]:
    return [replace(line, seconds=0.0) for line in history]


def equal(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(name == other and torch.equal(value, found) for (name, value), (other, found) in pairs)


class Killed(Exception):
    """Stands for the end of a process."""


def kill_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training die in the middle of the epoch after so many finished ones."""
    evaluations = itertools.count()
    original = loop.evaluate

    def dying(*arguments: Any) -> Any:
        if next(evaluations) == epochs:
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(loop, "evaluate", dying)


# --- learning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_the_loss_falls_and_separable_classes_are_told_apart(tmp_path: Path, optimiser: str) -> None:
    model = model_of()
    history = trained(model, tmp_path / "checkpoint", replace(RECIPE, optimiser=optimiser))
    assert [line.epoch for line in history] == [1, 2, 3, 4]
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    assert history[-1].validation_accuracy == 1
    assert evaluate(model, halves(20, seed=1)).loss == history[-1].validation_loss


def test_noisy_training_differs_from_clean_training_and_from_itself_without_noise(tmp_path: Path) -> None:
    clean, noisy, silent = model_of(), model_of(), model_of()
    trained(clean, tmp_path / "clean")
    trained(noisy, tmp_path / "noisy", replace(RECIPE, augmentation=NOISE))
    trained(silent, tmp_path / "silent", replace(RECIPE, augmentation={**NOISE, "sigma": 0.0}))
    assert not equal(clean, noisy)
    assert not equal(silent, noisy)


def test_a_network_that_trains_on_attacked_images_withstands_more_than_its_clean_twin(tmp_path: Path) -> None:
    images = halves(40, seed=2)
    pixels, labels = images.batch(torch.arange(40))
    withstood = []
    for adversarial in (None, ATTACKED):
        model = model_of()
        trained(model, tmp_path / "checkpoint", replace(RECIPE, epochs=30, learning_rate=0.03, adversarial=adversarial))
        (tmp_path / "checkpoint").unlink()
        assert evaluate(model, images).accuracy == 1
        found = bounds(model.requires_grad_(False), pixels, labels, "linf", [0.15], ["apgd-ce"], targets=1)
        withstood.append(found.decided_by[0].count(NOTHING))
    clean, adversarial = withstood
    assert adversarial > clean + 10


def test_attacked_images_leave_no_trace_in_the_statistics_of_batch_norms(tmp_path: Path) -> None:
    once, often = model_of(RESNET), model_of(RESNET)
    silent = {"ball": "l2", "epsilon": 1e-9, "step_size": 1e-9}
    for model, steps in ((once, 1), (often, 4)):
        recipe = replace(RECIPE, epochs=1, adversarial={**silent, "pgd_steps": steps})
        trained(model, tmp_path / f"checkpoint{steps}", recipe)
    name = "stages.0.0.norm1.running_mean"
    assert torch.allclose(once.state_dict()[name], often.state_dict()[name], atol=1e-5)
    assert once.training == often.training


def test_noise_is_drawn_anew_in_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    original = loop.augment

    def noting(*arguments: Any) -> torch.Tensor:
        seen.append(original(*arguments))
        return seen[-1]

    monkeypatch.setattr(loop, "augment", noting)
    trained(model_of(), tmp_path / "checkpoint", replace(RECIPE, batch_size=40, epochs=2, augmentation=NOISE))
    first, second = (sorted(batch.flatten(1).sum(1).tolist()) for batch in seen)
    assert first != second


def test_the_seed_decides_the_order_of_the_images(tmp_path: Path) -> None:
    first, again, other = model_of(), model_of(), model_of()
    trained(first, tmp_path / "first", seed=3)
    trained(again, tmp_path / "again", seed=3)
    trained(other, tmp_path / "other", seed=4)
    assert equal(first, again)
    assert not equal(first, other)


def test_fewer_images_than_a_batch_are_one_batch(tmp_path: Path) -> None:
    history = trained(model_of(), tmp_path / "checkpoint", replace(RECIPE, batch_size=1000))
    assert len(history) == 4
    assert history[-1].train_loss != history[0].train_loss


def test_evaluation_gives_the_same_whatever_the_batch_size() -> None:
    model, images = model_of(RESNET), halves(20)
    whole, parts = evaluate(model, images), evaluate(model, images, batch_size=3)
    assert torch.allclose(whole.logits, parts.logits, atol=1e-5)
    assert not model.training
    predictions = whole.logits.argmax(1)
    assert whole.accuracy == pytest.approx(float((predictions == images.labels).sum()) / 20)


# --- learning rate and weight decay ----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_the_learning_rate_starts_low_peaks_after_a_fifth_and_ends_near_zero(steps: int) -> None:
    rates = [learning_rate(step, steps, 0.3) for step in range(steps)]
    assert rates[0] == pytest.approx(0.3 / (steps / 5))
    assert max(rates) == pytest.approx(0.3)
    assert rates.index(max(rates)) in (steps // 5 - 1, steps // 5)
    assert rates[-1] < 0.3 * 0.06
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_training_has_a_learning_rate(steps: int) -> None:
    assert all(0 < learning_rate(step, steps, 0.3) <= 0.3 for step in range(steps))


def test_training_follows_the_schedule_over_all_epochs(tmp_path: Path) -> None:
    history = trained(model_of(), tmp_path / "checkpoint")
    assert [line.learning_rate for line in history] == [learning_rate(last, 16, 0.01) for last in (3, 7, 11, 15)]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_weight_decay_shrinks_matrices_and_kernels_but_no_biases_and_norms(optimiser: str) -> None:
    model = model_of(RESNET)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    step = loop.optimiser_of(model, replace(RECIPE, optimiser=optimiser, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    step.step()
    shrunk = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    matrices = {name for name, parameter in before.items() if parameter.ndim in (2, 4)}
    assert shrunk == matrices
    assert "stages.0.0.norm1.weight" not in shrunk
    assert "dense.bias" not in shrunk


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_killed_training_on_attacked_images_goes_on_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, adversarial=ATTACKED)
    undisturbed, resumed = model_of(), model_of(seed=99)
    trained(undisturbed, tmp_path / "undisturbed", recipe)
    with monkeypatch.context() as patched:
        ask_after(6, patched)  # in the second epoch
        with preemption.noticed(), pytest.raises(preemption.Interrupted):
            trained(model_of(), tmp_path / "checkpoint", recipe)
    trained(resumed, tmp_path / "checkpoint", recipe)
    assert equal(resumed, undisturbed)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("architecture", [PERCEPTRON, RESNET], ids=["perceptron", "resnet"])
def test_a_killed_training_goes_on_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: dict[str, Any], optimiser: str
) -> None:
    recipe = replace(RECIPE, augmentation=NOISE, optimiser=optimiser)
    undisturbed, killed, resumed = model_of(architecture), model_of(architecture), model_of(architecture, seed=99)
    history = trained(undisturbed, tmp_path / "undisturbed", recipe)
    with monkeypatch.context() as patched:
        kill_after(2, patched)
        with pytest.raises(Killed):
            trained(killed, tmp_path / "checkpoint", recipe)
    assert timeless(trained(resumed, tmp_path / "checkpoint", recipe)) == timeless(history)
    assert equal(resumed, undisturbed)
    assert not equal(resumed, killed)


def ask_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process be asked to end during the step after so many finished ones."""
    taken = itertools.count()
    original = loop.learning_rate

    def asking(*arguments: Any) -> float:
        if next(taken) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    monkeypatch.setattr(loop, "learning_rate", asking)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("architecture", [PERCEPTRON, RESNET], ids=["perceptron", "resnet"])
def test_a_training_that_is_asked_to_end_again_and_again_repeats_no_step_and_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: dict[str, Any], optimiser: str
) -> None:
    recipe = replace(RECIPE, augmentation=NOISE, optimiser=optimiser)
    undisturbed, last = model_of(architecture), model_of(architecture, seed=99)
    history = trained(undisturbed, tmp_path / "undisturbed", recipe)
    stops = []
    for steps in (1, 1, 3, 2):  # of 16
        with monkeypatch.context() as patched, preemption.noticed():
            ask_after(steps - 1, patched)
            with pytest.raises(preemption.Interrupted, match=r"Basic \(noisy\), (.*): stopped by SIGTERM") as caught:
                trained(model_of(architecture, seed=99 if stops else 0), tmp_path / "checkpoint", recipe)
            stops.append(str(caught.value).split(":")[0].removeprefix("Basic (noisy), "))
    assert stops == [
        "step 1 of 4 of epoch 1",
        "step 2 of 4 of epoch 1",
        "step 1 of 4 of epoch 2",
        "step 3 of 4 of epoch 2",
    ]
    assert timeless(trained(last, tmp_path / "checkpoint", recipe)) == timeless(history)
    assert equal(last, undisturbed)


def test_at_the_end_of_an_epoch_a_training_stops_after_evaluating_it_and_at_the_very_end_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, preemption.noticed():
        ask_after(3, patched)
        with pytest.raises(preemption.Interrupted, match="after epoch 1 of 4"):
            trained(model_of(), tmp_path / "checkpoint")
    with monkeypatch.context() as patched, preemption.noticed():
        ask_after(11, patched)
        assert len(trained(model_of(), tmp_path / "checkpoint")) == 4


def test_a_resumed_training_repeats_no_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_after(2, monkeypatch)
    with pytest.raises(Killed):
        trained(model_of(), tmp_path / "checkpoint")
    monkeypatch.undo()
    epochs: list[int] = []
    original = loop.train_epoch

    def noting(*arguments: Any) -> tuple[float, float]:
        epochs.append(arguments[7])
        return original(*arguments)

    monkeypatch.setattr(loop, "train_epoch", noting)
    trained(model_of(), tmp_path / "checkpoint")
    assert epochs == [2, 3]


def test_a_checkpoint_of_other_settings_is_not_used(tmp_path: Path) -> None:
    fresh, after = model_of(), model_of()
    trained(model_of(seed=5), tmp_path / "checkpoint", key="old")
    history = trained(after, tmp_path / "checkpoint", key="new")
    assert timeless(history) == timeless(trained(fresh, tmp_path / "none"))
    assert equal(after, fresh)


@pytest.mark.parametrize("length", [0, 2, 100, 3000, -1])
def test_a_truncated_checkpoint_is_not_fatal(tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int) -> None:
    checkpoint = tmp_path / "checkpoint"
    trained(model_of(), checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:length])
    with caplog.at_level(logging.WARNING):
        assert len(trained(model_of(), checkpoint)) == 4
    assert f"{checkpoint} cannot be read" in caplog.text


def test_a_checkpoint_with_a_flipped_bit_is_not_used_or_is_as_it_was_saved(tmp_path: Path) -> None:
    source, path = model_of(), tmp_path / "checkpoint"
    history = trained(source, path)
    unused = 0
    for bit in flips(path):
        model = model_of(seed=5)
        found, _begun = checkpoint.resume(model, loop.optimiser_of(model, RECIPE), path, "key")
        if found:
            assert timeless(found) == timeless(history), bit
            assert equal(model, source), bit
        else:
            unused += 1
    assert unused > 150


@pytest.mark.parametrize("content", [b"\0" * 500, b"no checkpoint", b"PK\3\4 nor this"])
def test_a_checkpoint_that_is_none_is_not_fatal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint").write_bytes(content)
    model, fresh = model_of(), model_of()
    trained(model, tmp_path / "checkpoint")
    trained(fresh, tmp_path / "none")
    assert equal(model, fresh)


def test_a_full_disk_is_reported_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    (tmp_path / "full").symlink_to("/dev/full")  # a link, lest a writer that cleans up removes the device
    monkeypatch.setattr(checkpoint, "replacing", lambda _: nullcontext(tmp_path / "full"))
    with pytest.raises(OSError, match="No space left"):
        trained(model_of(), tmp_path / "checkpoint")


def test_a_checkpoint_that_takes_long_to_write_is_not_written_after_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))  # each look takes a second
    saved: list[int] = []
    original = loop.save

    def noting(model: nn.Module, optimiser: Any, history: list[Epoch], *rest: Any) -> float:
        saved.append(len(history))
        return original(model, optimiser, history, *rest)

    monkeypatch.setattr(loop, "save", noting)
    trained(model_of(), tmp_path / "checkpoint", replace(RECIPE, epochs=30))
    assert saved[0] == 1
    assert 1 < len(saved) < 16
    saved.clear()
    monkeypatch.setattr(checkpoint, "_LONG_SAVE", 2.0)
    trained(model_of(), tmp_path / "other", replace(RECIPE, epochs=30))
    assert saved == list(range(1, 31))


# --- a GPU that does not wait ----------------------------------------------------------------------------------------


class Waits(TorchDispatchMode):
    """Counts the operations at which a GPU would have to finish first: values that Python reads, sizes that depend on
    values, numbers that come from Python as new tensors."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "lift_fresh")

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        rows = args[1] if name in ("index", "index_put_") else []
        masked = any(each is not None and each.dtype == torch.bool for each in rows)
        if name in self.NAMES or masked:
            self.found[name] += 1
        return func(*args, **kwargs or {})


AFFINE = {"kind": "affine", "rotation": 10, "shift": 0.1, "shear": 5, "zoom": 0.1, "flip": True}


def waits(tmp_path: Path, batch_size: int, architecture: dict[str, Any], changed: dict[str, Any]) -> Counter[str]:
    recipe = replace(RECIPE, epochs=1, batch_size=batch_size, **changed)
    with Waits() as counted:
        trained(model_of(architecture), tmp_path / f"checkpoint-{batch_size}", recipe)
    return counted.found


@pytest.mark.parametrize("augmentation", [None, NOISE, AFFINE], ids=["clean", "noise", "affine"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_more_steps_make_a_gpu_wait_no_more_often(
    tmp_path: Path, optimiser: str, augmentation: dict[str, Any] | None
) -> None:
    changed = {"optimiser": optimiser, "augmentation": augmentation}
    few, many = (waits(tmp_path, size, RESNET, changed) for size in (20, 4))
    assert few["_local_scalar_dense"] > 0  # at the end of the epoch
    assert many == few


@pytest.mark.parametrize(
    "waiting",
    [
        lambda pixels: pixels * pixels.max().item(),
        lambda pixels: pixels * torch.tensor(0.5),
        lambda pixels: pixels if pixels.sum() > 0 else -pixels,
        lambda pixels: pixels[torch.ones(len(pixels), dtype=torch.bool)],
    ],
    ids=["item", "tensor", "if", "mask"],
)
def test_a_step_that_made_a_gpu_wait_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: Any
) -> None:
    monkeypatch.setattr(loop, "augment", lambda pixels, *_: waiting(pixels))
    few, many = (waits(tmp_path, size, PERCEPTRON, {"augmentation": NOISE}) for size in (20, 4))
    assert sum((many - few).values()) == 8  # 10 steps and 2


# --- precision -------------------------------------------------------------------------------------------------------


class Complex(nn.Module):
    """A network that computes with complex numbers on its way, of which there are none in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        real, imaginary = self.norm(self.first(x)).mean((2, 3)), self.first(x).mean((2, 3))
        logits: torch.Tensor = self.last(torch.complex(real, imaginary).abs())
        return logits


@pytest.fixture
def _bfloat16_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for bfloat16 on the CPU, too."""
    monkeypatch.setattr(loop, "precision", lambda device: torch.bfloat16)


@pytest.mark.usefixtures("_bfloat16_wanted")
def test_a_network_that_fails_in_bfloat16_is_trained_in_float32_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    network = Complex()
    with caplog.at_level(logging.WARNING):
        history = trained(network, tmp_path / "a")
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("the network fails in bfloat16 (")
    assert said.endswith("): it is trained in float32")
    assert len(history) == RECIPE.epochs


def test_the_trial_of_a_precision_changes_nothing_of_what_is_trained() -> None:
    torch.manual_seed(0)
    tried = Complex()
    before = {name: value.clone() for name, value in tried.state_dict().items()}
    assert loop.bearable(tried, torch.rand(4, 1, 12, 12), torch.bfloat16) == torch.float32
    assert all(torch.equal(value, before[name]) for name, value in tried.state_dict().items())
    assert all(parameter.grad is None for parameter in tried.parameters())


@pytest.mark.usefixtures("_bfloat16_wanted")
def test_a_network_that_can_is_trained_in_bfloat16(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: set[torch.dtype] = set()
    network = model_of()
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda layer, given, out: seen.add(out.dtype) if layer.training else None)
    with caplog.at_level(logging.WARNING):
        trained(network, tmp_path / "a")
    assert torch.bfloat16 in seen
    assert not caplog.records


def test_on_a_cpu_training_is_in_float32() -> None:
    assert loop.precision(CPU) == torch.float32
    assert loop.precision(GPU) == torch.bfloat16


# --- compiled --------------------------------------------------------------------------------------------------------

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def test_by_default_only_a_long_training_on_a_gpu_is_compiled() -> None:
    long, short = compilation.PAYS_FROM, compilation.PAYS_FROM / 2
    assert compilation.mode_for("auto", GPU, long) == "default"
    assert compilation.mode_for("auto", GPU, short) is None
    assert compilation.mode_for("auto", CPU, long) is None
    assert compilation.mode_for("no", GPU, long) is None
    assert compilation.mode_for("reduce-overhead", CPU, short) == "reduce-overhead"
    with pytest.raises(UserError, match="'yes' is not a way to compile; known are auto, no, default"):
        compilation.mode_for("yes", GPU, long)


def test_the_flop_of_training_are_those_that_pytorch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    from robustness.models.describe import summarise

    model = model_of({**RESNET, "filters": 8})
    expected = loop.flop_per_image(summarise(model, SHAPE).gflops)
    with FlopCounterMode(display=False) as counter:
        model.train()(torch.rand(2, 1, 28, 28)).sum().backward()
    # The first layer's images need no gradients.
    assert 0.97 * expected < counter.get_total_flops() / 2 <= expected


@pytest.mark.parametrize("architecture", [PERCEPTRON, RESNET], ids=["perceptron", "resnet"])
def test_a_network_that_is_traced_for_compilation_trains_as_it_does_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: dict[str, Any]
) -> None:
    """The compiler's first half, which needs no compiler for the machine: the traced operations run one by one."""
    original = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda model, mode, **options: original(model, backend="aot_eager", **options)
    )
    recipe = replace(RECIPE, augmentation=NOISE, epochs=2)
    plain, traced = model_of(architecture), model_of(architecture)
    expected = trained(plain, tmp_path / "plain", recipe)
    found = train(
        *(traced, halves(40), halves(20, seed=1), recipe),
        **{"seed": 3, "title": "", "checkpoint": tmp_path / "traced", "key": "", "compile_mode": "default"},
    )
    for line, other in zip(found, expected, strict=True):
        assert line.train_loss == pytest.approx(other.train_loss, rel=1e-3)
    for (name, value), other in zip(traced.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.allclose(value, other, rtol=1e-2, atol=1e-3), name


@pytest.mark.slow
def test_a_compiled_network_trains_as_it_does_otherwise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain, fast = model_of(), model_of()
    expected = trained(plain, tmp_path / "plain")
    with caplog.at_level(logging.INFO):
        found = train(
            *(fast, halves(40), halves(20, seed=1), RECIPE),
            **{"seed": 3, "title": "", "checkpoint": tmp_path / "fast", "key": "", "compile_mode": "default"},
        )
    if "torch.compile fails here" in caplog.text:
        pytest.skip("this machine has no compiler that torch.compile can use")
    assert "the network is compiled (mode default)" in caplog.text
    assert found[-1].train_loss == pytest.approx(expected[-1].train_loss, rel=1e-3)


def test_where_compiling_fails_the_network_is_trained_as_it_is_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(model: nn.Module, **_: Any) -> Any:
        def call(pixels: torch.Tensor) -> torch.Tensor:
            model(pixels)  # changes batch norm's averages before it fails
            raise RuntimeError("no compiler found\nand much more")

        return call

    monkeypatch.setattr(torch, "compile", failing)
    plain, tried = model_of(RESNET), model_of(RESNET)
    trained(plain, tmp_path / "plain")
    train(
        *(tried, halves(40), halves(20, seed=1), RECIPE),
        **{"seed": 3, "title": "", "checkpoint": tmp_path / "tried", "key": "", "compile_mode": "default"},
    )
    assert "torch.compile fails here (no compiler found): the network is trained uncompiled" in caplog.text
    assert equal(tried, plain)


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_model_the_epoch_and_the_learning_rate(tmp_path: Path) -> None:
    model = model_of()
    with torch.no_grad():
        model[1].weight[0, 0] = math.inf
    with pytest.raises(UserError) as caught:
        trained(model, tmp_path / "checkpoint")
    assert all(word in str(caught.value) for word in ("Basic (noisy)", "epoch 1", "learning_rate", "0.01"))
    assert not (tmp_path / "checkpoint").exists()


def test_validation_images_that_alone_are_answered_with_nan_are_named(tmp_path: Path) -> None:
    class Standardising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)

    validation = halves(20, seed=1)
    validation.pixels[[2, 5]] = 90
    model, options = nn.Sequential(Standardising(), model_of()), {"seed": 3, "title": "Basic", "key": "key"}
    with pytest.raises(UserError, match=r"Basic: the network answers validation images 2, 5 with NaN .*deviation of 0"):
        train(model, halves(40), validation, RECIPE, checkpoint=tmp_path / "checkpoint", **options)


def test_a_learning_rate_that_is_far_too_large_is_reported(tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=1e30, optimiser="sgd")
    with pytest.raises(UserError, match=r"Basic \(noisy\) diverged in epoch 1 .*1e\+30"):
        trained(model_of(), tmp_path / "checkpoint", recipe)


def test_weights_that_the_very_last_step_ruins_are_reported(tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=1e38, optimiser="sgd", epochs=1, batch_size=40)
    with pytest.raises(UserError, match="diverged in epoch 1"):
        trained(model_of(), tmp_path / "checkpoint", recipe)
