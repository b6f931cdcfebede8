"""The report's architectures, as PyTorch modules that take pixels in [0, 1] and return logits.

Reads and writes weights (safetensors), also those of the user's own networks (`models.user_models`). Exists so that
training, evaluation, attack and the architecture figures share one definition. The layer, skip-connection and parameter
counts that the report prints (its sections 1.1 and 1.2) are reproduced exactly at full width;
`tests/unit/test_architectures.py` asserts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustness.errors import UserError
from robustness.models import user_models
from robustness.models.wrapper import Normalise, OwnModel
from robustness.storage.files import read_metadata, read_tensors, write_tensors


@dataclass(frozen=True)
class ImageShape:
    """Shape of one image: channels, height and width in pixels."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Summary:
    """What a model is, counted on the module itself.

    `layers` counts as Keras does, which is how the report counts: the input, every operation that is a layer of its
    own (activations, additions and the flattening included), and the dense layer with its softmax as one. Of the user's
    own networks only the operations that are modules count, and skip connections, which are none, are not known.
    """

    parameters: int
    layers: int
    skip_connections: int | None
    gflops: float


class Add(nn.Module):
    """Element-wise sum of the residual branch and the shortcut; a module so that it counts as a layer.

    In place, as are the ReLUs: what they overwrite is needed by no backward pass, and memory is what bounds them.
    """

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        return residual.add_(shortcut)


class Block(nn.Module):
    """3×3 conv → ReLU → batch norm → 3×3 conv → add the shortcut → ReLU → batch norm (report, Fig. 3).

    The shortcut is the identity, or a 1×1 convolution of the same stride where the block halves the image.

    A block starts near the identity: its second convolution is small, and its last batch norm shifted upwards, so that
    the next block's ReLU lets most of the sum pass. The report gives no initial weights. Without this the deep network
    hardly trains in few epochs: two epochs of 10,000 CIFAR-10 images took it to 0.39, with it to 0.49.
    """

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1)
        self.relu1 = nn.ReLU(inplace=True)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, filters, 1, stride) if stride != 1 else None
        self.add = Add()
        self.relu2 = nn.ReLU(inplace=True)
        self.norm2 = nn.BatchNorm2d(filters)
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)
            self.norm2.bias.fill_(1.0)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        residual = self.conv2(self.norm1(self.relu1(self.conv1(x))))
        return self.norm2(self.relu2(self.add(residual, shortcut)))


class ResNet(nn.Module):
    """The report's residual network: `filters`, 2·, 4·, 8·`filters` channels in four stages of `blocks` blocks.

    Input (N, channels, H, W) with H and W that three halvings bring to 4 (25 to 32 pixels); output (N, classes).
    """

    def __init__(self, image: ImageShape, classes: int, blocks: Sequence[int], filters: int) -> None:
        super().__init__()
        if _halved(image.height, 3) != 4 or _halved(image.width, 3) != 4:
            raise ValueError(
                f"a resnet ends in an average over 4×4 positions, so its images must be 25 to 32 pixels high and "
                f"wide; these are {image.height}×{image.width}"
            )
        self.input_norm = nn.BatchNorm2d(image.channels)
        self.conv = nn.Conv2d(image.channels, filters, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(filters)
        stages: list[nn.Module] = []
        channels = filters
        for stage, count in enumerate(blocks):
            width = filters * 2**stage
            first_stride = 1 if stage == 0 else 2
            stages.append(
                nn.Sequential(
                    *(
                        Block(channels if index == 0 else width, width, first_stride if index == 0 else 1)
                        for index in range(count)
                    )
                )
            )
            channels = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AvgPool2d(4)
        self.flatten = nn.Flatten()
        self.dense = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.relu(self.conv(self.input_norm(x))))
        return self.dense(self.flatten(self.pool(self.stages(x))))


def _halved(length: int, times: int) -> int:
    for _ in range(times):
        length = (length + 1) // 2
    return length


def perceptron(image: ImageShape, classes: int, hidden: int) -> nn.Sequential:
    """The report's basic classifier (Fig. 2): flattened pixels → `hidden` ReLU units → logits."""
    pixels = image.channels * image.height * image.width
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, classes))


def build(architecture: dict[str, Any], image: ImageShape, classes: int) -> nn.Module:
    """The untrained module that an entry of `architectures:` in the configuration describes.

    Initial weights come from torch's global random state, so callers seed it first (`torch.manual_seed`).
    Raises `ValueError` for an unknown family or images that the family cannot take, and what `factories.built` does.
    """
    match architecture["family"]:
        case "factory":
            return user_models.checked(user_models.built(architecture, image), architecture, image, classes)
        case "perceptron":
            return perceptron(image, classes, architecture["hidden"])
        case "resnet":
            return ResNet(image, classes, architecture["blocks"], architecture["filters"])
    family = architecture["family"]
    raise ValueError(f"unknown architecture family '{family}'; known are perceptron, resnet and factory")


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """`model` itself on `device`, with its weights in `memory_format`, in which convolutions are fastest there."""
    return model.to(device).to(memory_format=memory_format(model))


def memory_format(model: nn.Module) -> torch.memory_format:
    """How images lie best in memory for `model`: channels last where it convolves and can take them so."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if isinstance(model, OwnModel):
        convolves = model.channels_last
    return torch.channels_last if convolves else torch.contiguous_format


def _device(model: nn.Module) -> torch.device:
    """Where a model's tensors are; on the CPU where it has none."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device


def leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The model's layers in the order of their definition: (dotted name, module) for modules without children."""
    return [(name, module) for name, module in model.named_modules() if not any(module.children())]


def summarise(model: nn.Module, image: ImageShape) -> Summary:
    """Count a model's trainable parameters, layers, skip connections and GFLOP per image (one forward pass).

    FLOP are counted by PyTorch over matrix multiplications and convolutions, a multiply-add as two. A model on the
    `meta` device will do, and costs neither memory nor time. Leaves the model in evaluation mode.
    """
    from torch.utils.flop_counter import FlopCounterMode

    own = model.network if isinstance(model, OwnModel) else None
    modules = [module for _, module in leaves(model if own is None else own)]
    counter = FlopCounterMode(display=False)
    # With gradients: without, attention takes a fused path that the counter does not know.
    with counter, torch.enable_grad():
        model.eval()(torch.zeros(1, image.channels, image.height, image.width, device=_device(model)))
    return Summary(
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        layers=1 + len(modules),
        skip_connections=None if own is not None else sum(isinstance(module, Add) for module in modules),
        gflops=counter.get_total_flops() / 1e9,
    )


def save(path: Path, model: nn.Module, metadata: dict[str, Any]) -> None:
    """Write a model's weights and `metadata` (see `load`) to a safetensors file."""
    state = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in model.state_dict().items()}
    write_tensors(path, state, metadata)


def classes(path: Path) -> int:
    """The number of classes of the model that `save` wrote."""
    return int(read_metadata(path)["classes"])


def load(path: Path) -> nn.Module:
    """The model that `save` wrote, in evaluation mode on the CPU; its metadata says how to build it.

    Files below the results are trusted as far as the report's architectures; a factory is run only when the
    configuration names it too (`factories.allowed`).

    Raises `UserError` when the file is missing, damaged or does not fit the architecture that it names.
    """
    metadata = read_metadata(path)
    if not {"architecture", "image", "classes"} <= metadata.keys():
        raise UserError(f"{path} holds no network: delete it and rerun, or name a file that train_model.py wrote")
    architecture, image = metadata["architecture"], ImageShape(*metadata["image"])
    model: nn.Module
    if architecture["family"] == "factory":
        user_models.allowed(architecture, path)
        model = user_models.built(architecture, image)  # checked when the weights were made
    else:
        model = build(architecture, image, metadata["classes"])
    names = list(model.state_dict())
    state = {name: torch.from_numpy(array) for name, array in zip(names, read_tensors(path, *names), strict=True)}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} does not hold the network that it names ({reason}): delete it and rerun") from None
    return model.eval()


def operations(model: nn.Module, image: ImageShape) -> list[dict[str, Any]]:
    """The layers in the order of their execution, for drawing.

    Each has its name, type, label, output shape and parameters, and the types of the modules that it is `inside` of.
    """
    found: list[dict[str, Any]] = [
        {
            "name": "input",
            "type": "Input",
            "label": "input",
            "shape": [image.channels, image.height, image.width],
            "parameters": 0,
            "inside": [],
        }
    ]

    kinds = {name: type(module).__name__ for name, module in model.named_modules()}

    def note(name: str, module: nn.Module, output: Tensor | tuple[Any, ...]) -> None:
        tensor = output[0] if isinstance(output, tuple) else output  # recurrent layers return their state as well
        parts = name.split(".")
        found.append(
            {
                "name": name,
                "type": type(module).__name__,
                "label": _label(module),
                "shape": list(tensor.shape[1:]),
                "parameters": sum(parameter.numel() for parameter in module.parameters()),
                "inside": [kinds[".".join(parts[:end])] for end in range(1, len(parts))],
            }
        )

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
        for name, module in leaves(model)
    ]
    with torch.enable_grad():
        model.eval()(torch.zeros(1, image.channels, image.height, image.width, device=_device(model)))
    for hook in hooks:
        hook.remove()
    return found


def _label(module: nn.Module) -> str:
    match module:
        case nn.Conv2d():
            stride = f", stride {module.stride[0]}" if module.stride[0] != 1 else ""
            return f"{module.kernel_size[0]}×{module.kernel_size[1]} conv, {module.out_channels}{stride}"
        case nn.Linear():
            return f"dense, {module.out_features}"
        case nn.BatchNorm2d():
            return "batch norm"
        case nn.AvgPool2d():
            return f"average pool {module.kernel_size}×{module.kernel_size}"
        case nn.Flatten():
            return "flatten"
        case Normalise():
            return "normalise"
        case Add():
            return "add"
    return type(module).__name__
