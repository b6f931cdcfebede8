"""`torch.compile` for the passes through a network in training: where it pays, and where the machine can.

A choice of the machine, like its device or its threads: no part of a spec, and on a CPU off unless it is asked for,
since compiled sums round differently. A machine that cannot compile trains as it is, with a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustness.errors import UserError

_LOG = logging.getLogger(__name__)

MODES = ("default", "reduce-overhead", "max-autotune")
"""Those of `torch.compile`; `reduce-overhead` replays CUDA graphs, `max-autotune` also tries kernels, for minutes."""
CHOICES = ("auto", "no", *MODES)

PAYS_FROM = 2e16
"""FLOP of a whole training on a GPU from which `auto` compiles: about a minute of work at 40 % of an H100's bfloat16.

Compiling a network of these depths is known to take about that long and to save a fifth or so. Not measured here.
"""


def mode_for(choice: str, device: torch.device, flop: float) -> str | None:
    """The mode of `torch.compile` for a training of so many `flop`, or None where nothing is compiled.

    `choice` is one of `CHOICES`; raises `UserError` for another.
    """
    if choice not in CHOICES:
        raise UserError(f"'{choice}' is no way to compile; known are {', '.join(CHOICES)}")
    if choice == "auto":
        return "default" if device.type == "cuda" and flop >= PAYS_FROM else None
    return None if choice == "no" else choice


def compiled(model: nn.Module, pixels: Tensor, precision: torch.autocast, mode: str) -> Callable[[Tensor], Tensor]:
    """`model` compiled for batches like `pixels` under `precision`, in training mode; itself where that fails.

    Tries a forward and a backward pass; the model's buffers (batch norm's averages) are as before afterwards, and its
    parameters have no gradients.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()
    result: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False, mode=mode)
    try:
        with precision:
            logits = result(pixels)
        logits.float().sum().backward()
    except Exception as error:  # a missing compiler, a driver, an operation: each backend has errors of its own
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        _LOG.warning("torch.compile fails here (%s): the network is trained without it", reason)
        result = model
    else:
        _LOG.info("the network is compiled (mode %s)", mode)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    model.zero_grad(set_to_none=True)
    return result
