"""Computes what an attack needs from a model: log-probabilities, and the gradient of the reward by the pixels.

Pure functions on a frozen model (`models.frozen`) and a batch. This is the one place that decides the precision of the
passes through the network, and the size of the smallest batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from robustness.attacks.spec import AttackSpec
from robustness.compute.finite import check_finite
from robustness.errors import UserError, first_line
from robustness.models.placement import memory_format
from robustness.models.wrapper import OwnModel

SMALLEST_BATCH, SMALLEST_OWN_BATCH = 8, 16
"""On a CPU smaller batches are filled up to this many images, because convolutions of tiny batches round differently.

Where images have become a single pixel, as in own networks, a convolution is a product of matrices (`models.frozen`).
"""
STATIC_IMAGES = 64


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
    """Enter a context in which products of float32 have this precision (see `AttackSpec.gradients`).

    A backward pass uses the precision that is set when it runs, not the precision of its forward pass.
    """
    return _tensor_cores(precision != "float32") if device.type == "cuda" else nullcontext()


def _cast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Enter the context of a forward pass in this precision; the backward pass follows it."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


@contextmanager
def _naming(precision: str) -> Iterator[None]:
    """Raise `UserError` for a network that cannot be computed in bfloat16, as one with complex numbers."""
    try:
        yield
    except torch.OutOfMemoryError:  # answered by a smaller batch
        raise
    except (RuntimeError, TypeError) as error:
        if precision != "bfloat16":
            raise
        raise UserError(
            f"the network fails in bfloat16 ({first_line(error)}): set 'gradients' of the attacks to float32 or tf32"
        ) from error


def reward_gradient(
    model: nn.Module, x: Tensor, aimed: NDArray[np.int64], spec: AttackSpec
) -> tuple[NDArray[np.floating], Tensor]:
    """Return log-probabilities (B, K) on the host, and the gradient (B, C, H, W) of each image's reward by its pixels.

    `aimed` (B,) is the class whose probability the reward is made of: the true class y, or the target t. Untargeted,
    R = −p_y or −log p_y (paper, section 2: Σ M(X) − M(X′) reduced to it); targeted, R = p_t or log p_t.
    """
    log_p, gradient = log_gradient(model, x, aimed, spec)
    return log_p, of_probability(gradient, log_p, aimed) if spec.reward == "probability" else gradient


def log_gradient(
    model: nn.Module, x: Tensor, aimed: NDArray[np.int64], spec: AttackSpec
) -> tuple[NDArray[np.floating], Tensor]:
    """Return what `reward_gradient` returns for the reward `cross_entropy`, whatever the spec's reward is.

    The gradient by the logits is written down rather than derived, which saves the passes through the softmax: for
    −log p_y it is p_k for the other classes and −Σ p_k for y. The sum over the other classes does not cancel, where
    1 − p_y would. Raises `NotFiniteError` for images that the model answers with NaN or infinity, and `UserError`
    for a network that fails in bfloat16 where the spec asks for it.
    """
    count = len(x)
    x = _filled(model, x).detach().requires_grad_()
    with _float32_products(x.device, spec.gradients):
        with _naming(spec.gradients), _cast(x.device, spec.gradients):
            logits = model(x)
        log_p = _log_softmax(logits[:count])
        seed = torch.from_numpy(_by_logits(log_p, aimed, spec)).to(logits)
        if count < len(x):
            seed = functional.pad(seed, (0, 0, 0, len(x) - count))
        # As a scalar: given the seed, autograd imports sympy to compare two shapes, most of a second in every job.
        (gradient,) = torch.autograd.grad((logits * seed).sum(), x)
    return log_p, gradient[:count]


def of_probability(gradient: Tensor, log_p: NDArray[np.floating], aimed: NDArray[np.int64]) -> Tensor:
    """Return the gradient (B, C, H, W) of p by the pixels: p times the gradient of log p.

    This is its definition here, not only equal up to rounding, so that one backward pass serves both rewards. In
    float32 the product of a small p and a small gradient is exactly zero: the paper's vanishing gradient.
    """
    p = np.exp(log_p[np.arange(len(aimed)), aimed])
    return gradient * torch.from_numpy(p).to(gradient).view(-1, 1, 1, 1)


def _by_logits(log_p: NDArray[np.floating], aimed: NDArray[np.int64], spec: AttackSpec) -> NDArray[np.floating]:
    """Return the gradient (B, K) of log p, or of −log p, by the logits; see `log_gradient`."""
    rows = np.arange(len(log_p))
    p = np.exp(log_p)
    p[rows, aimed] = 0
    p[rows, aimed] = -p.sum(1)
    if spec.target is not None:
        np.negative(p, out=p)
    return p


def _log_softmax(logits: Tensor) -> NDArray[np.floating]:
    """Return log-probabilities (B, K) on the host, where what follows costs much less than on small tensors.

    Raises `NotFiniteError` for images that the model answers with NaN or infinity.
    """
    exact = logits.detach() if logits.dtype == torch.float64 else logits.detach().float()
    log_p = exact.log_softmax(1).cpu().numpy()
    check_finite(log_p)
    return log_p


def smallest_batch(model: nn.Module, device: torch.device) -> int:
    """Return the number of images that smaller batches are filled up to."""
    if device.type != "cpu":
        return 1
    return SMALLEST_OWN_BATCH if isinstance(model, OwnModel) else SMALLEST_BATCH


def _filled(model: nn.Module, x: Tensor) -> Tensor:
    """Repeat a tiny batch on a CPU until it has an ordinary size."""
    size = smallest_batch(model, x.device)
    return x if len(x) >= size else x[torch.arange(size) % len(x)]


@torch.no_grad()
def log_probabilities(model: nn.Module, x: Tensor) -> NDArray[np.floating]:
    """Return log-probabilities (B, K) of images x (B, C, H, W), always from float32 logits.

    Raises `NotFiniteError` for images that the model answers with NaN or infinity.
    """
    with _float32_products(x.device, "float32"):
        return _log_softmax(model(_filled(model, x))[: len(x)])


def static_prediction(model: nn.Module, shape: torch.Size, seed: int, device: torch.device) -> int:
    """Return the class that `model` most often sees in random static (uniform pixels), the paper's "random state"."""
    generator = torch.Generator().manual_seed(seed)
    static = torch.rand((STATIC_IMAGES, *shape), generator=generator).to(device, memory_format=memory_format(model))
    return int(np.bincount(log_probabilities(model, static).argmax(1)).argmax())
