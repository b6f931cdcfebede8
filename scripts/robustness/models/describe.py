"""Counts and lists on a network itself its parameters, layers, FLOP, and operations in their order.

Figures and tables are made from the very network that is trained, so that they cannot differ from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robustness.models.architectures import Add
from robustness.models.image_shape import ImageShape
from robustness.models.placement import device_of
from robustness.models.wrapper import Normalise, OwnModel, Resize


@dataclass(frozen=True)
class Summary:
    """What a model is, counted on the module itself.

    `layers` counts as Keras does, which is how the paper counts: the input, every operation that is a layer of its own
    (activations, additions and the flattening included), and the dense layer with its softmax as one. For the user's
    own networks only operations that are modules count; skip connections are no modules, so their number is not known.
    """

    parameters: int
    layers: int
    skip_connections: int | None
    gflops: float


def leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the model's layers in the order of their definition: (dotted name, module), for childless modules."""
    return [(name, module) for name, module in model.named_modules() if not any(module.children())]


def summarise(model: nn.Module, image: ImageShape) -> Summary:
    """Count a model's trainable parameters, layers, skip connections and GFLOP per image (one forward pass).

    FLOP are counted by PyTorch over matrix multiplications and convolutions, a multiply-add as two. A model on the
    `meta` device works, and costs neither memory nor time. Leaves the model in evaluation mode.
    """
    # PyTorch imports it for the counter, and for every optimiser. It is named here since it takes two seconds, which
    # jobs are spared whose modules a fork server has imported (`runtime.forkserver.modules_for`).
    import torch._dynamo
    from torch.utils.flop_counter import FlopCounterMode

    own = model.network if isinstance(model, OwnModel) else None
    modules = [module for _, module in leaves(model if own is None else own)]
    counter = FlopCounterMode(display=False)
    # With gradients: without, attention takes a fused path that the counter does not know.
    with counter, torch.enable_grad():
        model.eval()(torch.zeros(1, image.channels, image.height, image.width, device=device_of(model)))
    return Summary(
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        layers=1 + len(modules),
        skip_connections=None if own is not None else sum(isinstance(module, Add) for module in modules),
        gflops=counter.get_total_flops() / 1e9,
    )


def operations(model: nn.Module, image: ImageShape) -> list[dict[str, Any]]:
    """Trace the layers in the order of their execution, for drawing.

    Each has its name, type, label, output shape and parameters, and the types of the modules that it is `inside` of.
    """
    found: list[dict[str, Any]] = [
        {
            "name": "input",
            "type": "Input",
            "label": "input",
            "shape": [image.channels, image.height, image.width],
            "parameters": 0,
            "inside": [],
        }
    ]

    kinds = {name: type(module).__name__ for name, module in model.named_modules()}

    def note(name: str, module: nn.Module, output: Any) -> None:
        parts = name.split(".")
        found.append(
            {
                "name": name,
                "type": type(module).__name__,
                "label": _label(module),
                "shape": _shape_of(output),
                "parameters": sum(parameter.numel() for parameter in module.parameters()),
                "inside": [kinds[".".join(parts[:end])] for end in range(1, len(parts))],
            }
        )

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
        for name, module in leaves(model)
        if not isinstance(module, torch.jit.ScriptModule)  # takes no hooks
    ]
    with torch.enable_grad():
        model.eval()(torch.zeros(1, image.channels, image.height, image.width, device=device_of(model)))
    for hook in hooks:
        hook.remove()
    return found


def _shape_of(output: Any) -> list[int]:
    """Return the shape of what a layer returns, without the batch: of the first tensor in it, if there is one."""
    while isinstance(output, Mapping | tuple | list) and output:  # recurrent layers return their state as well
        output = next(iter(output.values())) if isinstance(output, Mapping) else output[0]
    return list(output.shape[1:]) if isinstance(output, Tensor) else []


def _label(module: nn.Module) -> str:
    match module:
        case nn.Conv2d():
            stride = f", stride {module.stride[0]}" if module.stride[0] != 1 else ""
            return f"{module.kernel_size[0]}×{module.kernel_size[1]} conv, {module.out_channels}{stride}"
        case nn.Linear():
            return f"dense, {module.out_features}"
        case nn.BatchNorm2d():
            return "batch norm"
        case nn.AvgPool2d():
            return f"average pool {module.kernel_size}×{module.kernel_size}"
        case nn.Flatten():
            return "flatten"
        case Resize():
            return f"resize to {module.size[0]}×{module.size[1]}"
        case Normalise():
            return "normalise"
        case Add():
            return "add"
    return type(module).__name__
