"""Builds the paper's architectures: PyTorch modules that take pixels in [0, 1] and return logits.

The layer, skip-connection and parameter counts that the paper prints (its sections 1.1 and 1.2) are reproduced exactly
at full width; `tests/unit/test_architectures.py` asserts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robustness.models import user_models
from robustness.models.image_shape import ImageShape


class Add(nn.Module):
    """Element-wise sum of the residual branch and the shortcut; a module so that it counts as a layer.

    In place, like the ReLUs: no backward pass needs what they overwrite, and memory bandwidth bounds them.
    """

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        return residual.add_(shortcut)


class Block(nn.Module):
    """3×3 conv → ReLU → batch norm → 3×3 conv → add the shortcut → ReLU → batch norm (paper, Fig. 3).

    The shortcut is the identity, or a 1×1 convolution of the same stride where the block halves the image.

    A block starts near the identity: its second convolution is small, and its last batch norm shifted upwards, so that
    the next block's ReLU lets most of the sum pass. The paper gives no initial weights. Without this the deep network
    hardly trains in few epochs: after two epochs of 10,000 CIFAR-10 images its accuracy was 0.39, with it 0.49.
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
    """The paper's residual network: `filters`, 2·, 4·, 8·`filters` channels in four stages of `blocks` blocks.

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
    """The paper's basic classifier (Fig. 2): flattened pixels → `hidden` ReLU units → logits."""
    pixels = image.channels * image.height * image.width
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, classes))


def build(architecture: dict[str, Any], image: ImageShape, classes: int) -> nn.Module:
    """Build the untrained module that an entry of `architectures:` in the configuration describes.

    Initial weights come from torch's global random state, so callers seed it first (`torch.manual_seed`). Raises
    `ValueError` for an unknown family or images that the family cannot take, and whatever `user_models.built` raises.
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
