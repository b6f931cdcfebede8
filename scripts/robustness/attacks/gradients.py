"""What an attack asks of a model: log-probabilities, and the gradient of the reward by the pixels.

Pure functions on a frozen model and a batch. Exists apart from the attack so that there is one place where speed and
exactness of the passes through the network are decided: which layers are replaced, in which precision they compute,
and that on a CPU an image's outputs do not depend on its place in the batch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.spec import AttackSpec
from robustness.models.architectures import memory_format, placed
from robustness.models.user_models import OwnModel

SMALLEST_BATCH, SMALLEST_OWN_BATCH = 8, 16
"""On a CPU smaller batches are filled up to this many images: convolutions of tiny ones round differently.

Where images have become a single pixel, as in own networks, a convolution is a product of matrices (see `_Linear`).
"""

_SMALLEST_SIDE = 16
_STATIC_IMAGES = 64


class _Standin(nn.Module):
    """Takes a layer's place. What it lacks is the layer's own, since networks may look at their layers' weights."""

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
    two threads, 200 sizes of layers). Where the machine's BLAS does not keep that, found by trying (see `_rows_agree`),
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
    """Whether rows keep their bits, forwards and backwards, in batches of several sizes."""
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
    """A copy of `model` to attack: evaluation mode, no gradients for its weights, on `device`.

    Batch norms become fixed scales and shifts, and on the CPU linear layers give equal bits for any batch. Outputs are
    those of `model` up to the rounding of float32.
    """
    copied = placed(copy.deepcopy(model), device).eval().requires_grad_(False)
    parent = nn.Sequential(copied)
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


@contextmanager
def _tensor_cores(allowed: bool) -> Iterator[None]:
    """Whether float32 products on a GPU may be computed in TF32; PyTorch's own default allows it for convolutions."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _float32_products(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which products of float32 have this precision (see `AttackSpec.gradients`).

    A backward pass looks at it when it is made, not when its forward pass was.
    """
    return _tensor_cores(precision != "float32") if device.type == "cuda" else nullcontext()


def _cast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context of a forward pass in this precision; the backward pass follows it."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def reward_gradient(
    model: nn.Module, x: Tensor, aimed: NDArray[np.int64], spec: AttackSpec
) -> tuple[NDArray[np.floating], Tensor]:
    """Log-probabilities (B, K) on the host, and the gradient (B, C, H, W) of each image's reward by its pixels.

    `aimed` (B,) is the class whose probability the reward is made of: the true class y, or the target t. Untargeted,
    R = −p_y or −log p_y (report, section 2: Σ M(X) − M(X′) reduced to it); targeted, R = p_t or log p_t.
    """
    log_p, gradient = log_gradient(model, x, aimed, spec)
    return log_p, of_probability(gradient, log_p, aimed) if spec.reward == "probability" else gradient


def log_gradient(
    model: nn.Module, x: Tensor, aimed: NDArray[np.int64], spec: AttackSpec
) -> tuple[NDArray[np.floating], Tensor]:
    """What `reward_gradient` returns for the reward `cross_entropy`, whichever the spec's is.

    The gradient by the logits is written down rather than derived, which saves the passes through the softmax: for
    −log p_y it is p_k for the other classes and −Σ p_k for y. The sum over the other classes does not cancel, where
    1 − p_y would.
    """
    count = len(x)
    x = _filled(model, x).detach().requires_grad_()
    with _float32_products(x.device, spec.gradients):
        with _cast(x.device, spec.gradients):
            logits = model(x)
        log_p = _log_softmax(logits[:count])
        seed = torch.from_numpy(_by_logits(log_p, aimed, spec)).to(logits)
        if count < len(x):
            seed = functional.pad(seed, (0, 0, 0, len(x) - count))
        # As a scalar: given the seed, autograd imports sympy to compare two shapes, most of a second in every job.
        (gradient,) = torch.autograd.grad((logits * seed).sum(), x)
    return log_p, gradient[:count]


def of_probability(gradient: Tensor, log_p: NDArray[np.floating], aimed: NDArray[np.int64]) -> Tensor:
    """The gradient (B, C, H, W) of p by the pixels, from that of log p: p times it.

    By definition, and not only up to rounding, so that one backward pass serves both rewards. In float32 the product
    of a small p and a small gradient is exactly zero: the report's vanishing gradient.
    """
    p = np.exp(log_p[np.arange(len(aimed)), aimed])
    return gradient * torch.from_numpy(p).to(gradient).view(-1, 1, 1, 1)


def _by_logits(log_p: NDArray[np.floating], aimed: NDArray[np.int64], spec: AttackSpec) -> NDArray[np.floating]:
    """The gradient (B, K) of log p, or of −log p, by the logits; see `log_gradient`."""
    rows = np.arange(len(log_p))
    p = np.exp(log_p)
    p[rows, aimed] = 0
    p[rows, aimed] = -p.sum(1)
    if spec.target is not None:
        np.negative(p, out=p)
    return p


def _log_softmax(logits: Tensor) -> NDArray[np.floating]:
    """Log-probabilities (B, K) on the host, where what follows costs a fraction of what it does on small tensors."""
    exact = logits.detach() if logits.dtype == torch.float64 else logits.detach().float()
    return exact.log_softmax(1).cpu().numpy()


def smallest_batch(model: nn.Module, device: torch.device) -> int:
    """The number of images that smaller batches are filled up to."""
    if device.type != "cpu":
        return 1
    return SMALLEST_OWN_BATCH if isinstance(model, OwnModel) else SMALLEST_BATCH


def _filled(model: nn.Module, x: Tensor) -> Tensor:
    """A tiny batch on a CPU, repeated until it has an ordinary size."""
    size = smallest_batch(model, x.device)
    return x if len(x) >= size else x[torch.arange(size) % len(x)]


@torch.no_grad()
def log_probabilities(model: nn.Module, x: Tensor) -> NDArray[np.floating]:
    """Log-probabilities (B, K) of images x (B, C, H, W), from float32 logits whatever precision gradients have."""
    with _float32_products(x.device, "float32"):
        return _log_softmax(model(_filled(model, x))[: len(x)])


def static_prediction(model: nn.Module, shape: torch.Size, seed: int, device: torch.device) -> int:
    """The class that `model` most often sees in random static (uniform pixels), the report's "random state"."""
    generator = torch.Generator().manual_seed(seed)
    static = torch.rand((_STATIC_IMAGES, *shape), generator=generator).to(device, memory_format=memory_format(model))
    return int(np.bincount(log_probabilities(model, static).argmax(1)).argmax())
