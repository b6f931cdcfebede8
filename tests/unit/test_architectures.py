"""The architectures: the paper's counts, what a model returns, and weights on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustness.config.cross_checks import RESNET_PIXELS
from robustness.errors import UserError
from robustness.models.architectures import Block, ResNet, build, perceptron
from robustness.models.describe import operations, summarise
from robustness.models.image_shape import ImageShape
from robustness.models.weights import load, save
from robustness.storage.tensors import write_tensors

MNIST, CIFAR = ImageShape(1, 28, 28), ImageShape(3, 32, 32)
PERCEPTRON = {"family": "perceptron", "hidden": 6}
TINY = {"family": "resnet", "blocks": [1, 1, 1, 1], "filters": 2}
BASIC = {"family": "perceptron", "hidden": 50}
RESNET = {"family": "resnet", "blocks": [3, 5, 5, 3], "filters": 64}
DEEP = {"family": "resnet", "blocks": [3, 7, 7, 3], "filters": 128}


def made(architecture: dict[str, Any], image: ImageShape, classes: int = 10, seed: int = 0) -> nn.Module:
    """A model with random weights and random batch statistics, so that no layer is an identity by chance."""
    torch.manual_seed(seed)
    model = build(architecture, image, classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
    return model.eval()


def saved(path: Path, model: nn.Module, architecture: dict[str, Any], image: ImageShape, classes: int = 10) -> Path:
    shape = [image.channels, image.height, image.width]
    save(path, model, {"architecture": architecture, "image": shape, "classes": classes})
    return path


def logits(model: nn.Module, image: ImageShape) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return model(torch.rand(9, image.channels, image.height, image.width, generator=generator))


@pytest.mark.parametrize(
    ("architecture", "image", "parameters", "layers", "skip_connections", "gflops"),
    [
        (BASIC, MNIST, 39_760, None, 0, None),
        (RESNET, MNIST, 20_402_188, 123, 16, "1.87"),
        (RESNET, CIFAR, 20_403_344, 123, 16, "2.32"),
        (DEEP, CIFAR, 93_359_376, 151, 20, "11.7"),
    ],
    ids=["mnist basic", "mnist resnet", "cifar resnet", "cifar deep resnet"],
)
def test_the_published_networks_have_the_published_counts(
    architecture: dict[str, Any],
    image: ImageShape,
    parameters: int,
    layers: int | None,
    skip_connections: int,
    gflops: str | None,
) -> None:
    with torch.device("meta"):
        model = build(architecture, image, 10)
    summary = summarise(model, image)
    assert summary.parameters == parameters
    assert summary.skip_connections == skip_connections
    if layers is not None:
        assert summary.layers == layers
    if gflops is not None:
        assert f"{summary.gflops:.{len(gflops.split('.')[1])}f}" == gflops


@pytest.mark.parametrize(("architecture", "image"), [(PERCEPTRON, MNIST), (TINY, MNIST), (TINY, CIFAR)])
def test_a_model_returns_logits_and_no_probabilities(architecture: dict[str, Any], image: ImageShape) -> None:
    model = made(architecture, image)
    output = logits(model, image)
    assert output.shape == (9, 10)
    assert not any(isinstance(module, nn.Softmax | nn.LogSoftmax) for module in model.modules())
    assert (output < 0).any()
    assert not torch.allclose(output.sum(1), torch.ones(9), atol=1e-3)


def test_the_number_of_classes_is_the_width_of_the_output() -> None:
    assert logits(made(TINY, CIFAR, classes=3), CIFAR).shape == (9, 3)


def test_every_stage_doubles_the_filters_and_halves_the_image() -> None:
    shapes = [entry["shape"] for entry in operations(made(TINY, CIFAR), CIFAR) if entry["type"] == "Add"]
    assert shapes == [[2, 32, 32], [4, 16, 16], [8, 8, 8], [16, 4, 4]]


@pytest.mark.parametrize(("height", "width"), [(24, 24), (33, 33), (28, 64)])
def test_images_that_a_resnet_cannot_take_are_refused_with_their_size(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=rf"25 to 32 pixels .* these are {height}×{width}"):
        build(TINY, ImageShape(3, height, width), 10)


@pytest.mark.parametrize("side", [25, 32])
def test_a_resnet_takes_all_sizes_that_it_promises(side: int) -> None:
    assert logits(made(TINY, ImageShape(1, side, side)), ImageShape(1, side, side)).shape == (9, 10)


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'transformer'; known are perceptron, resnet and factory"):
        build({"family": "transformer"}, MNIST, 10)


@pytest.mark.parametrize(("architecture", "image"), [(PERCEPTRON, MNIST), (TINY, CIFAR)])
def test_a_model_that_was_saved_and_loaded_gives_identical_logits(
    tmp_path: Path, architecture: dict[str, Any], image: ImageShape
) -> None:
    model = made(architecture, image)
    loaded = load(saved(tmp_path / "weights", model, architecture, image))
    assert not loaded.training
    assert torch.equal(logits(loaded, image), logits(model, image))
    assert not torch.equal(logits(made(architecture, image, seed=1), image), logits(model, image))


def test_weights_in_channels_last_memory_are_saved_in_the_right_order(tmp_path: Path) -> None:
    model = made(TINY, CIFAR)
    path = saved(tmp_path / "weights", made(TINY, CIFAR).to(memory_format=torch.channels_last), TINY, CIFAR)
    assert torch.equal(logits(load(path), CIFAR), logits(model, CIFAR))


@pytest.mark.parametrize("length", [0, 4, 300, -100])
def test_a_damaged_file_is_named(tmp_path: Path, length: int) -> None:
    path = saved(tmp_path / "weights", made(TINY, CIFAR), TINY, CIFAR)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"weights is damaged .* delete it"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="weights does not exist"):
        load(tmp_path / "weights")


@pytest.mark.parametrize("architecture", [TINY, {"family": "perceptron", "hidden": 7}], ids=["names", "sizes"])
def test_weights_of_another_architecture_are_refused(tmp_path: Path, architecture: dict[str, Any]) -> None:
    path = saved(tmp_path / "weights", made(PERCEPTRON, CIFAR), architecture, CIFAR)
    with pytest.raises(UserError, match=rf"{path}.*delete it"):
        load(path)


def test_a_file_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    write_tensors(tmp_path / "images", {"images": torch.zeros(2).numpy()}, {"classes": ["a", "b"]})
    with pytest.raises(UserError, match=r"images .*delete it"):
        load(tmp_path / "images")


def test_operations_lists_layers_in_the_order_of_their_execution() -> None:
    found = operations(made({**TINY, "filters": 3}, MNIST), MNIST)
    listed = [(entry["name"], entry["type"], entry["shape"]) for entry in found]
    assert listed[:5] == [
        ("input", "Input", [1, 28, 28]),
        ("input_norm", "BatchNorm2d", [1, 28, 28]),
        ("conv", "Conv2d", [3, 28, 28]),
        ("relu", "ReLU", [3, 28, 28]),
        ("norm", "BatchNorm2d", [3, 28, 28]),
    ]
    second_stage = [entry for entry in listed if entry[0].startswith("stages.1.0.")]
    assert [name.rsplit(".", 1)[1] for name, _, _ in second_stage] == [
        "shortcut",
        "conv1",
        "relu1",
        "norm1",
        "conv2",
        "add",
        "relu2",
        "norm2",
    ]
    assert {tuple(shape) for _, _, shape in second_stage} == {(6, 14, 14)}
    assert [(kind, shape) for _, kind, shape in listed[-3:]] == [
        ("AvgPool2d", [24, 1, 1]),
        ("Flatten", [24]),
        ("Linear", [10]),
    ]


def test_operations_account_for_every_parameter_and_layer() -> None:
    model = made(TINY, CIFAR)
    found = operations(model, CIFAR)
    assert sum(entry["parameters"] for entry in found) == summarise(model, CIFAR).parameters
    assert len(found) == summarise(model, CIFAR).layers


def test_operations_leave_no_hooks_behind() -> None:
    model = made(PERCEPTRON, MNIST)
    operations(model, MNIST)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_block_adds_its_input() -> None:
    torch.manual_seed(0)
    model = ResNet(CIFAR, 10, [1, 0, 0, 0], 2)
    block = model.stages[0][0].eval()
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.rand(2, 2, 8, 8)
    assert torch.allclose(block(x), x / (1 + block.norm2.eps) ** 0.5 + block.norm2.bias.view(1, -1, 1, 1))


def test_an_untrained_block_lets_its_input_pass_nearly_unchanged() -> None:
    torch.manual_seed(0)
    block = Block(8, 8, stride=1).eval()
    x = torch.rand(2, 8, 8, 8)
    assert (block(x) - 1 - x).abs().max() < 0.2


def test_the_perceptron_is_one_hidden_layer_of_relu() -> None:
    torch.manual_seed(0)
    model = perceptron(MNIST, 10, 5)
    x = torch.rand(3, 1, 28, 28)
    hidden = (x.flatten(1) @ model[1].weight.T + model[1].bias).clamp_min(0)
    assert torch.allclose(model(x), hidden @ model[3].weight.T + model[3].bias, atol=1e-6)


def test_a_resnet_takes_the_sizes_that_a_configuration_is_held_to() -> None:
    for pixels in range(20, 40):
        image = ImageShape(1, pixels, pixels)
        if pixels in RESNET_PIXELS:
            build(TINY | {"filters": 1}, image, 2)
        else:
            with pytest.raises(ValueError, match="25 to 32"):
                build(TINY | {"filters": 1}, image, 2)
