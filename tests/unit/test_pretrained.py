"""Weights that a user gives: read from either kind of file, and refused with the keys that do not fit."""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from flipped_bits import flips
from made_data import zipped
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from robustness.config import model_entry
from robustness.errors import UserError
from robustness.models import user_models, weights
from robustness.models.image_shape import ImageShape
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


def test_a_network_that_asks_for_the_version_of_its_state_gets_it(tmp_path: Path) -> None:
    source, target = (torchvision.models.mnasnet0_5(num_classes=3) for _ in range(2))
    load_into(target, given(tmp_path / "w.pt", source.state_dict()))
    assert torch.equal(target.classifier[1].weight, source.classifier[1].weight)


def test_a_count_of_batches_may_be_missing(tmp_path: Path) -> None:
    state = network().state_dict()
    state.pop("1.num_batches_tracked")
    load_into(network(), given(tmp_path / "w.pt", state))


def under(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


SOURCE = network()
STATE = SOURCE.state_dict()
OPTIMISER = {"state": {0: {"exp_avg": torch.ones(5, 3)}}, "param_groups": [{"lr": 0.1}]}
OLDER = {name: tensor + 1 for name, tensor in STATE.items()}
LAYERS = {name.replace("0.", "0.module.").replace("2.", "2._orig_mod."): tensor for name, tensor in STATE.items()}

CHECKPOINTS = {
    "of a training script": ({"optimizer": OPTIMISER, "epoch": 3, "model": STATE}, "checkpoint['model']"),
    "with options and NumPy's numbers": (
        {"state_dict": STATE, "args": argparse.Namespace(lr=0.1), "best": np.float64(0.9), "last": np.float32(0.8)},
        "checkpoint['state_dict']",
    ),
    "of a compiled model": (under("_orig_mod.", STATE), "names begin with '_orig_mod.'"),
    "of a parallel, compiled model": (under("module._orig_mod.", STATE), "names begin with 'module._orig_mod.'"),
    "of layers that were wrapped": (LAYERS, ""),
    "of Lightning": (
        {"state_dict": under("model.", STATE) | {"loss.weight": torch.ones(3)}, "hyper_parameters": {"lr": 0.1}},
        "checkpoint['state_dict'], where names begin with 'model.'; left out: loss.weight",
    ),
    "of an average": (under("module.", STATE) | {"n_averaged": torch.tensor(3)}, "left out: n_averaged"),
    "two deep": ({"trainer": {"net": {"weights": STATE}}}, "checkpoint['trainer']['net']['weights']"),
    "of a larger model": (
        under("encoder.", STATE) | under("decoder.", network(9).state_dict()),
        "begin with 'encoder.'",
    ),
    "twice the same": ({"model": STATE, "model_ema": STATE}, "checkpoint['model']"),
    "with a number next to the names": (STATE | {"epoch": 3}, ""),
    "with counts of the package thop": (STATE | {"total_ops": torch.ones(1), "0.total_params": torch.ones(1)}, ""),
    "with what a training needs to go on": (
        {"state_dict": STATE, "random": np.random.get_state(), "folder": Path("runs"), "steps": np.int16(3)}
        | {"name": np.str_("a"), "losses": np.zeros(3)},
        "checkpoint['state_dict']",
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_weights_are_found_in_a_checkpoint_and_the_log_says_where(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    content, said = CHECKPOINTS[name]
    target = network()
    with caplog.at_level("INFO"):
        load_into(target, given(tmp_path / "checkpoint.pt", content))
    assert all(torch.equal(tensor, STATE[key]) for key, tensor in target.state_dict().items())
    assert said in caplog.text


@pytest.mark.parametrize("name", ["weights.pt", "weights.bin", "weights.safetensors"])
@pytest.mark.parametrize("save", [save_file, torch.save])
def test_a_file_is_read_by_its_content_whatever_its_name(tmp_path: Path, name: str, save: Any) -> None:
    target = network()
    save(STATE, tmp_path / name)
    load_into(target, tmp_path / name)
    assert torch.equal(target[0].weight, SOURCE[0].weight)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight


def test_one_name_of_a_tensor_that_has_two_is_enough(tmp_path: Path) -> None:
    source, target = Tied(), Tied()
    save_model(source, str(tmp_path / "w.safetensors"))
    load_into(target, tmp_path / "w.safetensors")
    assert torch.equal(target.b.weight, source.b.weight)
    torch.save(source.state_dict() | {"b.weight": torch.ones(3, 3)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"has other values in b\.weight than in a\.weight, which are one tensor"):
        load_into(target, tmp_path / "w.pt")


class Extra(nn.Linear):
    version = 1

    def get_extra_state(self) -> dict[str, int]:
        return {"version": self.version}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.version = state["version"]


def test_an_extra_state_is_set_and_may_be_missing(tmp_path: Path) -> None:
    source, target = Extra(3, 2), Extra(3, 2)
    source.version = 7
    load_into(target, given(tmp_path / "w.pt", source.state_dict()))
    assert target.version == 7
    load_into(target, given(tmp_path / "old.pt", {"weight": source.weight, "bias": source.bias}))


def test_an_extra_state_is_not_saved_and_the_rest_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "extra_nets.py").write_text(EXTRA_NET, encoding="utf-8")
    monkeypatch.setenv("ROBUSTNESS_PYTHON_PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    architecture = {"family": "factory", "factory": "extra_nets:Net", "kwargs": {}, "normalisation": None}
    monkeypatch.setenv("ROBUSTNESS_NETWORKS", json.dumps([model_entry.network(architecture)]))
    model = user_models.checked(user_models.built(architecture, SMALL), architecture, SMALL, 2)
    weights.save(tmp_path / "w.safetensors", model, {"architecture": architecture, "image": [1, 2, 2], "classes": 2})
    x = torch.rand(3, 1, 2, 2)
    assert torch.equal(weights.load(tmp_path / "w.safetensors")(x), model(x))


SMALL = ImageShape(1, 2, 2)
EXTRA_NET = """
from torch import nn

class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 2)

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        pass

    def forward(self, x):
        return super().forward(x.flatten(1))
"""


def without(name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in network().state_dict().items() if key != name}


def changed(change: Any) -> dict[str, Tensor]:
    return {name: change(tensor) if tensor.ndim > 1 else tensor for name, tensor in STATE.items()}


MISTAKES = {
    "lacks": (without("2.bias"), r"it lacks 2\.bias: check the factory and its kwargs"),
    "unknown": (network().state_dict() | {"3.bias": torch.ones(1)}, r"has 3\.bias, which the network does not know"),
    "lacks below a prefix": (
        {"epoch": 1, "model": under("module.", without("2.bias"))},
        r"in checkpoint\['model'\], where names begin with 'module\.', it lacks 2\.bias: check the factory",
    ),
    "shape": (network(width=4).state_dict(), r"0\.weight is 4×3 and must be 5×3, 0\.bias is 4 and must be 5"),
    "finite": (network().state_dict() | {"2.bias": torch.tensor([1.0, float("nan")])}, r"not finite .* in 2\.bias"),
    "two sets": (
        {"model": STATE, "ema": OLDER},
        r"several sets of weights .*: checkpoint\['model'\]; checkpoint\['ema'\]\. Save .* torch\.save\(torch\.load\("
        r"'.*weights\.pt'\)\['model'\], …\)",
    ),
    "two sets in one": (
        under("net.", STATE) | under("ema.", OLDER),
        r"several sets .*names begin with 'ema\.'.*'net\.'.* if k\.startswith\('ema\.'\)",
    ),
    "a set and its average": (
        STATE | under("ema.", OLDER),
        r"several sets .* the file; the file, where names .* 'ema\.'",
    ),
    "a set with wrapped layers and its average": (
        {"model": LAYERS, "model_ema": OLDER},
        r"several sets .*: checkpoint\['model_ema'\]; checkpoint\['model'\]",
    ),
    "objects in an array": (
        {"state_dict": STATE, "x": np.array([Path()], object)},
        r"contains more than tensors.*, which might run code",
    ),
    "empty": ({}, "holds no tensors: save the network's weights"),
    "no tensors": ({"epoch": 3}, "holds no tensors"),
    "quantized": (
        changed(lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)),
        r"cannot be loaded: 0\.weight is quantized, 2\.weight is quantized: save plain",
    ),
    "whole numbers": (changed(lambda tensor: tensor.to(torch.int8)), r"0\.weight is of the type int8"),
    "complex": (changed(lambda tensor: tensor.to(torch.complex64)), r"0\.weight is of the type complex64"),
    "sparse": (changed(lambda tensor: tensor.to_sparse()), r"0\.weight is sparse"),
    "list": ([1, 2], "contains a list: it must contain a state dict"),
    "whole model": (network(), r"contains more than tensors \(such as torch\.nn\.modules\.\w+\.\w+\), which might run"),
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


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "is a Git LFS pointer.* git lfs pull"),
        (b"<!DOCTYPE html><html><title>Sign in</title></html>", "is a web page, not the weights"),
        (b"\n <HTML>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip: unpack it"),
        (b"\x93NUMPY\x01\x00", "is an array of NumPy: save the weights by their names"),
        (b'{"weight_map": {}}', r"is a text file, not the weights; it begins with '\{\"weight_map"),
        (b"", "is empty: download or copy it again"),
    ],
)
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_file_that_holds_no_weights_is_said_to_be_what_it_is(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{tmp_path / name} {what}"):
        load_into(network(), tmp_path / name)


@pytest.mark.parametrize(
    "save", [lambda path: np.savez(path, a=np.zeros(3)), lambda path: path.write_bytes(zipped({"w.pt": b""}))]
)
def test_an_archive_of_something_else_is_not_called_unsafe(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "w.npz")
    with pytest.raises(UserError, match=r"w\.npz is a zip archive .*: unpack it"):
        load_into(network(), tmp_path / "w.npz")


def test_what_is_no_pickle_is_not_called_unsafe(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(b"\x08\x07\x12\x07pytorch\x1a\x01\xff")
    with pytest.raises(UserError, match=r"w\.onnx is no file of PyTorch, or is damaged"):
        load_into(network(), tmp_path / "w.onnx")


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - 0.5


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, lambda inner: nn.Sequential(Shift(), inner)])
def test_a_wrapped_network_takes_the_weights_of_the_network_inside(tmp_path: Path, wrap: Any) -> None:
    target = network()
    load_into(wrap(target), given(tmp_path / "w.pt", STATE))
    assert all(torch.equal(tensor, STATE[name]) for name, tensor in target.state_dict().items())


def test_one_layer_does_not_take_the_weights_of_another_networks_layer(tmp_path: Path) -> None:
    path = given(
        tmp_path / "w.pt",
        {"encoder.weight": torch.ones(9, 9), "head.weight": torch.ones(2, 3), "head.bias": torch.ones(2)},
    )
    with pytest.raises(UserError, match=r"it lacks 1\.weight, 1\.bias"):
        load_into(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), path)


class Percent(nn.Linear):
    _version = 2

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *others: Any) -> None:
        if local_metadata.get("version") == 1:
            state_dict[prefix + "weight"] = state_dict[prefix + "weight"] / 100
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)


class OldPercent(Percent):
    _version = 1


@pytest.mark.parametrize("under", [None, "model"])
def test_a_module_converts_what_an_older_version_of_it_saved(tmp_path: Path, under: str | None) -> None:
    source, target = (nn.Sequential(kind(3, 2)) for kind in (OldPercent, Percent))
    state = nn.ModuleDict({under: source}).state_dict() if under else source.state_dict()
    load_into(target, given(tmp_path / "w.pt", state))
    assert torch.allclose(target[0].weight, source[0].weight / 100)
    load_into(target, given(tmp_path / "new.pt", nn.Sequential(Percent(3, 2)).state_dict() | source.state_dict()))
    assert torch.equal(target[0].weight, source[0].weight)


class OfItsOwn(nn.Linear):
    def load_state_dict(self, state: Any) -> None:  # type: ignore[override]
        raise AssertionError("asked to load a state in its own way")


def test_a_networks_own_way_to_load_a_state_is_not_asked(tmp_path: Path) -> None:
    target = OfItsOwn(3, 2)
    load_into(target, given(tmp_path / "w.pt", {"weight": torch.ones(2, 3), "bias": torch.ones(2)}))
    assert (target.weight == 1).all()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_old_names_of_torchvision_are_known(tmp_path: Path, prefix: str) -> None:
    dense = torchvision.models.DenseNet(4, (1, 1), 8, num_classes=2)
    vision = torchvision.models.VisionTransformer(8, 4, 1, 2, 8, 8, num_classes=2)
    old = {"dense": {}, "vision": {}}
    for name, tensor in dense.state_dict().items():
        old["dense"][prefix + re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name)] = tensor
    for name, tensor in vision.state_dict().items():
        old["vision"][prefix + name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2.")] = tensor
    for source, state in ((dense, old["dense"]), (vision, old["vision"])):
        target = copy.deepcopy(source)
        with torch.no_grad():
            for parameter in target.parameters():
                parameter.zero_()
        assert state.keys() != source.state_dict().keys()
        load_into(target, given(tmp_path / "w.pt", state))
        assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in target.state_dict().items())


def test_a_torchscript_archive_is_named_with_the_line_that_saves_its_weights(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "w.pt")
    with pytest.raises(
        UserError, match=r"is a TorchScript archive: .*torch\.save\(torch\.jit\.load\('.*w\.pt'\)\.state"
    ):
        load_into(network(), tmp_path / "w.pt")


def test_a_file_with_any_flipped_bit_is_refused_or_gives_what_was_saved(tmp_path: Path) -> None:
    source = network(width=40)
    path = given(tmp_path / "w.pt", source.state_dict())
    refused: list[str] = []
    for bit in flips(path):
        target = network(width=40)
        try:
            load_into(target, path)
        except UserError as error:
            refused.append(str(error))
        else:
            found = target.state_dict()
            assert all(torch.equal(found[name], tensor) for name, tensor in source.state_dict().items()), bit
    assert len(refused) > 150
    assert all(str(path) in sentence for sentence in refused)


def test_a_file_saved_without_checksums_is_refused_with_the_way_to_save_it(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = given(tmp_path / "w.pt", network().state_dict())
    finally:
        torch.serialization.set_crc32_options(True)
    with pytest.raises(UserError, match=r"is not as it was written: .*set_crc32_options\), save it again with them"):
        load_into(network(), path)


def test_a_missing_file_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/w\.pt does not exist: set the model's 'weights'"):
        load_into(network(), tmp_path / "w.pt")
