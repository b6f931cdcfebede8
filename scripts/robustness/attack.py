"""The report's iterated gradient-sign attack (section 2), run on a pool of images that is kept full.

    x₀ = x,   xₜ₊₁ = clip(xₜ + α·d(∇R(xₜ)), 0, 1)

Each step is one forward and one backward pass over the images that are still being attacked. Images that ended leave
the pool and images from the queue take their places, so no evaluation is spent on a finished image. The gradient call
that decides whether an image has ended is the one that gives its next step.

Results do not depend on how the work was divided. Randomness is a function of (seed, image, iteration), and on a CPU
`reproducible` makes the network's outputs independent of an image's position in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustness.errors import UserError
from robustness.models import placed
from robustness.randomness import random_offset, random_signs

ENDED = ("success", "default_state", "cap", "skipped")
"""How an attack on an image ends; results hold the position in this tuple."""
SUCCESS, DEFAULT_STATE, CAP, SKIPPED = range(len(ENDED))
_RUNNING = -1

UNCHANGED_ITERATIONS = 20
"""Report, section 2: so many iterations without a change of the reward are the default state."""
UNCHANGED_TOLERANCE = 1e-6
"""A reward that moves less than this counts as unchanged."""

_STATIC_IMAGES = 64
_SMALLEST_BATCH = 8


@dataclass(frozen=True)
class AttackSpec:
    """One entry of `attacks:` with the dataset's step `alpha` (in units of pixel values, which span [0, 1]).

    `target` is None (untargeted: any wrong class), `next`, `random`, `least_likely`, or the number of a class.
    """

    reward: Literal["probability", "cross_entropy"]
    direction: Literal["sign", "normalized"]
    alpha: float
    confidence: float
    max_iterations: int
    target: str | int | None = None


@dataclass(frozen=True)
class AttackResult:
    """What happened to each of N attacked images; tensors on the CPU, rows in the order of the input.

    `adversarial` float32 (N, C, H, W) in [0, 1] is the image when the attack ended (the original where skipped);
    `ended` int64 indexes `ENDED`; `iterations` int64 is the number of steps taken; `label_before`, `label_after` int64
    and `confidence_after` float32 are the prediction on the original and on the result; `zero_gradients` int64 counts
    the steps at which the gradient was exactly zero. `evaluations` is the number of forward and backward passes per
    image summed over the pool, padding included; `needed` is the same sum over what each image needed. `batches` int64
    (steps,) is the number of images in the pool at each step.
    """

    adversarial: Tensor
    ended: Tensor
    iterations: Tensor
    label_before: Tensor
    label_after: Tensor
    confidence_after: Tensor
    zero_gradients: Tensor
    target: Tensor
    evaluations: int
    needed: int
    batches: Tensor


class _ExactLinear(nn.Module):
    """A linear layer computed in float64 and rounded to float32.

    BLAS sums a row's products in an order that depends on the row's position in the batch, which moves the last bits
    of a float32 result, and the sign of a small gradient with them. In float64 the difference is far below what
    rounding to float32 keeps. Measured on x86-64 with AVX2: a perceptron's rows, batches of 1 to 250, all bit-equal.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Buffer(linear.weight.detach().double())
        self.bias = None if linear.bias is None else nn.Buffer(linear.bias.detach().double())

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.double(), self.weight, self.bias).float()


def frozen(model: nn.Module, device: torch.device) -> nn.Module:
    """A copy of `model` to attack: evaluation mode, no gradients for its weights, on `device`.

    On the CPU its linear layers are replaced by exact ones (see `_ExactLinear`), so that results are bit-equal for any
    batch; convolutions there gave equal bits for all batches of two or more, and tiny ones are filled up.
    """
    import copy

    copied = placed(copy.deepcopy(model), device).eval().requires_grad_(False)
    if device.type == "cpu":
        if isinstance(copied, nn.Linear):
            return _ExactLinear(copied)
        for parent in list(copied.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, _ExactLinear(child))
    return copied


def attack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    image_ids: Tensor,
    spec: AttackSpec,
    *,
    seed: int,
    batch_size: int,
    title: str = "model",
    progress: Callable[[Tensor], None] | None = None,
) -> AttackResult:
    """Attack every image that `model` (from `frozen`) classifies correctly; at most `batch_size` at a time.

    `images` float32 (N, C, H, W) in [0, 1] and int64 `labels` (N,) are on the model's device. `image_ids` (N,) name the
    images for their random numbers, whatever shard they are in. `progress` is called with the `ended` codes of images
    as they end. Raises `UserError` naming `title` and the images when the model returns NaN.
    """
    queue = _Queue(model, images, labels, image_ids, spec, seed)
    result = _empty(images, queue.targets)
    static_label = static_prediction(model, images.shape[1:], seed)
    evaluations, batches = 0, []
    rows = queue.take(batch_size)
    pool = _Pool.start(images, rows)
    while len(pool.rows):
        truth, target = labels[pool.rows], queue.targets[pool.rows]
        logits, reward, gradient = reward_gradient(model, pool.x, truth, target, spec)
        evaluations += max(len(pool.rows), _SMALLEST_BATCH)
        batches.append(len(pool.rows))
        if not torch.isfinite(logits).all():
            bad = image_ids[pool.rows[~torch.isfinite(logits).all(1)]].tolist()
            raise UserError(f"{title} returned NaN or infinity for test images {bad[:5]}: its weights are unusable")
        confidence, prediction = logits.softmax(1).max(1)
        pool.compare(reward)
        ended = _ended(pool, spec, prediction, confidence, truth, target, static_label)
        first = pool.iteration == 0
        result.label_before[pool.rows[first].cpu()] = prediction[first].cpu()
        done = ended != _RUNNING
        if done.any():
            _record(result, pool, done, ended, prediction, confidence)
            if progress is not None:
                progress(ended[done])
        pool.step(gradient, spec, seed, image_ids)
        if done.any():
            pool.replace(done, images, queue.take(int(done.sum())))
    needed = int((result.iterations + 1).sum())
    return replace(result, evaluations=evaluations, needed=needed, batches=torch.tensor(batches, dtype=torch.int64))


def reward_gradient(
    model: nn.Module, x: Tensor, labels: Tensor, targets: Tensor, spec: AttackSpec
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (B, K), rewards (B,) and the gradient (B, C, H, W) of each image's reward by its pixels, all float32.

    Untargeted, R = −p_y or −log p_y with y the true class (report, section 2: Σ M(X) − M(X′) reduced to it); targeted,
    R = p_t or log p_t.
    """
    count = len(x)
    fill = _filled(x)
    if fill is not None:
        x, labels, targets = x[fill], labels[fill], targets[fill]
    x = x.to(memory_format=torch.channels_last).detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x).float()
        log_p = logits.log_softmax(1)
        aimed = targets if spec.target is not None else labels
        chosen = log_p.gather(1, aimed[:, None])[:, 0]
        if spec.reward == "probability":
            chosen = logits.softmax(1).gather(1, aimed[:, None])[:, 0]
        reward = chosen if spec.target is not None else -chosen
        (gradient,) = torch.autograd.grad(reward.sum(), x)
    return logits.detach()[:count], reward.detach()[:count], gradient.float()[:count]


def _filled(x: Tensor) -> Tensor | None:
    """Rows that repeat a tiny batch until it has an ordinary size, as kernels for tiny ones round differently."""
    return None if len(x) >= _SMALLEST_BATCH else torch.arange(_SMALLEST_BATCH, device=x.device) % len(x)


def _logits(model: nn.Module, x: Tensor) -> Tensor:
    fill = _filled(x)
    logits: Tensor = model((x if fill is None else x[fill]).to(memory_format=torch.channels_last))
    return logits[: len(x)]


@torch.no_grad()
def static_prediction(model: nn.Module, shape: torch.Size, seed: int) -> int:
    """The class that `model` most often sees in random static (uniform pixels), the report's "random state"."""
    generator = torch.Generator().manual_seed(seed)
    device = next((tensor.device for tensor in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
    static = torch.rand((_STATIC_IMAGES, *shape), generator=generator).to(device)
    return int(model(static.to(memory_format=torch.channels_last)).argmax(1).mode().values)


@torch.no_grad()
def targets_of(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, spec: AttackSpec, seed: int) -> Tensor:
    """The class (N,) that each image shall be turned into; −1 where the attack is untargeted."""
    if spec.target is None or not len(labels):
        return torch.full_like(labels, -1)
    if isinstance(spec.target, int):
        return torch.full_like(labels, spec.target)
    classes = _logits(model, images[:1]).shape[1]
    match spec.target:
        case "next":
            return (labels + 1) % classes
        case "random":
            return (labels + 1 + random_offset(seed, ids, classes - 1)) % classes
        case "least_likely":
            return torch.cat([_logits(model, part).argmin(1) for part in images.split(256)])
    raise UserError(f"unknown attack target '{spec.target}': use next, random, least_likely or a class of the dataset")


class _Queue:
    """The images that still wait for a place in the pool, and every image's target class."""

    def __init__(
        self, model: nn.Module, images: Tensor, labels: Tensor, image_ids: Tensor, spec: AttackSpec, seed: int
    ) -> None:
        self.targets = targets_of(model, images, labels, image_ids, spec, seed)
        self._rows = torch.arange(len(labels), device=images.device)
        self._next = 0

    def take(self, count: int) -> Tensor:
        """The rows of the next images, at most `count`."""
        taken = self._rows[self._next : self._next + count]
        self._next += len(taken)
        return taken


@dataclass
class _Pool:
    """The images under attack: `rows` of the input, their current pixels and counters, one entry each."""

    rows: Tensor
    x: Tensor
    iteration: Tensor
    unchanged: Tensor
    reward: Tensor
    zero_gradients: Tensor

    @classmethod
    def start(cls, images: Tensor, rows: Tensor) -> _Pool:
        zeros = torch.zeros_like(rows)
        return cls(
            rows=rows,
            x=images[rows],
            iteration=zeros.clone(),
            unchanged=zeros.clone(),
            reward=torch.full(rows.shape, torch.nan, device=images.device),
            zero_gradients=zeros.clone(),
        )

    def compare(self, reward: Tensor) -> None:
        """Count for how many iterations each image's reward has stood still."""
        still = (reward - self.reward).abs() <= UNCHANGED_TOLERANCE
        self.unchanged = torch.where(still, self.unchanged + 1, 0)
        self.reward = reward

    def step(self, gradient: Tensor, spec: AttackSpec, seed: int, image_ids: Tensor) -> None:
        """Move every image along its direction; a zero gradient is replaced by random signs (report, section 2)."""
        flat = gradient.flatten(1)
        zero = ~flat.any(1)
        if spec.direction == "sign":
            direction = gradient.sign()
        else:
            # In float64 the order of the sum, which depends on the batch, is lost in rounding.
            norm = flat.double().norm(dim=1).float().clamp_min(torch.finfo(torch.float32).tiny)
            direction = gradient / norm.view(-1, 1, 1, 1)
        if zero.any():
            signs = random_signs(seed, image_ids[self.rows[zero]], self.iteration[zero], gradient.shape[1:])
            if spec.direction == "normalized":
                signs = signs / signs[0].numel() ** 0.5
            direction[zero] = signs
            self.zero_gradients += zero
        self.x = self.x.add(direction, alpha=spec.alpha).clamp_(0, 1)
        self.iteration += 1

    def replace(self, done: Tensor, images: Tensor, rows: Tensor) -> None:
        """Put new images into the places of those that are done; without enough new ones the pool shrinks."""
        new = _Pool.start(images, rows)
        places = done.nonzero()[:, 0]
        filled, emptied = places[: len(rows)], places[len(rows) :]
        keep = torch.ones_like(done)
        keep[emptied] = False
        for name, value in vars(self).items():
            value[filled] = getattr(new, name)
            setattr(self, name, value[keep] if len(emptied) else value)


def _ended(
    pool: _Pool,
    spec: AttackSpec,
    prediction: Tensor,
    confidence: Tensor,
    labels: Tensor,
    targets: Tensor,
    static_label: int,
) -> Tensor:
    """The end that each image has reached at its current pixels, or `_RUNNING`; later rules take precedence."""
    ended = torch.full_like(pool.rows, _RUNNING)
    ended[pool.iteration >= spec.max_iterations] = CAP
    ended[(pool.unchanged >= UNCHANGED_ITERATIONS) & (prediction == static_label)] = DEFAULT_STATE
    goal = prediction != labels if spec.target is None else prediction == targets
    ended[goal & (confidence >= spec.confidence)] = SUCCESS
    wrong_from_start = (prediction != labels) | (targets == labels)
    ended[(pool.iteration == 0) & wrong_from_start] = SKIPPED
    return ended


def _empty(images: Tensor, targets: Tensor) -> AttackResult:
    count = len(images)
    zeros = torch.zeros(count, dtype=torch.int64)
    return AttackResult(
        adversarial=torch.empty(images.shape),
        ended=torch.full((count,), _RUNNING),
        iterations=zeros.clone(),
        label_before=zeros.clone(),
        label_after=zeros.clone(),
        confidence_after=torch.zeros(count),
        zero_gradients=zeros.clone(),
        target=targets.cpu(),
        evaluations=0,
        needed=0,
        batches=zeros[:0],
    )


def _record(
    result: AttackResult, pool: _Pool, done: Tensor, ended: Tensor, prediction: Tensor, confidence: Tensor
) -> None:
    rows = pool.rows[done].cpu()
    found: dict[str, Any] = {
        "adversarial": pool.x,
        "ended": ended,
        "iterations": pool.iteration,
        "label_after": prediction,
        "confidence_after": confidence,
        "zero_gradients": pool.zero_gradients,
    }
    for name, value in found.items():
        getattr(result, name)[rows] = value[done].cpu()
