"""How many images fit into a device's memory, with a pretended GPU."""

from __future__ import annotations

import pytest
import torch

from robustness.attacks import batch_size
from robustness.attacks.batch_size import CPU_BATCH, LARGEST_BATCH, batch_size_for, fitting_batch_size
from robustness.attacks.spec import AttackSpec
from robustness.models.architectures import build
from robustness.models.frozen import frozen
from robustness.models.image_shape import ImageShape

SPEC = AttackSpec("probability", "sign", alpha=0.01, confidence=0.9, max_iterations=10)


@pytest.mark.parametrize(
    ("free", "per_image", "expected"),
    [(1000, 1, 512), (1e12, 1, LARGEST_BATCH), (1000, 100, 8), (1000, 2000, 1), (0, 10, 1), (1000, 0, 512)],
)
def test_batches_are_powers_of_two_that_leave_a_fifth_of_the_memory(
    free: float, per_image: float, expected: int
) -> None:
    assert batch_size_for(free, per_image) == expected


def test_on_a_cpu_the_batch_of_small_images_is_fixed() -> None:
    model = frozen(build({"family": "perceptron", "hidden": 8}, ImageShape(1, 6, 6), 3), torch.device("cpu"))
    assert fitting_batch_size(model, (1, 6, 6), SPEC, torch.device("cpu")) == CPU_BATCH


@pytest.mark.parametrize(("images", "expected"), [(1.1, 1), (4.1, 4), (3.9, 2), (32.1, 32), (1000, CPU_BATCH)])
def test_on_a_cpu_a_batch_keeps_no_more_than_its_share_of_memory(
    images: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    kept = 4 * (64 * 64 * (3 + 8) + 8)  # bytes: what the convolution gets, what the ReLU returns, and the logits
    monkeypatch.setattr(batch_size, "CPU_MEMORY", images * kept / batch_size._SHARE)
    model = frozen(network, torch.device("cpu"))
    assert fitting_batch_size(model, (3, 64, 64), SPEC, torch.device("cpu")) == expected


def test_a_network_that_divides_by_an_images_own_deviation_is_probed_too() -> None:
    class Standardising(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            flat = x.flatten(1)
            return ((flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True))[:, :3]

    model = frozen(Standardising(), torch.device("cpu"))
    assert fitting_batch_size(model, (1, 6, 6), SPEC, torch.device("cpu")) == CPU_BATCH


def test_on_a_gpu_two_probes_tell_what_an_image_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[int] = []
    monkeypatch.setattr(batch_size, "reward_gradient", lambda _, x, *__: probed.append(len(x)))
    monkeypatch.setattr(batch_size, "_images", lambda count, shape, _: torch.empty(count, *shape))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 5_000_000 + 100_000 * probed[-1])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (40_000_000, 80_000_000))
    model = build({"family": "perceptron", "hidden": 8}, ImageShape(1, 6, 6), 3)
    assert fitting_batch_size(model, (1, 6, 6), SPEC, torch.device("cuda")) == 256  # 320 fit
    assert probed == [8, 24]
