"""Saves and loads networks: their state as safetensors, with what builds the network again in the header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from robustness.errors import UserError
from robustness.models import user_models
from robustness.models.architectures import build
from robustness.models.image_shape import ImageShape
from robustness.models.state import load_state, saved_state
from robustness.storage.tensors import read_metadata, read_tensors, write_tensors


def save(path: Path, model: nn.Module, metadata: dict[str, Any]) -> None:
    """Write a model's weights and `metadata` (see `load`) to a safetensors file."""
    state = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in saved_state(model).items()}
    write_tensors(path, state, metadata)


def classes(path: Path) -> int:
    """Return the number of classes of the model that `save` wrote."""
    return int(read_metadata(path)["classes"])


def load(path: Path) -> nn.Module:
    """Load the model that `save` wrote, in evaluation mode on the CPU; its metadata says how to build it.

    A file may name one of the paper's architectures by itself; a factory is run only when the configuration names it
    too (`user_models.allowed`).

    Raises `UserError` when the file is missing, damaged or does not fit the architecture that it names.
    """
    metadata = read_metadata(path)
    if not {"architecture", "image", "classes"} <= metadata.keys():
        raise UserError(
            f"{path} contains no network: delete it and run the workflow again, or name a file that "
            "train_model.py wrote"
        )
    architecture, image = metadata["architecture"], ImageShape(*metadata["image"])
    model: nn.Module
    if architecture["family"] == "factory":
        user_models.allowed(architecture, path)
        model = user_models.built(architecture, image)  # checked when the weights were made
    else:
        model = build(architecture, image, metadata["classes"])
    names = list(saved_state(model))
    state = {name: torch.from_numpy(array) for name, array in zip(names, read_tensors(path, *names), strict=True)}
    try:
        load_state(model, state)  # an extra state is not in the file
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} does not contain the network that it names ({reason}): delete it and run the workflow again"
        ) from None
    return model.eval()
