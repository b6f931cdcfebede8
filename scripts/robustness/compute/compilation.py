"""Compiles a network for training with `torch.compile`, where it saves time and the machine can.

This belongs to the machine, like its device or its threads: it is no part of a spec, and on a CPU it is off unless it
is asked for, since compiled sums round differently. A machine that cannot compile trains without, and logs it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustness.compute.trial import why_not
from robustness.errors import UserError

_LOG = logging.getLogger(__name__)

MODES = ("default", "reduce-overhead", "max-autotune")
"""Modes of `torch.compile`; `reduce-overhead` replays CUDA graphs, `max-autotune` also tries kernels, for minutes."""
CHOICES = ("auto", "no", *MODES)

PAYS_FROM = 2e16
"""FLOP of a whole training on a GPU from which `auto` compiles: about a minute of work at 40 % of an H100's bfloat16.

Compiling a network of these depths is known to take about that long and to save a fifth or so. Not measured here.
"""


def mode_for(choice: str, device: torch.device, flop: float) -> str | None:
    """Return the mode of `torch.compile` for a training of `flop` FLOP, or None where nothing is compiled.

    `choice` is one of `CHOICES`; raises `UserError` for another.
    """
    if choice not in CHOICES:
        raise UserError(f"'{choice}' is not a way to compile; known are {', '.join(CHOICES)}")
    if choice == "auto":
        return "default" if device.type == "cuda" and flop >= PAYS_FROM else None
    return None if choice == "no" else choice


def compiled(model: nn.Module, pixels: Tensor, precision: torch.autocast, mode: str) -> Callable[[Tensor], Tensor]:
    """Compile `model` for batches like `pixels` under `precision`, in training mode; return it as it is if that fails.

    Afterwards the model is as before (`trial.why_not`).
    """
    result: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False, mode=mode)
    if reason := why_not(model, result, pixels, precision):
        _LOG.warning("torch.compile fails here (%s): the network is trained uncompiled", reason)
        return model
    _LOG.info("the network is compiled (mode %s)", mode)
    return result
