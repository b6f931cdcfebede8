"""Takes a network's state and loads it: the tensors that are saved with its weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn


def saved_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what is saved of a model: the tensors of its state, and no extra state of another kind."""
    return {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}


def load_state(model: nn.Module, state: Mapping[str, Any], versions: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Give a model the tensors of a state, whatever else it lacks; raises what `load_state_dict` raises.

    `versions` are what PyTorch saved of the versions of modules, by their names. For modules without one it is the
    version of the model's own: a state that was saved by name has none, and some modules, such as torchvision's
    MNASNet, refuse it then.
    """
    named: Any = OrderedDict(state)
    named._metadata = OrderedDict({**getattr(model.state_dict(), "_metadata", {}), **versions})
    # Not the model's own `load_state_dict`, which a user's network may have with other parameters.
    nn.Module.load_state_dict(model, named, strict=False)
