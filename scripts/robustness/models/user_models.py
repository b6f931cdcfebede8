"""Builds the user's own networks with the function that the configuration names, and checks what an attack needs.

That function is the user's code. Nothing is run only because a file of weights names it: the configuration must name it
too (`ROBUSTNESS_NETWORKS`). What is wrong with a model is said in a sentence before hours are spent on it.
"""

from __future__ import annotations

import importlib
import json
import math
import os
from collections.abc import Mapping
from functools import reduce
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from robustness.config.model_entry import network
from robustness.errors import UserError
from robustness.models.copies import copied
from robustness.models.frozen import frozen
from robustness.models.image_shape import ImageShape
from robustness.models.own_files import importable, state_kept
from robustness.models.placement import memory_format
from robustness.models.state import load_state, saved_state
from robustness.models.wrapper import OwnModel
from robustness.storage.user_code_digest import is_taken, own_file, split

_IMAGES = 8
"""Random images that a network is tried on."""


def allowed(architecture: Mapping[str, Any], path: Path) -> None:
    """Check that the configuration names the factory that the file of weights `path` was made with.

    Raises `UserError` where it does not: a file alone must not decide which code runs.
    """
    if network(architecture) not in json.loads(os.environ.get("ROBUSTNESS_NETWORKS", "[]")):
        raise UserError(
            f"{path} holds a network that the factory '{architecture['factory']}' builds, which the configuration does "
            "not name with these kwargs, this size and this normalisation: no code is run that only a file of weights "
            "asks for; run the workflow, which hands on what its configuration names"
        )


def built(architecture: Mapping[str, Any], image: ImageShape) -> OwnModel:
    """Return the network that an own architecture's factory makes, on the CPU and as the factory made it.

    Lazy layers get their sizes from an image of the given shape. Raises `UserError` when the factory cannot be found or
    called, or returns something other than a module whose state consists of plain tensors.
    """
    about = f"the factory '{architecture['factory']}'"
    function = _found(architecture["factory"], about)
    kwargs = architecture["kwargs"]
    try:
        parameters = signature(function)
    except ValueError:  # a function written in C
        parameters = None
    if parameters is not None:
        try:
            parameters.bind(**kwargs)
        except TypeError as error:
            raise UserError(f"{about} cannot be called with kwargs {kwargs}: {error}; it takes {parameters}") from None
    try:
        with state_kept():
            made = function(**kwargs)
    except (Exception, SystemExit) as error:
        raise UserError(f"{about}, called with kwargs {kwargs}, raises {_words(error)}") from error
    if not isinstance(made, nn.Module):
        raise UserError(f"{about} returns a {type(made).__name__}: it must return a torch.nn.Module")
    model = OwnModel(made.float(), architecture["normalisation"], architecture.get("resize"))
    _give_sizes(model, image, about)
    _check_state(model, about)
    model.channels_last = _takes_channels_last(model, image)
    return model


def checked(model: OwnModel, architecture: Mapping[str, Any], image: ImageShape, classes: int) -> OwnModel:
    """Return `model` after checking that it is a classifier that can be attacked; it is left in evaluation mode.

    Raises `UserError` for outputs of another shape than (images, classes), probabilities, values that are not finite,
    outputs that depend on chance, on the other images of a batch or on whether gradients are computed, pixels that no
    gradient reaches, a state that its `state_dict` does not hold, and a network whose copy, prepared as for an attack,
    fails or answers otherwise.
    """
    about = f"the network of the factory '{architecture['factory']}'"
    model.eval()
    if any(module.training for module in model.modules()):
        raise UserError(f"{about} stays in training mode after eval(): do not override its train() and eval()")
    x = _images(image)
    logits = _logits(model, x, about, classes)
    _check_values(logits, model, x, about)
    differentiated = _check_gradient(model, x, about)
    if not torch.equal(logits, _logits(model, x, about, classes)):
        raise UserError(
            f"{about} answers the same images differently each time: leave out what draws random numbers in "
            "evaluation mode, such as functional.dropout without training=self.training"
        )
    few = torch.cat([_logits(model, x[:2], about, classes), _logits(model, x[2:], about, classes)])
    if not (_alike(logits, few) and _alike(logits[:1], _logits(model, x[:1], about, classes))):
        raise UserError(
            f"{about} answers an image differently next to other images: its outputs must not depend on the rest of a "
            "batch, as with a batch norm without running statistics (track_running_stats=False)"
        )
    if not _alike(logits, differentiated):
        raise UserError(
            f"{about} answers differently while gradients are computed: its forward must not ask is_grad_enabled() or "
            "requires_grad, since the attack decides without gradients"
        )
    again = built(architecture, image).eval()
    try:
        load_state(again, saved_state(model))
    except Exception as error:
        raise UserError(f"{about}, built twice, does not take its own state_dict ({_words(error)})") from error
    if not torch.allclose(logits, _logits(again, x, about, classes), rtol=1e-4, atol=1e-5):
        raise UserError(
            f"{about}, built twice and given the same weights, gives two answers: what it draws at random and does not "
            "train must be a buffer (register_buffer), so that it is saved with the weights"
        )
    held = frozen(model, torch.device("cpu"))
    shown = x.to(memory_format=memory_format(held))
    if not (
        _alike(logits, _logits(held, shown, about, classes)) and _alike(logits, _check_gradient(held, shown, about))
    ):
        raise UserError(
            f"{about} answers differently once its weights are frozen and its batch norms and linear layers are "
            "replaced by equal ones, as for each attack: its forward must not ask for the types of its layers, or use "
            "what is outside of the network"
        )
    return model


def checked_for_training(model: OwnModel, architecture: Mapping[str, Any], image: ImageShape, classes: int) -> None:
    """Check that a model can be trained; it is left as it was, in evaluation mode.

    Raises `UserError` for a model without parameters, and for one that does not return logits in training mode or whose
    parameters get no gradient from them.
    """
    about = f"the network of the factory '{architecture['factory']}'"
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(f"{about} has no parameters to train: give its weights with the key 'weights'")
    trial, x = copied(model).train(), _images(image)
    _logits(trial, x, f"{about} in training mode", classes)
    try:
        with torch.enable_grad():
            trial(x).float().logsumexp(1).sum().backward()
    except Exception as error:
        raise UserError(f"{about} cannot be trained: its backward pass fails ({_words(error)})") from error


def suspected_bounds(outputs: Tensor) -> str:
    """Say that outputs (N, K) seem to be bounded, and which probability they cannot exceed then; empty where not.

    Whether they are is decided by the trust check `confidence_in_reach`: a few images do not show it.
    """
    others = outputs.shape[1] - 1
    for low, high, behind in ((0, 1, "a sigmoid"), (-1, 1, "a cosine or tanh")):
        if low <= float(outputs.min()) and float(outputs.max()) <= high:
            highest = 1 / (1 + others * math.exp(low - high))
            return (
                f"the outputs for {len(outputs)} images all lie between {low} and {high}, as behind {behind}: if they "
                f"cannot leave this range, no class can have a probability above {highest:.2f}, and an attack that "
                "asks for more fools no image; leave that last layer out, or multiply by the training's temperature"
            )
    return ""


# --- the factory -----------------------------------------------------------------------------------------------------


def _found(factory: str, about: str) -> Any:
    """Import the function that `package.module:function` names; the user's own files come before installed packages."""
    module, name = split(factory)
    folder = Path(os.environ.get("ROBUSTNESS_PYTHON_PATH", ".")).resolve()
    file = own_file(module, folder)
    if file is not None:
        importable(folder)
    try:
        with state_kept():
            imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            raise UserError(
                f"{about}: there is no module '{module}' below {folder} (python_path), and none is installed"
            ) from None
        raise UserError(f"{about}: importing '{module}' raises {_words(error)}: install what it needs") from error
    except (Exception, SystemExit) as error:
        name = getattr(error, "name", None) or ""
        hidden = is_taken(name) and (folder / f"{name}.py").exists()
        hint = f": {folder / name}.py has the name of another module: rename it" if hidden else ""
        if isinstance(error, SystemExit):
            raise UserError(
                f"{about}: importing '{module}' ends the program ({_words(error)}), as a script does: put what it runs "
                'under if __name__ == "__main__":'
            ) from error
        raise UserError(f"{about}: importing '{module}' raises {_words(error)}{hint}") from error
    if file is not None and Path(str(imported.__file__)) != file:
        raise UserError(f"{about} should be in {file}, but another module already has that name: rename the file")
    try:
        function = reduce(getattr, name.split("."), imported)
    except AttributeError:
        raise UserError(f"{about}: the module '{module}' ({imported.__file__}) has no '{name}'") from None
    if not callable(function):
        raise UserError(f"{about} is a {type(function).__name__}, which cannot be called: name a function or a class")
    return function


def _takes_channels_last(model: OwnModel, image: ImageShape) -> bool:
    """Return whether a pass forwards and back works on images with the channels last in memory, which is faster."""
    trial = copied(model).eval()
    try:
        trial = trial.to(memory_format=torch.channels_last)
        trial.channels_last = True
        x = _images(image)[:2].to(memory_format=torch.channels_last).requires_grad_()
        with torch.enable_grad():
            torch.autograd.grad(trial(x).sum(), x)
    except Exception:
        return False
    return True


def _give_sizes(model: OwnModel, image: ImageShape, about: str) -> None:
    """Let lazy layers take their sizes from a pass, since nothing of them can be copied or saved before."""
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        training = model.training
        with torch.no_grad():
            _passed(model.eval(), _images(image)[:2], about)
        model.train(training)


def _check_state(model: OwnModel, about: str) -> None:
    """Check that what is saved of a network consists of tensors that NumPy knows."""
    for name, value in saved_state(model.network).items():
        try:
            value.detach().cpu().contiguous().numpy()
        except (TypeError, RuntimeError, NotImplementedError) as error:
            raise UserError(
                f"{about} keeps '{name}' in its state, which is no plain tensor of numbers ({_words(error)}): build it "
                "with floating-point weights, since quantised and sparse layers have no gradient to attack along"
            ) from None


# --- what a classifier must do ---------------------------------------------------------------------------------------


def _images(image: ImageShape) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((_IMAGES, image.channels, image.height, image.width), generator=generator)


@torch.no_grad()
def _logits(model: nn.Module, x: Tensor, about: str, classes: int) -> Tensor:
    """Return the outputs for a batch after checking their form."""
    output = _passed(model, x, about)
    if not isinstance(output, Tensor):
        raise UserError(
            f"{about} returns a {type(output).__name__}: it must return one tensor, the logits, or something with an "
            "entry named 'logits'"
        )
    if output.shape != (len(x), classes):
        one = ": two classes need two outputs" if output.shape == (len(x), 1) else ""
        raise UserError(
            f"{about} returns {tuple(output.shape)} for {len(x)} images, but must return ({len(x)}, {classes}), a "
            f"value for each of the dataset's {classes} classes{one or ': set its number of classes in kwargs'}"
        )
    if not output.dtype.is_floating_point:
        raise UserError(f"{about} returns {output.dtype}: it must return logits, which are floating-point numbers")
    return output


def _passed(model: nn.Module, x: Tensor, about: str) -> Any:
    """Return what a network returns for a batch."""
    try:
        return model(x)
    except Exception as error:
        size = "×".join(map(str, x.shape[1:]))
        what = f"{about} fails on images of {size} (channels × height × width): {_words(error)}"
        if "must match" in str(error) or "mat1 and mat2" in str(error) or "image" in str(error).lower():
            what += "; where the network takes images of another size, give this size with the key 'resize'"
        if x.shape[1] == 1 and "channels" in str(error):
            what += "; for gray images and a network of three channels give 'normalisation' three values each"
        raise UserError(what) from error


def _alike(logits: Tensor, others: Tensor) -> bool:
    """Return whether two passes gave the same logits but for rounding."""
    return torch.allclose(logits, others.to(logits), rtol=1e-3, atol=1e-3 * float(logits.abs().max()))


def _check_values(logits: Tensor, model: OwnModel, x: Tensor, about: str) -> None:
    if not bool(logits.isfinite().all()):
        raise UserError(f"{about} returns values that are not finite (NaN or inf) for pixels in [0, 1]")
    with torch.no_grad():
        wide = torch.cat([logits, model(torch.zeros_like(x)), model(torch.ones_like(x)), model(x.round())]).double()
    # Probabilities in half precision sum to 1 within a hundredth.
    if bool((wide >= 0).all()) and bool(((wide.sum(1) - 1).abs() < 0.01).all()):
        raise UserError(
            f"{about} returns probabilities, which are not negative and sum to 1 for each image: leave out its "
            "softmax, since the attack needs logits"
        )


def _check_gradient(model: nn.Module, x: Tensor, about: str) -> Tensor:
    """Return the outputs of a pass with gradients, after checking that these reach the pixels."""
    x = x.clone().requires_grad_()
    try:
        with torch.enable_grad():
            output: Tensor = model(x)
            torch.autograd.grad(output.sum(), x)
    except Exception as error:
        raise UserError(
            f"{about} gives no gradient by the pixels ({_words(error)}): leave out what cuts the gradient off, such as "
            "detach, no_grad, NumPy"
        ) from None
    return output.detach()


def _words(error: BaseException) -> str:
    """Write an exception on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
