"""Copies networks, also the networks that `copy.deepcopy` alone refuses.

PyTorch copies no tensor that a pass has computed, and networks keep such tensors: a hook that stores an activation, the
older `torch.nn.utils.weight_norm`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Set
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from torch import Tensor, nn

from robustness.errors import UserError

Network = TypeVar("Network", bound=nn.Module)


def copied(model: Network) -> Network:
    """Return a deep copy of a network, with copies of the values of tensors that a pass has computed.

    Raises `UserError` for a network that holds something that cannot be copied, such as a lock or an open file.
    """
    computed = {id(tensor): tensor.detach().clone() for tensor in _computed(model, set())}
    try:
        result = copy.deepcopy(model, computed)
    except Exception as error:
        raise UserError(
            f"the network cannot be copied ({type(error).__name__}: {' '.join(str(error).split())[:300]}), and a copy "
            "is what is attacked: keep locks, open files and generators out of its attributes"
        ) from error
    for parameter in result.parameters():
        if not parameter.is_leaf:  # of a network that TorchScript copied
            needs_gradient = parameter.requires_grad
            parameter.detach_().requires_grad_(needs_gradient)
    return result


def _computed(value: Any, seen: set[int]) -> Iterator[Tensor]:
    """Yield all tensors with a history that `value` holds, wherever a deep copy would go."""
    if id(value) in seen:
        return
    seen.add(id(value))
    inside: Any = ()
    if isinstance(value, Tensor):
        if not value.is_leaf:
            yield value
    elif isinstance(value, Mapping):
        inside = list(value.values())
    elif isinstance(value, list | tuple | Set):
        inside = list(value)
    elif not isinstance(value, type | FunctionType | ModuleType):
        inside = list(getattr(value, "__dict__", {}).values())
    for each in inside:
        yield from _computed(each, seen)
