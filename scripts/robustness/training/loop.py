"""Trains one model: on clean data, or on data that is augmented or attacked anew in each epoch.

A training can be resumed after each epoch, and after the step at which it was asked to end. Works on tensors and
returns a history; the only files are checkpoints (`training.checkpoint`). The paper names no optimiser, schedule or
batch size; ours are in the configuration (`training:`).

A GPU never waits for this code: images are on it as bytes, batches are cut out and changed there, and no computed value
is read before an epoch is over.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustness.compute import compilation
from robustness.compute.finite import check_finite, naming
from robustness.compute.trial import why_not
from robustness.errors import UserError
from robustness.runtime import preemption
from robustness.runtime.progress import Progress
from robustness.training.adversarial import perturb
from robustness.training.augmentation import augment
from robustness.training.checkpoint import Begun, Epoch, resume, save

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How to train: the configuration's `training:` entry, and how images are changed on the way.

    `augmentation` says what noisy data is, `adversarial` within which budget images are attacked; None: not at all.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimiser: str
    augmentation: dict[str, Any] | None
    adversarial: dict[str, Any] | None = None


@dataclass(frozen=True)
class Images:
    """Images as stored, uint8 (N, C, H, W), with int64 labels (N,), on the device that computes."""

    pixels: Tensor
    labels: Tensor

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return pixels in [0, 1], channels last in memory, and labels of `rows`."""
        pixels = self.pixels[rows].to(memory_format=torch.channels_last)
        return pixels.float().div_(255), self.labels[rows]


def flop_per_image(gflops: float) -> float:
    """Return the FLOP of training on one image, given the GFLOP of its forward pass.

    Training takes three times as many: the backward pass multiplies as often for the weights' gradients, and again for
    the inputs' gradients.
    """
    return 3e9 * gflops


def learning_rate(step: int, steps: int, peak: float, warm_up: float = 0.2) -> float:
    """Return a cycle's learning rate: linear from 0 to `peak` over `warm_up` of `steps`, then a cosine down to 0."""
    rising = max(1, int(steps * warm_up))
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def train(
    model: nn.Module,
    train_images: Images,
    validation_images: Images,
    recipe: Recipe,
    *,
    seed: int,
    title: str,
    checkpoint: Path,
    key: str,
    compile_mode: str | None = None,
) -> list[Epoch]:
    """Train `model` in place and return its history; resume from `checkpoint` if it has the same `key`.

    Batches and augmentation of an epoch depend on (seed, epoch) alone, so a resumed training equals an uninterrupted
    one. `compile_mode` is one of `compilation.MODES`, or None for the network as it is. Raises `UserError` when the
    loss is no longer finite, and `Interrupted`, with the running epoch's steps saved, when the script was asked to end.
    """
    optimiser = optimiser_of(model, recipe)
    history, begun = resume(model, optimiser, checkpoint, key)
    count = len(train_images.labels)
    batches = max(1, count // recipe.batch_size)
    passes: Callable[[Tensor], Tensor] = model
    device = train_images.labels.device
    dtype = precision(device)
    if len(history) < recipe.epochs and (compile_mode is not None or dtype != torch.float32):
        rows = torch.arange(min(count, recipe.batch_size), device=device)
        pixels, _ = _batch(train_images, rows, recipe, torch.Generator(device).manual_seed(seed))
        dtype = bearable(model, pixels, dtype)
        if compile_mode is not None:
            passes = compilation.compiled(model, pixels, passes_in(device, dtype), compile_mode)
    passing = passes_in(device, dtype)
    saved_until = time.monotonic()
    if history or begun:
        within = f" and {begun.steps} of {batches} steps" if begun else ""
        _LOG.info("%s: continuing after epoch %d of %d%s", title, len(history), recipe.epochs, within)
    with Progress(title, recipe.epochs * batches, "steps") as progress:
        progress.resume(len(history) * batches + (begun.steps if begun else 0))
        for epoch in range(len(history), recipe.epochs):
            started = time.monotonic() - (begun.seconds if begun else 0)
            done = train_epoch(model, passes, passing, optimiser, train_images, recipe, seed, epoch, progress, begun)
            begun = None
            if done.steps < batches:
                done.seconds = time.monotonic() - started
                save(model, optimiser, history, checkpoint, key, done)
                preemption.stop(f"{title}, step {done.steps} of {batches} of epoch {epoch + 1}", checkpoint)
            loss, accuracy = float(done.loss_sum) / done.seen, float(done.correct) / done.seen
            validation = evaluate(model, validation_images)
            if math.isfinite(loss) and validation.logits.isfinite().any():
                with naming(title, np.arange(len(validation_images.labels)), "validation image"):
                    check_finite(validation.logits)
            if not (math.isfinite(loss) and math.isfinite(validation.loss)):
                raise UserError(
                    f"training of {title} diverged in epoch {epoch + 1} (loss {loss}, on validation images "
                    f"{validation.loss}): lower its learning_rate (now {recipe.learning_rate}) in the configuration's "
                    "training settings and run again; a network that divides by an image's own deviation gives NaN for "
                    "an image of one colour at any learning_rate"
                )
            line = Epoch(
                epoch + 1,
                loss,
                accuracy,
                validation.loss,
                validation.accuracy,
                optimiser.param_groups[0]["lr"],
                time.monotonic() - started,
            )
            history.append(line)
            _LOG.info("%s: epoch %d of %d: %s", title, epoch + 1, recipe.epochs, _words(line))
            asked = preemption.requested()
            if asked or time.monotonic() >= saved_until:
                saved_until = save(model, optimiser, history, checkpoint, key)
            if asked and epoch + 1 < recipe.epochs:
                preemption.stop(f"{title}, after epoch {epoch + 1} of {recipe.epochs}", checkpoint)
    return history


def precision(device: torch.device) -> torch.dtype:
    """Return the precision of passes through a network in training: bfloat16 on a GPU, where it halves their time.

    On a CPU without matrix instructions for bfloat16, it is ten times slower.
    """
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def bearable(model: nn.Module, pixels: Tensor, wanted: torch.dtype) -> torch.dtype:
    """Return the precision in which a network can be trained: the one that is wanted, or float32 if a step fails in it.

    Some operations have no bfloat16, as complex numbers, and a network may use any. The network and the device decide,
    so that a resumed training computes as it began.
    """
    if wanted != torch.float32 and (reason := why_not(model, model, pixels, passes_in(pixels.device, wanted))):
        _LOG.warning(
            "the network fails in %s (%s): it is trained in float32", str(wanted).removeprefix("torch."), reason
        )
        return torch.float32
    return wanted


def passes_in(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the context of passes in a precision."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def train_epoch(
    model: nn.Module,
    passes: Callable[[Tensor], Tensor],
    passing: torch.autocast,
    optimiser: torch.optim.Optimizer,
    images: Images,
    recipe: Recipe,
    seed: int,
    epoch: int,
    progress: Progress,
    begun: Begun | None = None,
) -> Begun:
    """Take an epoch's steps, or the rest of a `begun` epoch; fewer if the script is asked to end.

    `passes` is the model or its compiled form, `passing` the context of its passes.
    """
    device = images.labels.device
    generator = torch.Generator(device).manual_seed(1_000_003 * seed + epoch)
    count = len(images.labels)
    batches = max(1, count // recipe.batch_size)
    order = torch.randperm(count, generator=generator, device=device)
    state = begun or Begun.start(generator)
    generator.set_state(state.random)
    model.train()
    for index in range(state.steps, batches):
        torch.manual_seed(_step_seed(seed, epoch * batches + index))
        rows = order[index * recipe.batch_size : (index + 1) * recipe.batch_size]
        pixels, labels = _batch(images, rows, recipe, generator)
        if recipe.adversarial is not None:
            pixels = _attacked(model, passing, pixels, labels, recipe.adversarial, generator)
        rate = learning_rate(epoch * batches + index, recipe.epochs * batches, recipe.learning_rate)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with passing:
            logits = passes(pixels)
        loss = functional.cross_entropy(logits.float(), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        state.loss_sum += loss.detach() * len(labels)
        state.correct += (logits.argmax(1) == labels).sum()
        state.seen += len(labels)
        state.steps += 1
        progress.advance(1)
        if preemption.requested():
            break
    state.random = generator.get_state()
    return state


def _step_seed(seed: int, step: int) -> int:
    """Return the seed for what a network draws in a step (dropout), so that a resumed training draws the same."""
    return (seed << 31) + step


def _batch(images: Images, rows: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the pixels, changed where the recipe says so, and labels of `rows` for a step of training."""
    pixels, labels = images.batch(rows)
    if recipe.augmentation is not None:
        pixels = augment(pixels, recipe.augmentation, generator)
    return pixels, labels


def _attacked(
    model: nn.Module,
    passing: torch.autocast,
    pixels: Tensor,
    labels: Tensor,
    adversarial: dict[str, Any],
    generator: torch.Generator,
) -> Tensor:
    """Return pixels that the model in training finds harder (`training.adversarial.perturb`).

    It is attacked in evaluation mode, so that attacks leave nothing in the running statistics of batch norms.
    """

    def logits_of(images: Tensor) -> Tensor:
        with passing:
            logits: Tensor = model(images)
        return logits.float()

    model.eval()
    attacked = perturb(logits_of, pixels, labels, adversarial, generator)
    model.train()
    return attacked


@dataclass(frozen=True)
class Evaluation:
    """A model's outputs on images: logits (N, classes) float32 on the CPU, mean cross-entropy, accuracy in [0, 1]."""

    logits: Tensor
    loss: float
    accuracy: float


@torch.no_grad()
def evaluate(model: nn.Module, images: Images, batch_size: int = 256) -> Evaluation:
    """Compute the model's logits, loss and accuracy on all `images`, in evaluation mode and float32.

    On a GPU convolutions use TF32 where the script allows it (see `devices.leased`).
    """
    model.eval()
    rows = torch.arange(len(images.labels), device=images.labels.device)
    logits = torch.cat([model(images.batch(part)[0]).float() for part in rows.split(batch_size)])
    return Evaluation(
        logits=logits.cpu(),
        loss=float(functional.cross_entropy(logits, images.labels)),
        accuracy=float((logits.argmax(1) == images.labels).float().mean()),
    )


def optimiser_of(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay acts only on matrices and kernels, not on biases and batch norms.

    On a GPU a step is one kernel for all weights. On a CPU this would make SGD round differently than it used to.
    """
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    on_gpu = (decayed + others)[0].device.type == "cuda"
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True, fused=on_gpu)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def _words(line: Epoch) -> str:
    return (
        f"train loss {line.train_loss:.3f}, accuracy {line.train_accuracy:.3f}; "
        f"validation loss {line.validation_loss:.3f}, accuracy {line.validation_accuracy:.3f}; {line.seconds:.0f} s"
    )
