"""Write the overlay of a study of your own images, or of a data set of torchvision, and of your own network.

`make overlay` runs it. It reads all images, as the study will, fills in what they tell (classes, size, numbers, the
mean and deviation of their channels), chooses the rest, and says in comments what to look at.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.config.overlays import merged  # noqa: E402
from robustness.config.validate import check, read_yaml  # noqa: E402
from robustness.data.account import sentence  # noqa: E402
from robustness.data.image_folder import class_names, read  # noqa: E402
from robustness.data.splits import SourceImages, split  # noqa: E402
from robustness.errors import UserError  # noqa: E402
from robustness.text import counted  # noqa: E402

sys.path.insert(0, str(ROOT / "tools"))

from export_dataset import export, pretrained  # noqa: E402

RESNET_SIDES = range(25, 33)
"""Sides of the images, in pixels, that the paper's ResNet takes."""
MOST_TARGETED_CLASSES = 10
"""With more classes, one image of each is attacked toward others: more would take most of the time."""
ATTACKED = 100
LEAST_STEPS, MOST_EPOCHS = 300, 100
"""Of training: after a few dozen steps, a network has hardly learnt anything."""
LEAST_IMAGES = 2
"""That a network can be trained on: of one image, a batch has no variance."""


@dataclass(frozen=True)
class Network:
    """A network of the user: its factory (`package.module:function`) and, if it is trained, its file of weights."""

    factory: str
    weights: Path | None
    normalisation: str | None = None
    """As YAML, where it is known with which mean and deviation the weights were trained."""


def overlay(name: str, path: Path, classes: Sequence[str], images: SourceImages, network: Network | None) -> str:
    """Return the overlay as YAML, for images with `classes` at `path`."""
    count, channels, height, width = images.train_images.shape
    validation = max(1, count // 10)
    if count - validation < LEAST_IMAGES:
        raise UserError(f"{path} has only {counted(count, 'image')} in train/: put {LEAST_IMAGES + 1} or more there")
    moments = _moments(images.train_images)
    counts = {"train": count - validation, "validation": validation, "test": len(images.test_labels)}
    attacked = split(images, counts, classes, dataset=name, source="imagefolder")["test"].labels[:ATTACKED]
    shown = [class_name for label, class_name in enumerate(classes) if label in attacked]
    gray = channels == 1
    budgets = "0.1, 0.2, 0.3" if gray else "2/255, 4/255, 8/255"
    lines = [
        f"# A study of the images in {path}, written by make overlay; docs/configuration.md describes every key.",
        f"scale: {{ name: {name}, title: {name} }}",
        f"results: results/{name}",
        f"study: [{name}]",
        *(["python_path: . # the folder in which the factory's module is looked for first"] if network else []),
        *([] if network and network.weights else _training(count - validation)),
        "",
        "sources:",
        f"  {name}: {_flow({'kind': 'imagefolder', 'path': str(path)})}",
        "",
        "datasets:",
        f"  {name}:",
        f"    title: {name}",
        f"    source: {name}",
        f"    image_size: [{channels}, {height}, {width}]",
        "    # The order of the labels. A network with weights must have learnt the classes in this order.",
        f"    classes: {_flow(list(classes))}",
        "    # Every image; the validation images are taken from train/.",
        f"    split: {{ {', '.join(f'{part}: {number}' for part, number in counts.items())} }}",
        f"    attacked_images: {len(attacked)} # the first test images; more take longer",
        "    # No alpha: a pilot on 20 images chooses the step of the attack.",
        f"    threat_models: {{ linf: [{budgets}] }} # budgets of AutoAttack",
        f"    changed_pixel_threshold: {0.1 if gray else 0.01} # a pixel counts as changed above this",
        f"    example_classes: {_flow(shown[:2])} # shown in figures; some attacked image must be of each",
        "    models:",
        *_model(network, height, width, moments, len(classes)),
        "",
        "claims: [] # your own: docs/claims.md",
    ]
    if len(classes) == 2:
        lines.append("attacks: # of two classes, the more probable one always has at least 0.5")
        lines += [f"  {attack}: {{ other_confidences: [argmax] }}" for attack in ("original", "strong")]
    if len(classes) > MOST_TARGETED_CLASSES:
        lines.append("targeted: { images_per_class: 1 } # with so many classes; toward 9 others, drawn for each class")
    return "\n".join(lines) + "\n"


def _training(images: int) -> list[str]:
    """Return batch size and epochs, where there are too few images for config.yaml's."""
    usual = read_yaml(ROOT / "config.yaml")["training"]
    batch = min(images, usual["batch_size"])
    epochs = min(MOST_EPOCHS, -(-LEAST_STEPS // max(1, images // batch)))
    settings = {"batch_size": batch} if batch < usual["batch_size"] else {}
    if epochs <= usual["epochs"]:
        return [f"training: {_flow(settings)}"] if settings else []
    comment = f"# {usual['epochs']}, as in config.yaml, would be too few for so few images"
    return [f"training: {_flow(settings | {'epochs': epochs})} {comment}"]


def _model(
    network: Network | None, height: int, width: int, moments: tuple[list[float], list[float]], classes: int
) -> list[str]:
    if network is None and height in RESNET_SIDES and width in RESNET_SIDES:
        return ["      resnet-clean: { architecture: resnet, data: clean } # the paper's, trained here"]
    # Three values for gray images repeat their channel, since torchvision's networks take three.
    mean, deviation = (_listed(each * 3 if network is None and len(each) == 1 else each) for each in moments)
    normalisation = f"normalisation: {{ mean: {mean}, std: {deviation} }}"
    if network is None:
        return [
            "      resnet18: # torchvision's, trained here",
            "        factory: torchvision.models:resnet18",
            f"        kwargs: {{ num_classes: {classes} }}",
            f"        {normalisation} # of the training images",
            "        title: ResNet-18",
            "        data: clean",
        ]
    lines = ["      mine:", f"        factory: {network.factory}"]
    lines.append(f"        # kwargs: {{ num_classes: {classes} }} # what the factory is called with")
    if network.weights is None:
        return [*lines, f"        {normalisation} # of the training images", "        data: clean # trained here"]
    if network.normalisation is None:
        lines.append(
            "        # Of these training images. Put what the network was trained with; null if it needs none."
        )
    known = network.normalisation or normalisation
    return [*lines, f"        {known}", f"        weights: {_flow(str(network.weights))}"]


def _moments(images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel (N, C, H, W), with pixels in [0, 1]; copies no floats.

    A deviation is at least 0.001, since a network divides by it.
    """
    levels = np.arange(256) / 255
    shares = [np.bincount(channel.ravel(), minlength=256) / channel.size for channel in images.swapaxes(0, 1)]
    means = [float(share @ levels) for share in shares]
    deviations = [float(share @ (levels - mean) ** 2) ** 0.5 for share, mean in zip(shares, means, strict=True)]
    return means, [max(0.001, deviation) for deviation in deviations]


def _listed(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.3f}' for value in values)}]"


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def problems(text: str) -> list[str]:
    """Return what is wrong with the configuration that an overlay makes, one sentence each."""
    return check(merged(ROOT, [yaml.safe_load(text)]), read_yaml(ROOT / "schemas" / "config.schema.yaml"))


def _images(options: argparse.Namespace) -> tuple[Path, list[str]]:
    """Return the place of the images, and their classes in the order of the labels."""
    if not options.dataset:
        path = Path(options.images)
        return path, class_names(path)
    downloads = Path(read_yaml(ROOT / "config.yaml")["downloads"])
    return export(options.dataset, downloads, options.split, options.size)


def _network(options: argparse.Namespace) -> Network | None:
    """Return the network that the options name, if any, with its weights fetched where they ask for torchvision's."""
    if options.weights and not options.factory:
        raise UserError("WEIGHTS needs FACTORY, the function that returns the network")
    if options.weights == "DEFAULT":
        path, mean, deviation = pretrained(options.factory, Path(read_yaml(ROOT / "config.yaml")["downloads"]))
        known = (
            f"normalisation: {{ mean: {_listed(mean)}, std: {_listed(deviation)} }} # of ImageNet, as it was trained"
        )
        return Network(options.factory, path, known)
    weights = Path(options.weights) if options.weights else None
    if weights is not None and not weights.is_file():
        raise UserError(f"WEIGHTS names {weights}, which is no file")
    return Network(options.factory, weights) if options.factory else None


def main() -> None:
    """Read the images, write the overlay, and say what to type next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="the study's name: the overlay is NAME.yaml, the results are in results/NAME")
    parser.add_argument("images", help="a folder or archive with train/<class>/ and test/<class>/, or nothing")
    parser.add_argument("--dataset", help="a data set of torchvision, in place of images, such as CIFAR100")
    parser.add_argument("--split", help="which of several data sets of one name, such as EMNIST's letters")
    parser.add_argument("--size", type=int, help="the side, in pixels, to which the data set's images are brought")
    parser.add_argument("--factory", help="package.module:function, which returns the network")
    parser.add_argument(
        "--weights", help="the network's weights, or DEFAULT for torchvision's; without them it is trained here"
    )
    options = parser.parse_args()
    to = Path(f"{options.name}.yaml")
    try:
        if not options.name or bool(options.images) == bool(options.dataset):
            raise UserError(
                "say which images, and how to call their study: make overlay NAME=pets IMAGES=/data/pets, or "
                "NAME=cifar100 DATASET=CIFAR100"
            )
        if not options.dataset and (options.size or options.split):
            raise UserError("SIZE and SPLIT are for DATASET: images of your own are taken as they are")
        known = read_yaml(ROOT / "config.yaml")
        if options.name in known["datasets"] or options.name in known["sources"]:
            raise UserError(
                f"config.yaml has a dataset or source '{options.name}', with which the overlay would be merged: choose "
                "another NAME"
            )
        if to.exists():
            raise UserError(f"{to} exists: remove it, or choose another NAME")
        network = _network(options)
        path, classes = _images(options)
        images = read({"path": path}, classes)
        text = overlay(options.name, path, classes, images, network)
        if found := problems(text):
            raise UserError("\n".join(found))
    except (UserError, OSError) as error:
        sys.exit(str(error))
    to.write_text(text, encoding="utf-8")
    _, channels, height, width = images.train_images.shape
    print(f"{path}: {sentence(images.account)}")
    print(f"{to}: {counted(len(classes), 'class', 'classes')}, {'gray' if channels == 1 else 'RGB'}, {height}x{width}")
    print(f"Look at it, then run:\n  .venv/bin/snakemake --cores 2 --configfile {shlex.quote(str(to))}")


if __name__ == "__main__":
    main()
