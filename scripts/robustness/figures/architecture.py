"""Diagrams of the networks: whole architectures (report, Fig. 2) and the residual block (Fig. 3).

Takes the operations that were traced on the models themselves, so a diagram cannot depart from what was trained;
reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Operation = Mapping[str, Any]
GAP = 0.16  # inches between boxes: room for an arrow
LINE = 0.125  # inches: a line of small text
ROW = 3  # columns beside each other: more are too narrow for their labels
MOST_BOXES = 12  # of an own network
IDLE = {"Dropout", "Dropout2d", "Identity", "StochasticDepth"}  # they do nothing once a network is trained
ACTIVATIONS = {"ELU", "GELU", "Hardsigmoid", "Hardswish", "LeakyReLU", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid"}
NORMS = {"BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm"}
ARROW = {"arrowstyle": "-|>", "mutation_scale": 7, "color": style.GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}


@dataclass
class Step:
    """One box of a diagram: its label, the shape that leaves it, and the blocks or units drawn inside it."""

    label: str
    shape: Sequence[int]
    kind: str
    blocks: list[bool] = field(default_factory=list)  # one each; whether its shortcut is a convolution
    units: int = 0

    @property
    def lines(self) -> int:
        """Lines of the label."""
        return 1 + self.label.count("\n")

    @property
    def height(self) -> float:
        """Height of the box in inches."""
        return (0.46 if self.blocks or self.units else 0.26) + LINE * (self.lines - 1)


def architecture(described: Mapping[str, Mapping[str, Any]], spec: Mapping[str, Any]) -> Figure:
    """A column per architecture of `spec["models"]`: its operations as boxes, its totals at the head.

    `described` is what the traced models are: per architecture `title`, `family`, `parameters`, `layers`,
    `skip_connections`, `gflops` and `operations` in the order of execution. Raises `UserError` for one that is
    missing.
    """
    names = list(dict.fromkeys(model["architecture"] for model in spec["models"]))
    width = style.PAGE_WIDTH / min(ROW, max(2, len(names)))
    networks = [_described(described, name) for name in names]
    columns = [(own_steps if _is_own(each) else steps)(each["operations"]) for each in networks]
    for step in (step for column in columns for step in column):
        step.label = style.wrap(step.label, width - 1.1, style.SMALL_SIZE)
    heads = [_head(network, width - 0.2) for network in networks]
    rows = [range(start, min(start + ROW, len(names))) for start in range(0, len(names), ROW)]
    # A row is as tall as its longest head and its longest column together.
    room = [(max(_head_height(heads[n]) for n in row), max(_height(columns[n]) for n in row)) for row in rows]
    with style.theme():
        top = sum(head + tall for head, tall in room) + 0.35 * (len(rows) - 1)
        figure, axes = _canvas(style.PAGE_WIDTH, top)
        for row, (head, tall) in zip(rows, room, strict=True):
            for number in row:
                left, column = (number - row.start) * width, columns[number]
                _write_head(axes, left, top, *heads[number])
                # A short column is spread out a little, so that it does not hang at the top.
                gap = GAP + min(0.25, (tall - _height(column)) / (len(column) - 1))
                _column(axes, left, top - head, width, column, gap, _hue(names[number], spec))
            top -= head + tall + 0.35
        shapes = "At the right of each box: what leaves it; images as channels × height × width."
        counting = "Layers are counted as Keras does; a multiply–add is two FLOP."
        if any(map(_is_own, networks)):
            counting += " Networks that are not the report's are drawn from their modules, and these are counted."
        style.caption(
            figure,
            f"{spec['dataset']['title']}: the networks",
            [shapes, _legend(columns), counting, *spec["footnote"]],
        )
    return figure


def skip_connection(described: Mapping[str, Mapping[str, Any]], spec: Mapping[str, Any]) -> Figure:
    """A block with the identity as its shortcut beside one with a convolution, from the first residual network.

    Takes what `architecture` takes. Raises `UserError` when no model of the spec is a residual network.
    """
    residual = [
        model["architecture"]
        for model in spec["models"]
        if _described(described, model["architecture"])["family"] == "resnet"
    ]
    if not residual:
        raise UserError(f"dataset '{spec['dataset']['name']}' has no residual network, so no skip connection to draw")
    name = residual[0]
    network = described[name]
    blocks = residual_blocks(network["operations"])
    kinds = [[key for key in blocks if ("shortcut" in blocks[key][1]) is converts] for converts in (False, True)]
    shown = [(keys[0], len(keys)) for keys in kinds if keys]
    with style.theme():
        tall = 0.42 + max(_block_height(blocks[key][1]) for key, _ in shown)
        figure, axes = _canvas(style.PAGE_WIDTH, tall)
        for place, (key, alike) in enumerate(shown):
            entering, parts = blocks[key]
            left = place * style.PAGE_WIDTH / 2
            stage, index = key
            heading = parts["shortcut"]["label"] if "shortcut" in parts else "identity"
            axes.text(left, tall - 0.02, f"Shortcut: {heading}", va="top", fontweight="bold", fontsize=style.TEXT_SIZE)
            before, after = (style.shape_text(shape[1:]) for shape in (entering["shape"], parts["add"]["shape"]))
            resized = f" ({before} → {after})" if before != after else ""
            where = f"stage {stage + 1}, block {index + 1}{resized}; {alike} of {len(blocks)} blocks are of this kind"
            axes.text(left, tall - 0.19, where, va="top", color=style.GREY, fontsize=style.SMALL_SIZE)
            _block(axes, left, tall - 0.42, entering, parts, _hue(name, spec))
        boxes = "In each box: the operation, the shape of its output and its parameters."
        style.caption(
            figure,
            f"{spec['dataset']['title']}: the residual blocks of the {network['title']}",
            [boxes, *spec["footnote"]],
        )
    return figure


def steps(operations: Sequence[Operation]) -> list[Step]:
    """The boxes of an architecture: a stage of blocks is one, an activation or normalisation joins what it follows.

    The softmax, which belongs to the loss and to the attack, ends the list.
    """
    found: list[Step] = []
    stage = None
    for operation in operations:
        name, kind, label, shape = (operation[key] for key in ("name", "type", "label", "shape"))
        if name.startswith("stages."):
            number, _, part = name.split(".")[1:4]
            if number != stage:
                stage = number
                stride = -(-found[-1].shape[-1] // shape[-1])
                found.append(Step(f"stride {stride}" if stride > 1 else "", shape, "stage"))
            found[-1].shape = shape
            if part == "add":
                found[-1].blocks.append(False)
        elif _joins(kind, found[-1].kind if found else ""):
            found[-1].label += f" → {label}"
            found[-1].shape = shape
        else:
            found.append(Step(label, shape, kind, units=shape[0] if kind == "Linear" else 0))
    converting = {key for key, (_, parts) in residual_blocks(operations).items() if "shortcut" in parts}
    stages = [step for step in found if step.kind == "stage"]
    for number, step in enumerate(stages):
        step.blocks = [(number, index) in converting for index in range(len(step.blocks))]
        count = f"{len(step.blocks)} block{'s' if len(step.blocks) > 1 else ''}"
        step.label = ", ".join(filter(None, [f"stage {number + 1}: {count}", f"{step.shape[0]} filters", step.label]))
    return [*found, Step("softmax", found[-1].shape, "softmax")]


def own_steps(operations: Sequence[Operation]) -> list[Step]:
    """The boxes of a network of the user's: its modules, as deep inside as there are at most `MOST_BOXES` boxes.

    Modules of one type that follow each other are one box, and so are a layer and the activation or norm behind it.
    """
    shown = [operation for operation in operations if operation["type"] not in IDLE]
    depths = range(max(len(_path(operation)) for operation in shown), 0, -1)
    found = next(boxes for depth in depths if len(boxes := _boxes(shown, depth)) <= MOST_BOXES or depth == 1)
    return [*found, Step("softmax", found[-1].shape, "softmax")]


def _boxes(operations: Sequence[Operation], depth: int) -> list[Step]:
    """A box for each module at `depth`, or less deep where that is a layer itself."""
    found: list[Step] = []
    for place, group in groupby(operations, key=lambda operation: _path(operation)[:depth]):
        parts = list(group)
        last = parts[-1]
        if len(_path(last)) <= depth:
            for each in parts:
                kind = each["type"]
                if kind in ACTIVATIONS | NORMS and found and found[-1].kind in ("Conv2d", "Linear"):
                    found[-1].label += f" → {each['label']}"
                    found[-1].shape = each["shape"]
                else:
                    found.append(Step(each["label"], each["shape"], kind))
            continue
        kind = last["inside"][depth]
        if kind == "Sequential":
            inner = {_path(each)[depth]: (each["inside"][depth + 1 :] or [each["type"]])[0] for each in parts}
            alike = len(set(inner.values())) == 1
            kind = f"{len(inner)} × {next(iter(inner.values()))}" if alike else f"{len(inner)} modules"
        found.append(Step(f"{'.'.join(place)}: {kind}", last["shape"], ".".join(place[:-1])))
    return _together(found)


def _together(boxes: Sequence[Step]) -> list[Step]:
    """Boxes of modules, with those of one type that follow each other in one module as one."""
    found: list[Step] = []
    for (kind, what), group in groupby(boxes, key=lambda step: (step.kind, step.label.partition(": ")[2])):
        alike = list(group)
        if what and len(alike) > 1:
            first, last = (step.label.partition(": ")[0] for step in (alike[0], alike[-1]))
            label = f"{first}–{last.rpartition('.')[2]}: {len(alike)} × {what}"
            found.append(Step(label, alike[-1].shape, kind))
        else:
            found += alike
    return found


def _path(operation: Operation) -> list[str]:
    """The names of the modules that an operation of an own network stands in, less the network itself."""
    return operation["name"].removeprefix("network.").split(".")


def _is_own(network: Mapping[str, Any]) -> bool:
    return network["family"] == "factory"


def residual_blocks(operations: Sequence[Operation]) -> dict[tuple[int, int], tuple[Operation, dict[str, Operation]]]:
    """Per (stage, block): the operation whose output enters the block, and its parts by name in order."""
    blocks: dict[tuple[int, int], tuple[Operation, dict[str, Operation]]] = {}
    for before, operation in pairwise(operations):
        if operation["name"].startswith("stages."):
            stage, index, part = operation["name"].split(".")[1:4]
            key = (int(stage), int(index))
            blocks.setdefault(key, (before, {}))[1][part] = operation
    return blocks


def _joins(kind: str, before: str) -> bool:
    return (kind in ("ReLU", "BatchNorm2d") and before in ("Conv2d", "Linear")) or (
        kind == "Flatten" and before == "AvgPool2d"
    )


def _described(described: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    if name not in described:
        raise UserError(
            f"the description of the architectures lacks '{name}' (it has {', '.join(described)}): delete it and run "
            "the workflow again"
        )
    return described[name]


def _hue(architecture: str, spec: Mapping[str, Any]) -> str:
    model = {"name": architecture, "architecture": architecture, "data": "clean"}
    return style.look(model, spec["architectures"]).edge


def _height(column: Sequence[Step]) -> float:
    return sum(step.height for step in column) + GAP * (len(column) - 1)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one invisible pair of axes over all of it, whose unit is the inch."""
    margin = 0.02  # half a line's width, which would be cut off at the axes' edge
    figure = style.blank(width + 2 * margin, height + 2 * margin, None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-margin, width + margin), ylim=(-margin, height + margin))
    axes.set_axis_off()
    return figure, axes


def _head(network: Mapping[str, Any], room: float) -> tuple[str, str]:
    """What stands above a column, wrapped: the network's title, and its totals."""
    skips = network["skip_connections"]
    flops = network["gflops"]
    cost = f"{flops:.3g} GFLOP" if flops >= 1 else f"{1000 * flops:.3g} MFLOP"
    totals = [f"{network['parameters']:,} trainable parameters", f"{network['layers']} layers"]
    if not _is_own(network):
        totals.append(f"{skips or 'no'} skip connection{'' if skips == 1 else 's'}")
    words = ", ".join([*totals, f"{cost} per image"])
    return (
        style.wrap(network["title"], room, style.TEXT_SIZE, "bold"),
        style.wrap(words, room, style.SMALL_SIZE),
    )


def _head_height(head: tuple[str, str]) -> float:
    title, totals = head
    return 0.32 + 0.15 * title.count("\n") + LINE * (1 + totals.count("\n"))


def _write_head(axes: Axes, left: float, top: float, title: str, totals: str) -> None:
    axes.text(left, top - 0.02, title, va="top", fontweight="bold", fontsize=style.TEXT_SIZE)
    below = top - 0.19 - 0.15 * title.count("\n")
    axes.text(left, below, totals, va="top", color=style.GREY, fontsize=style.SMALL_SIZE, linespacing=1.25)


def _column(axes: Axes, left: float, top: float, width: float, column: list[Step], gap: float, hue: str) -> None:
    wide = width - 1.0
    middle = left + wide / 2
    for place, step in enumerate(column):
        bottom = top - step.height
        _box(axes, left, bottom, wide, step.height, hue, plain=step.kind in ("Input", "softmax"))
        centre = top - 0.13 - LINE * (step.lines - 1) / 2
        axes.text(middle, centre, step.label, ha="center", va="center", fontsize=style.SMALL_SIZE, linespacing=1.2)
        axes.text(
            left + wide + 0.07,
            top - step.height / 2,
            style.shape_text(step.shape) + _unit(step),
            va="center",
            color=style.GREY,
            fontsize=style.SMALL_SIZE,
        )
        if step.blocks or step.units:
            _cells(axes, middle, bottom + 0.12, step, hue)
        if place + 1 < len(column):
            axes.annotate("", (middle, bottom - gap), (middle, bottom), arrowprops=ARROW)
        top = bottom - gap


def _unit(step: Step) -> str:
    if len(step.shape) > 1:
        return ""
    return {"Linear": " units", "softmax": " probabilities"}.get(step.kind, " values")


def _cells(axes: Axes, middle: float, height: float, step: Step, hue: str) -> None:
    """Inside a box: its blocks as squares with an arc over each, or its units as circles (a few, if they are many)."""
    from matplotlib.patches import Arc, Circle, Rectangle

    hollow = {"facecolor": "white", "edgecolor": hue, "linewidth": 0.8, "zorder": 3}
    if step.units:
        few = step.units <= 12
        count = step.units if few else 11
        for index in range(count):
            x = middle + (index - (count - 1) / 2) * 0.15
            if not few and index == count // 2:
                axes.text(x, height, "…", ha="center", va="center", fontsize=style.TEXT_SIZE, color=hue)
            else:
                axes.add_patch(Circle((x, height), 0.05, **hollow))
    for index, converts in enumerate(step.blocks):
        x = middle + (index - (len(step.blocks) - 1) / 2) * 0.24
        axes.add_patch(Rectangle((x - 0.055, height - 0.06), 0.11, 0.09, **hollow))
        line = {"color": hue, "linewidth": 0.9, "linestyle": ":" if converts else "-", "zorder": 3}
        axes.add_patch(Arc((x, height - 0.01), 0.2, 0.17, theta2=180, **line))


def _box(axes: Axes, x: float, y: float, wide: float, high: float, hue: str, *, plain: bool = False) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import FancyBboxPatch

    # Opaque, and above lines: the shortcut's line ends at the box that stands on it.
    face = "white" if plain else [1 - 0.13 * (1 - part) for part in to_rgb(hue)]
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            wide,
            high,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=face,
            edgecolor=style.GREY if plain else hue,
            linewidth=0.8,
            zorder=2.5,
        )
    )


def _legend(columns: Sequence[Sequence[Step]]) -> str:
    if not any(step.blocks for column in columns for step in column):
        return ""
    return "Squares: residual blocks; arcs: their skip connections, dotted where the shortcut is a convolution."


# Inches in the drawing of a block: a box of two lines, what stands above the first box, the arrow below the last.
PART_HEIGHT, ENTRY, EXIT = 0.36, 0.52, 0.22


def _block_height(parts: Mapping[str, Operation]) -> float:
    path = len([part for part in parts if part != "shortcut"])
    return ENTRY + path * PART_HEIGHT + (path - 1) * GAP + EXIT


def _block(axes: Axes, left: float, top: float, entering: Operation, parts: Mapping[str, Operation], hue: str) -> None:
    """Draw a block's path downwards from `top`, and its shortcut as an elbow at the right, into the addition."""
    wide, side = 1.7, left + 2.5
    middle = left + wide / 2
    small = {"ha": "center", "va": "center", "fontsize": style.SMALL_SIZE, "color": style.GREY}
    axes.text(middle, top - 0.1, f"from {entering['label']}, {style.shape_text(entering['shape'])}", **small)
    y, gap, fork = top - 0.2, ENTRY - 0.2, top - 0.32
    for part, operation in parts.items():
        if part == "shortcut":
            continue
        below = y - gap
        axes.annotate("", (middle, below), (middle, y), arrowprops=ARROW)
        y, gap = below - PART_HEIGHT, GAP
        _box(axes, left, y, wide, PART_HEIGHT, hue, plain=part == "add")
        _part_text(axes, middle, y + PART_HEIGHT / 2, operation)
        if part == "add":
            _shortcut(axes, (middle, fork), (left + wide, y + PART_HEIGHT / 2), side, parts.get("shortcut"), hue)
    axes.annotate("", (middle, y - EXIT), (middle, y), arrowprops=ARROW)


def _part_text(axes: Axes, x: float, y: float, operation: Operation) -> None:
    details = [style.shape_text(operation["shape"])]
    if operation["parameters"]:
        details.append(f"{operation['parameters']:,} parameters")
    small = {"ha": "center", "va": "center", "zorder": 3}
    axes.text(x, y + 0.075, operation["label"], fontsize=style.SMALL_SIZE + 0.5, **small)
    axes.text(x, y - 0.08, " · ".join(details), fontsize=style.SMALL_SIZE, color=style.GREY, **small)


def _shortcut(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    side: float,
    operation: Operation | None,
    hue: str,
) -> None:
    """The elbow from `start` by way of x = `side` into `end`, with the operation on it or the word identity."""
    from matplotlib.patches import Circle

    axes.plot([start[0], side, side, end[0] + 0.08], [start[1], start[1], end[1], end[1]], color=hue, linewidth=1.4)
    axes.annotate("", end, (end[0] + 0.2, end[1]), arrowprops={**ARROW, "color": hue, "linewidth": 1.4})
    axes.add_patch(Circle(start, 0.03, facecolor=hue, edgecolor="none", zorder=3))
    centre = (start[1] + end[1]) / 2
    if operation is None:
        axes.text(side + 0.08, centre, "identity", va="center", fontsize=style.SMALL_SIZE + 0.5)
        return
    wide, high = 1.36, PART_HEIGHT + 0.16
    _box(axes, side - wide / 2, centre - high / 2, wide, high, hue)
    small = {"ha": "center", "va": "center", "zorder": 3}
    lines = [operation["label"], style.shape_text(operation["shape"]), f"{operation['parameters']:,} parameters"]
    for line, text in enumerate(lines):
        colour, size = (style.GREY, style.SMALL_SIZE) if line else (style.INK, style.SMALL_SIZE + 0.5)
        axes.text(side, centre + 0.155 * (1 - line), text, color=colour, fontsize=size, **small)
