"""Train the small network with nothing but PyTorch, and save its state dict: weights that come from elsewhere.

Run with the folder of images and the file to write:
`python docs/examples/shapes/train_elsewhere.py results/my-shapes results/my-weights.pt`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from small_cnn import SmallCNN

MEAN, STD = 0.3, 0.35  # the normalisation, which shapes.yaml states as well


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("weights", type=Path)
    options = arguments.parse_args()
    folders = sorted((options.folder / "train").iterdir())  # by name, as `classes` in shapes.yaml lists them
    files = [(path, label) for label, folder in enumerate(folders) for path in sorted(folder.iterdir())]
    images = torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path, _ in files]))[:, None].float() / 255
    labels = torch.tensor([label for _, label in files])
    torch.manual_seed(0)
    model = SmallCNN(len(folders))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.002)
    for _ in range(4):
        for rows in torch.randperm(len(labels)).split(32):
            loss = torch.nn.functional.cross_entropy(model((images[rows] - MEAN) / STD), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    torch.save(model.state_dict(), options.weights)


if __name__ == "__main__":
    main()
