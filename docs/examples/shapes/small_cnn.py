"""A network of one's own: what `factory: small_cnn:SmallCNN` in shapes.yaml finds, below its `python_path`."""

import torch.nn.functional as functional
from torch import nn


class SmallCNN(nn.Module):
    """Two convolutions and two dense layers; takes normalised gray images of 28×28 pixels, returns logits."""

    def __init__(self, classes, width=16):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, 2 * width, 5, padding=2)
        self.dense = nn.Linear(2 * width * 7 * 7, 64)
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        return self.head(functional.relu(self.dense(x.view(len(x), -1))))
