"""Gives a network the weights of a pretrained model, as people save them.

Finds the weights in a checkpoint by trying which part of it fits the network, under which prefix of its names. Where
just one does, it is loaded, and the log says what was taken; otherwise an error names key by key what does not fit, or
the parts to choose from.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustness.errors import UserError
from robustness.models import weight_files
from robustness.models.state import load_state

_LOG = logging.getLogger(__name__)

_NAMED = 5  # how many keys a sentence names
_DEEPEST = 3  # dictionaries around the weights
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""What DataParallel, torch.compile and others add to names, at any place."""
_OLD_NAMES = (  # of torchvision's networks, which its own loading renames: DenseNet's until 0.3, ViT's until 0.13
    (re.compile(r"\b(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)"), r"\1"),
    (re.compile(r"\bmlp\.linear_1\."), "mlp.0."),
    (re.compile(r"\bmlp\.linear_2\."), "mlp.3."),
)
_MAY_LACK = ("num_batches_tracked", "_extra_state")
"""Ends of names that an older file does not have, and that no answer depends on."""
_NO_WEIGHTS = ("total_ops", "total_params")
"""Ends of names of what is no part of a network: counts that the package thop leaves in it."""


@dataclass(frozen=True)
class _Part:
    """Weights in a file: where they are, the prefix of their names, and the values by their names after the prefix.

    `versions` are the versions of modules, by their names after the prefix, that PyTorch saved with the weights: a
    module may convert what an older version of it has saved.
    """

    keys: tuple[str, ...]
    prefix: str
    values: Mapping[str, Any]
    outside: tuple[str, ...]
    versions: Mapping[str, Any]

    def __str__(self) -> str:
        where = "checkpoint" + "".join(f"['{key}']" for key in self.keys) if self.keys else "the file"
        return where + (f", where names begin with '{self.prefix}'" if self.prefix else "")


def load_into(network: nn.Module, path: Path) -> None:
    """Give `network` the weights in `path`.

    Raises `UserError` when the file is missing, damaged or holds no weights, when several parts of it would fit, or
    when a key is missing, unknown, of another shape or kind, or holds values that are not finite.
    """
    content = weight_files.read(path)
    expected = network.state_dict()
    dictionaries = list(_dictionaries(content, ()))
    if not isinstance(content, Mapping):
        raise UserError(
            f"{path} contains a {type(content).__name__}: it must contain a state dict, names and their tensors"
        )
    if not dictionaries:
        raise UserError(f"{path} holds no tensors: save the network's weights, with torch.save(model.state_dict(), …)")
    tried: list[_Part] = []
    fits: list[_Part] = []
    # As they are, without wrappers that the network's own names do not have, and also with torchvision's old names.
    added = frozenset(_WRAPPERS).difference(*(name.split(".") for name in expected))
    for wrappers, old in ((frozenset[str](), False), (added, False), (added, True)):
        parts = [part for each in dictionaries for part in _parts(each, expected, wrappers, old=old)]
        tried += parts
        there = {each.keys for each in fits}  # a dictionary that fits as it is is taken as it is
        fitting = (each for each in parts if not _lacking(each, expected) and not _shapes(each, expected))
        fits += [each for each in fitting if each.keys not in there]
    part = _only(fits, path)
    if part is None and (wrapped := _wrapped(network)) is not None:
        load_into(wrapped, path)
        return
    if part is None:
        nearest = max(tried, key=lambda part: len(part.values.keys() & expected.keys()))
        raise UserError(f"{path} does not fit the network: {_misfit(nearest, expected)}")
    kept = {name: each for name, each in part.values.items() if name in expected or not name.endswith(_NO_WEIGHTS)}
    part = replace(part, values=kept)
    if unknown := [name for name in part.values if name not in expected]:
        raise UserError(
            f"{path} does not fit the network: {_of(part)}it has {_listed(unknown)}, which the network does not know: "
            "check the factory and its kwargs"
        )
    _check_values(part, expected, path)
    if part.keys or part.prefix:
        left = f"; left out: {_listed(list(part.outside))}" if part.outside else ""
        _LOG.info("%s: the weights are %s%s", path, part, left)
    load_state(network, part.values, part.versions)


def _wrapped(network: nn.Module) -> nn.Module | None:
    """Return the network that has all of a network's state, as inside of DataParallel, or behind a normalisation.

    None where it is a single layer: a layer of that shape is in many files.
    """
    first = {name.partition(".")[0] for name in network.state_dict()}
    child = dict(network.named_children()).get(first.pop()) if len(first) == 1 else None
    return child if child is not None and any("." in name for name in child.state_dict()) else None


# --- finding the weights ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Dictionary:
    """A dictionary in a file: the keys that lead to it, the values of a state in it, and the versions of modules."""

    keys: tuple[str, ...]
    values: Mapping[str, Any]
    versions: Mapping[str, Any]


def _dictionaries(content: Any, keys: tuple[str, ...]) -> Iterator[_Dictionary]:
    """Yield each dictionary with tensors in it; the outer ones first."""
    if not isinstance(content, Mapping):
        return
    named = {str(name): value for name, value in content.items()}
    if any(isinstance(value, Tensor) for value in named.values()):
        of_state = (isinstance(value, Tensor) or name.endswith("_extra_state") for name, value in named.items())
        values = {name: value for (name, value), own in zip(named.items(), of_state, strict=True) if own}
        yield _Dictionary(keys, values, getattr(content, "_metadata", None) or {})
    if len(keys) < _DEEPEST:
        for name, value in named.items():
            yield from _dictionaries(value, (*keys, name))


def _parts(given: _Dictionary, expected: Mapping[str, Any], wrappers: frozenset[str], *, old: bool) -> Iterator[_Part]:
    """Yield the values below each prefix of an expected name, and all values.

    `wrappers` are taken out of names, and where they may be `old`, names are those of torchvision today.
    """
    originals = {_plain(name, wrappers, old): name for name in given.values}
    versions = {_plain(name, wrappers, old): version for name, version in given.versions.items()}
    if len(originals) < len(given.values):  # both with and without a wrapper: names alone do not say which is meant
        return
    starts = {""} | {name.removesuffix(ending) for name in originals for ending in _endings(name) if ending in expected}
    for start in sorted(starts):
        inside = {name.removeprefix(start): original for name, original in originals.items() if name.startswith(start)}
        outside = tuple(original for name, original in originals.items() if not name.startswith(start))
        prefixes = {original.removesuffix(name) for name, original in inside.items() if original.endswith(name)}
        prefix = prefixes.pop() if len(prefixes) == 1 else start
        values = {name: given.values[original] for name, original in inside.items()}
        inner = {
            f"{name}.".removeprefix(start)[:-1]: each for name, each in versions.items() if f"{name}.".startswith(start)
        }
        yield _Part(given.keys, prefix, values, outside, inner if start else versions)


def _plain(name: str, wrappers: frozenset[str], old: bool) -> str:
    """Return a name without `wrappers`, and where it may be `old` as torchvision calls it today."""
    name = ".".join(part for part in name.split(".") if part not in wrappers)
    for pattern, today in _OLD_NAMES if old else ():
        name = pattern.sub(today, name)
    return name


def _endings(name: str) -> Iterator[str]:
    """Yield a dotted name, and what is left of it without its first parts."""
    while name:
        yield name
        _, _, name = name.partition(".")


def _only(parts: list[_Part], path: Path) -> _Part | None:
    """Return the first part if all parts are equal; None if there is no part. Raises `UserError` if they differ."""
    if not parts:
        return None
    first = parts[0]
    if all(_equal(first, other) for other in parts[1:]):
        return first
    raise UserError(
        f"{path} holds several sets of weights that fit the network: {'; '.join(map(str, parts))}. Save the set that "
        f"is meant to a file of its own: {_saving(first, path)}"
    )


def _equal(one: _Part, other: _Part) -> bool:
    return one.values.keys() == other.values.keys() and all(
        value is other.values[name] or (isinstance(value, Tensor) and torch.equal(value, other.values[name]))
        for name, value in one.values.items()
    )


def _saving(part: _Part, path: Path) -> str:
    """Return the line of Python that saves a part as a file of its own."""
    found = f"torch.load('{path}')" + "".join(f"['{key}']" for key in part.keys)
    if not part.prefix:
        return f"torch.save({found}, …)"
    start = part.prefix
    return f"torch.save({{k.removeprefix('{start}'): v for k, v in {found}.items() if k.startswith('{start}')}}, …)"


# --- what does not fit -----------------------------------------------------------------------------------------------


def _lacking(part: _Part, expected: Mapping[str, Any]) -> list[str]:
    """Return the names that a part must have and has not; one name of a tensor that has several is enough."""
    memory = {name: _memory(value) for name, value in expected.items()}
    given = {memory[name] for name in part.values.keys() & expected.keys()}
    return [
        name
        for name in expected
        if name not in part.values and not name.endswith(_MAY_LACK) and memory[name] not in given
    ]


def _memory(value: Any) -> object:
    """Return what two names of one tensor share, and no others do."""
    is_somewhere = isinstance(value, Tensor) and value.numel() > 0
    return (value.data_ptr(), value.shape, value.stride()) if is_somewhere else object()


def _shapes(part: _Part, expected: Mapping[str, Any]) -> list[str]:
    """Say which tensors have another shape."""
    return [
        f"{name} is {_size(part.values[name])} and must be {_size(value)}"
        for name, value in expected.items()
        if isinstance(value, Tensor)
        and isinstance(part.values.get(name), Tensor)
        and part.values[name].shape != value.shape
    ]


def _misfit(part: _Part, expected: Mapping[str, Any]) -> str:
    lacking, unknown = _lacking(part, expected), [name for name in part.values if name not in expected]
    said = [f"it lacks {_listed(lacking)}"] if lacking else []
    said += [f"has {_listed(unknown)}, which the network does not know"] if unknown and lacking else []
    return f"{_of(part)}{' and '.join(said) or _listed(_shapes(part, expected))}: check the factory and its kwargs"


def _of(part: _Part) -> str:
    return f"in {part}, " if part.keys or part.prefix else ""


def _check_values(part: _Part, expected: Mapping[str, Any], path: Path) -> None:
    """Raise `UserError` for tensors that a network cannot be given as they are."""
    tensors = {name: value for name, value in part.values.items() if isinstance(value, Tensor)}
    kinds = {name: kind for name, tensor in tensors.items() if (kind := _kind(tensor, expected[name])) is not None}
    if kinds:
        said = _listed([f"{name} is {kind}" for name, kind in kinds.items()])
        raise UserError(f"{path} has tensors that cannot be loaded: {said}: save plain floating-point weights")
    broken = [
        name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.float().isfinite().all()
    ]
    if broken:
        raise UserError(f"{path} has values that are not finite (NaN or inf) in {_listed(broken)}")
    first: dict[object, str] = {}
    for name, tensor in tensors.items():
        other = first.setdefault(_memory(expected[name]), name)
        if other != name and not torch.equal(tensor, tensors[other]):
            raise UserError(
                f"{path} has other values in {name} than in {other}, which are one tensor in the network: check the "
                "factory and its kwargs"
            )


def _kind(tensor: Tensor, expected: Any) -> str | None:
    """Say why a tensor cannot be loaded; None if it can."""
    if tensor.is_quantized:
        return "quantized"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_meta:
        return "without values (on the device meta)"
    if isinstance(expected, Tensor) and expected.is_floating_point() and not tensor.is_floating_point():
        return f"of the type {str(tensor.dtype).removeprefix('torch.')}"
    return None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _size(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
