"""Takes a network's state and loads it: the tensors that are saved with its weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def saved_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what is saved of a model: the tensors of its state, and no extra state of another kind."""
    return {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}


def load_state(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Give a model the tensors of a state, whatever else it lacks; raises what `load_state_dict` raises.

    The versions of the model's own modules go with it: a state that was saved by name has none, and some modules, such
    as torchvision's MNASNet, refuse it then.
    """
    named: Any = OrderedDict(state)
    named._metadata = getattr(model.state_dict(), "_metadata", None)
    model.load_state_dict(named, strict=False)
