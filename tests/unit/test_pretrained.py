"""Weights that a user gives: read from either kind of file, and refused with the keys that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from robustness.errors import UserError
from robustness.models.pretrained import load_into


def network(width: int = 5) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def given(path: Path, content: Any) -> Path:
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.safetensors"])
def test_both_kinds_of_file_give_a_network_its_weights(tmp_path: Path, name: str) -> None:
    source, target = network(), network()
    load_into(target, given(tmp_path / name, source.state_dict()))
    assert all(torch.equal(tensor, source.state_dict()[key]) for key, tensor in target.state_dict().items())


def test_weights_in_half_precision_are_taken(tmp_path: Path) -> None:
    source, target = network(), network()
    load_into(target, given(tmp_path / "w.safetensors", source.bfloat16().state_dict()))
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight, source[0].weight.float())


def test_a_count_of_batches_may_be_missing(tmp_path: Path) -> None:
    state = network().state_dict()
    state.pop("1.num_batches_tracked")
    load_into(network(), given(tmp_path / "w.pt", state))


def without(name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in network().state_dict().items() if key != name}


MISTAKES = {
    "lacks": (without("2.bias"), r"it lacks 2\.bias: check the factory and its kwargs"),
    "unknown": (network().state_dict() | {"3.bias": torch.ones(1)}, r"has 3\.bias, which the network does not know"),
    "prefix": (
        {f"module.{key}": tensor for key, tensor in network().state_dict().items()},
        r"all its names begin with 'module\.': save them without it",
    ),
    "shape": (network(width=4).state_dict(), r"0\.weight is 4×3 and must be 5×3, 0\.bias is 4 and must be 5"),
    "finite": (network().state_dict() | {"2.bias": torch.tensor([1.0, float("nan")])}, r"not finite .* in 2\.bias"),
    "checkpoint": (
        {"epoch": 3, "model": network().state_dict()},
        r"no state dict: epoch, model are no tensor: save the state dict alone, perhaps .*checkpoint\['model'\]",
    ),
    "list": ([1, 2], "contains a list: it must contain a state dict"),
    "whole model": (network(), "contains more than tensors, which might run code"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_does_not_fit_is_said(tmp_path: Path, name: str) -> None:
    content, sentence = MISTAKES[name]
    path = given(tmp_path / "weights.pt", content)
    with pytest.raises(UserError, match=f"{path} .*{sentence}"):
        load_into(network(), path)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 half an archive"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{tmp_path / name} "):
        load_into(network(), tmp_path / name)


def test_a_missing_file_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/w\.pt does not exist: set the model's 'weights'"):
        load_into(network(), tmp_path / "w.pt")
