"""Writes a data set of torchvision into an archive of images that a study reads, and gets its models' weights.

torchvision downloads and verifies; the archive then is the study's source (`kind: imagefolder`), so that the workflow
knows no data set by name, and a machine without internet needs one file.
"""

from __future__ import annotations

import inspect
import io
import re
import zipfile
from pathlib import Path
from typing import Any

from robustness.data.image_folder import class_names
from robustness.errors import UserError
from robustness.storage.atomic import replacing
from robustness.text import listed

KNOWN = (
    "CIFAR10",
    "CIFAR100",
    "Country211",
    "DTD",
    "EMNIST",
    "FGVCAircraft",
    "FashionMNIST",
    "Flowers102",
    "Food101",
    "GTSRB",
    "Imagenette",
    "KMNIST",
    "MNIST",
    "OxfordIIITPet",
    "QMNIST",
    "RenderedSST2",
    "STL10",
    "SVHN",
    "USPS",
)
"""Data sets of torchvision that it downloads by itself, with images for training and testing, each of one class."""

NORMALISED_INSIDE = ("inception_v3", "googlenet")
"""Models whose weights were trained on (p - 0.5) / 0.5: built with them, torchvision's own code converts to that."""
PARTS = {"FGVCAircraft": ("trainval", "test"), "Imagenette": ("train", "val"), "OxfordIIITPet": ("trainval", "test")}
"""How data sets call their parts for training and for testing, where not `train` and `test`."""


def export(name: str, downloads: Path, split: str | None = None, size: int | None = None) -> tuple[Path, list[str]]:
    """Write `torchvision.datasets.<name>` into an archive, unless it is there; return its path and the class names.

    Images are stored as PNG, in `train/<class>/` and `test/<class>/`; names are in the order of the labels. `split`
    selects one of several data sets (EMNIST's). With `size` the shorter side of each image becomes so many pixels, and
    the middle is cut out.

    Raises `UserError` for an unknown name, or where images differ in size and no `size` is given.
    """
    parts = {part: _part(name, downloads / name, part, split) for part in ("train", "test")}
    classes = _class_names(parts["train"])
    archive = downloads / ("-".join(str(word) for word in (name, split, size) if word) + ".zip")
    if not archive.exists():
        with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as file:
            for part, images in parts.items():
                _write(file, part, images, classes, size)
    there = set(class_names(archive))  # EMNIST's letters have a class without images
    return archive, [name for name in classes if name in there]


def _part(name: str, root: Path, part: str, split: str | None) -> Any:
    from torchvision import datasets

    if name not in KNOWN:
        raise UserError(f"'{name}' is no data set that is known here: choose one of {', '.join(KNOWN)}")
    factory = getattr(datasets, name)
    options = {option for kind in factory.__mro__[:-1] for option in inspect.signature(kind).parameters}
    chosen: dict[str, Any] = {"split": split} if split else {}
    if "train" in options:
        chosen["train"] = part == "train"
    else:
        chosen["split"] = PARTS.get(name, ("train", "test"))[part == "test"]
    root.mkdir(parents=True, exist_ok=True)
    try:
        return factory(str(root), download=True, **chosen)
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"torchvision cannot get {name} into {root} ({reason})") from None


def _class_names(images: Any) -> list[str]:
    """Return the names of the classes in the order of the labels; numbers where torchvision has no names.

    A name becomes part of the names of files: `T-shirt/top` is `T-shirt_top`.
    """
    names = getattr(images, "classes", None) or sorted({int(label) for _, label in images})
    width = len(str(len(names)))
    names = [name[0] if isinstance(name, tuple) else name for name in names]  # of several names, the first
    return [re.sub(r"\W*[^\w-]+\W*", "_", name) if isinstance(name, str) else f"{name:0{width}d}" for name in names]


def _write(file: zipfile.ZipFile, part: str, images: Any, classes: list[str], size: int | None) -> None:
    sizes = set()
    for number, (image, label) in enumerate(images):
        made = image if size is None else _middle(image, size)
        sizes.add(made.size)
        if len(sizes) > 1:
            told = listed([f"{width}x{height}" for width, height in sorted(sizes)])
            raise UserError(f"the images have several sizes, such as {told}: say to which size, as in SIZE=64")
        content = io.BytesIO()
        made.save(content, "png")
        file.writestr(f"{part}/{classes[int(label)]}/{number:06d}.png", content.getvalue())


def _middle(image: Any, size: int) -> Any:
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def pretrained(factory: str, downloads: Path) -> tuple[Path, list[float], list[float]]:
    """Write the default weights of one of torchvision's models to a file; return it, with the mean and deviation.

    Raises `UserError` where the factory is none of torchvision's, or the weights cannot be had.
    """
    import torch
    from torchvision import models

    module, _, name = factory.partition(":")
    if module != "torchvision.models" or name not in models.list_models(module=models):
        raise UserError(
            f"WEIGHTS=DEFAULT needs a classifier of torchvision, as FACTORY=torchvision.models:resnet18: {factory}"
        )
    weights = models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()
    path = downloads / f"{name}-{weights.name}.pt"
    if not path.exists():
        try:
            # Under the names that it has today, and with all parts that the factory builds.
            parts = {"aux_logits": True} if name in NORMALISED_INSIDE else {}
            state = models.get_model(name, weights=weights, **parts).state_dict()
        except OSError as error:
            raise UserError(f"the weights of {factory} cannot be had ({error})") from None
        content = io.BytesIO()
        torch.save(state, content)
        downloads.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:  # whole, or not at all
            temporary.write_bytes(content.getvalue())
    if name in NORMALISED_INSIDE:
        return path, [0.5] * 3, [0.5] * 3
    return path, list(transforms.mean), list(transforms.std)
