"""Tries one step of a training before it begins: what compiles, and what a precision can do, differs by network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustness.errors import first_line


def why_not(model: nn.Module, passes: Callable[[Tensor], Tensor], pixels: Tensor, precision: torch.autocast) -> str:
    """Return why a forward and a backward pass fail in training mode, in a line; nothing if they work.

    `passes` is the model or its compiled form. Afterwards the model's buffers (batch norm's averages) are as before,
    and its parameters have no gradients.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()
    reason = ""
    try:
        with precision:
            logits = passes(pixels)
        logits.float().sum().backward()
    except Exception as error:  # a missing compiler, a driver, an operation: each backend has errors of its own
        reason = first_line(error)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    model.zero_grad(set_to_none=True)
    return reason
