"""Reads the weights of a pretrained model: a safetensors file, or a state dict that PyTorch saved.

A pickle in the file is only ever read as tensors (`weights_only=True`), so it runs no code. Errors name key by key what
does not fit.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustness.errors import UserError

_NAMED = 5  # how many keys a sentence names


def load_into(network: nn.Module, path: Path) -> None:
    """Give `network` the weights in `path`.

    Raises `UserError` when the file is missing, damaged or not a state dict, or when a key is missing, unknown, of
    another shape, or holds values that are not finite.
    """
    given = _read(path)
    expected = network.state_dict()
    missing = [name for name in expected if name not in given and not name.endswith("num_batches_tracked")]
    unknown = [name for name in given if name not in expected]
    if missing or unknown:
        raise UserError(f"{path} does not fit the network: {_differences(missing, unknown)}{_advice(given, expected)}")
    shapes = [
        f"{name} is {_size(given[name])} and must be {_size(tensor)}"
        for name, tensor in expected.items()
        if name in given and given[name].shape != tensor.shape
    ]
    if shapes:
        raise UserError(f"{path} does not fit the network: {_listed(shapes)}: check the factory and its kwargs")
    broken = [name for name, tensor in given.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise UserError(f"{path} has values that are not finite (NaN or inf) in {_listed(broken)}")
    network.load_state_dict(given, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise UserError(f"{path} does not exist: set the model's 'weights' to its file of weights")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} cannot be read as a safetensors file ({error})") from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} contains more than tensors, which might run code when it is read: save the weights alone, with "
            "torch.save(model.state_dict(), …) or as safetensors"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} cannot be read as a file of PyTorch ({reason})") from None
    return _state_dict(content, path)


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        raise UserError(
            f"{path} contains a {type(content).__name__}: it must contain a state dict, names and their tensors"
        )
    others = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        inside = [name for name, value in content.items() if isinstance(value, Mapping)]
        hint = f", perhaps torch.save(checkpoint['{inside[0]}'], …)" if inside else ""
        raise UserError(
            f"{path} is no state dict: {_listed(others)} {'is' if len(others) == 1 else 'are'} no tensor: save the "
            f"state dict alone{hint}"
        )
    return {str(name): tensor for name, tensor in content.items()}


def _differences(missing: list[str], unknown: list[str]) -> str:
    parts = [f"it lacks {_listed(missing)}"] if missing else []
    return " and ".join(parts + ([f"has {_listed(unknown)}, which the network does not know"] if unknown else []))


def _advice(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    for prefix in ("module.", "model.", "network."):
        if all(name.startswith(prefix) for name in given) and not any(name.startswith(prefix) for name in expected):
            return f"; all its names begin with '{prefix}': save them without it"
    return ": check the factory and its kwargs"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _size(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
