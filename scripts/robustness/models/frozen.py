"""Prepares a network for an attack: frozen, with layers replaced where that is faster, or exact for any batch.

On a CPU an image's outputs do not depend on its place in the batch. Outputs equal the outputs of the trained network up
to the rounding of float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustness.models.copies import copied
from robustness.models.placement import placed

_SMALLEST_SIDE = 16


class _Standin(nn.Module):
    """Replaces a layer. What it lacks is taken from the layer, since networks may look at their layers' weights."""

    layer: nn.Module

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)


class _FixedNorm(_Standin):
    """Batch norm of a frozen model: scale · x + shift, whose backward pass is one product.

    Measured on the narrow ResNet, batch 128, 8 and 10 pairs: a forward and backward pass takes 0.80 and 0.83 of the
    time that it takes with PyTorch's on two threads, 0.90 and 1.01 on one. In reduced precision PyTorch's is used,
    since it keeps scale and shift in float32 there.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.layer = norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        if norm.affine:
            scale = scale * norm.weight.double()
        shift = -norm.running_mean.double() * scale
        if norm.affine:
            shift = shift + norm.bias.double()
        self.scale = nn.Buffer(scale.to(norm.running_var.dtype).view(1, -1, 1, 1))
        self.shift = nn.Buffer(shift.to(norm.running_var.dtype).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != self.scale.dtype:
            return self.layer(x)
        return torch.addcmul(self.shift, x, self.scale)


class _Linear(_Standin):
    """A linear layer whose rows do not depend on their place in the batch, for CPUs.

    BLAS chooses how it sums by the size of the matrices and, where one is narrow, by the alignment of rows in memory;
    that moves the last bits of a float32 result, and the sign of a small gradient with them. With at least 16 rows,
    inputs and outputs, filled up with zeros, rows came out equal to the bit for all batches (x86-64 with AVX2, one and
    two threads, 200 sizes of layers). Where a trial (see `_rows_agree`) shows that the machine's BLAS does not do that,
    the layer computes in float64, whose differences are lost in rounding to float32, at about twice the time.
    """

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer = linear
        self.outputs = linear.out_features
        self.missing_inputs = max(0, _SMALLEST_SIDE - linear.in_features)
        self.missing_outputs = max(0, _SMALLEST_SIDE - linear.out_features)
        weight = functional.pad(linear.weight.detach(), (0, self.missing_inputs, 0, self.missing_outputs))
        # Plain attributes, not buffers: a module looks those up in a way that costs more than a small layer.
        self.filled_weight = weight.to(dtype)
        self.filled_bias = None
        if linear.bias is not None:
            self.filled_bias = functional.pad(linear.bias.detach(), (0, self.missing_outputs)).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            return self(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], self.outputs)
        missing = _SMALLEST_SIDE - len(x)
        rows = x
        if missing > 0 or self.missing_inputs:
            rows = functional.pad(rows, (0, self.missing_inputs, 0, max(0, missing)))
        if self.filled_weight.dtype != x.dtype:
            rows = rows.to(self.filled_weight.dtype)
        result = functional.linear(rows, self.filled_weight, self.filled_bias)
        if missing > 0:
            result = result[: len(x)]
        if self.missing_outputs:
            result = result[:, : self.outputs]
        return result if result.dtype == x.dtype else result.to(x.dtype)


def _rows_agree(layer: _Linear, features: int) -> bool:
    """Return whether rows keep their bits, forwards and backwards, in batches of several sizes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((67, features), generator=generator)
    seeds = torch.randn((67, layer.outputs), generator=generator)

    def passes(rows: slice) -> tuple[Tensor, Tensor]:
        part = x[rows].clone().requires_grad_()
        with torch.enable_grad():
            result = layer(part)
            (gradient,) = torch.autograd.grad((result * seeds[rows]).sum(), part)
        return result.detach(), gradient

    whole = passes(slice(None))
    for start, stop in ((0, 1), (3, 5), (1, 12), (0, 16), (5, 22), (2, 35), (7, 66)):
        rows = slice(start, stop)
        if not all(torch.equal(a[rows], b) for a, b in zip(whole, passes(rows), strict=True)):
            return False
    return True


def _position_independent(linear: nn.Linear) -> nn.Module:
    if linear.weight.dtype != torch.float32:
        return linear
    fast = _Linear(linear, torch.float32)
    return fast if _rows_agree(fast, linear.in_features) else _Linear(linear, torch.float64)


def frozen(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of `model` to attack: evaluation mode, no gradients for its weights, on `device`.

    Batch norms become fixed scales and shifts, and on the CPU linear layers give equal bits for any batch. Outputs
    equal the outputs of `model` up to the rounding of float32.
    """
    parent = nn.Sequential(placed(copied(model), device).eval().requires_grad_(False))
    for owner in list(parent.modules()):
        for name, child in list(owner.named_children()):
            # Kinds of these layers, and those with hooks, may compute something else, and are left as they are.
            if child._forward_hooks or child._forward_pre_hooks:
                continue
            if type(child) is nn.BatchNorm2d and child.running_var is not None:
                setattr(owner, name, _FixedNorm(child))
            elif type(child) is nn.Linear and device.type == "cpu":
                setattr(owner, name, _position_independent(child))
    return parent[0].eval().requires_grad_(False)
