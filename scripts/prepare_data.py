"""Turn a source into the training, validation and test images of a dataset.

Reads the files that a manifest of `download_data.py` names (their checksums are verified once more), or what an
installed package or a folder of images holds. Writes three safetensors files with `images` uint8 (N, C, H, W),
`labels` int64 (N,) and `index` int64 (N,), the images' rows in the source; their headers hold the class names and the
provenance. Everything after it knows only this format. Also writes, and logs, how many images were read, and how many
files were passed over or changed, by reason.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robustness.data.account import sentence
from robustness.data.source import read
from robustness.data.splits import split
from robustness.data.verified import VerifiedFile, read_verified
from robustness.errors import UserError
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import read_json, write_json
from robustness.storage.format_version import check_format
from robustness.storage.identity import Identity
from robustness.storage.provenance import stamp
from robustness.storage.tensors import write_tensors


def arguments() -> argparse.ArgumentParser:
    """The command line of this script."""
    command_line = parser(__doc__)
    command_line.add_argument("--manifest", type=Path, metavar="FILE", help="of the source's downloaded files")
    command_line.add_argument(
        "--downloads",
        type=Path,
        default=os.environ.get("ROBUSTNESS_DOWNLOADS"),
        metavar="FOLDER",
        help="where the downloaded files lie (default: $ROBUSTNESS_DOWNLOADS)",
    )
    for name in ("train", "validation", "test"):
        command_line.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=f"the {name} images")
    command_line.add_argument(
        "--counts", type=Path, required=True, metavar="JSON", help="what was read and passed over"
    )
    return command_line


def main(options: argparse.Namespace) -> None:
    """Read the source, split it, write the three files."""
    dataset, source, classes, counts, size = settings(
        options.spec, "dataset", "source", "classes", "split", "image_size"
    )
    files = _downloaded(options.manifest, options.downloads, source)
    images = read(source, classes, files)
    lossy = images.account.passed_over or images.account.changed
    logging.log(logging.WARNING if lossy else logging.INFO, "%s: %s", dataset, sentence(images.account))
    found = list(images.train_images.shape[1:])
    if found != size:
        raise UserError(f"the images of {dataset} are {found}: set datasets.{dataset}.image_size (now {size}) to that")
    splits = split(images, counts, classes, dataset=dataset, source=source["kind"])
    _check_examples(dataset, classes, splits["test"].labels)
    metadata = Identity(dataset).header(stamp(options.spec)) | {"classes": classes}
    for name, part in splits.items():
        path = getattr(options, name)
        write_tensors(path, {"images": part.images, "labels": part.labels, "index": part.index}, metadata)
        logging.info("%s: %d images of %s", path, len(part.labels), "x".join(map(str, part.images.shape[1:])))
    write_json(options.counts, asdict(images.account) | metadata)


def _check_examples(dataset: str, classes: list[str], labels: NDArray[np.int64]) -> None:
    """Raise `UserError` where none of the images that are attacked, the first of `labels`, is of an example's class.

    Which these are comes through the environment, since they change nothing of what is written here.
    """
    shown, attacked = json.loads(os.environ.get("ROBUSTNESS_EXAMPLES", "{}")).get(dataset, ([], 0))
    for name in shown:
        (places,) = np.nonzero(labels == classes.index(name))
        if not len(places) or places[0] >= attacked:
            least = f"raise attacked_images to at least {places[0] + 1}, or " if len(places) else ""
            raise UserError(
                f"datasets.{dataset}.example_classes names '{name}', but none of the first {attacked} test images is of"
                f" this class: {least}choose another class"
            )


def _downloaded(manifest: Path | None, downloads: Path | None, source: dict[str, object]) -> dict[str, VerifiedFile]:
    if "files" not in source:
        return {}
    if manifest is None or downloads is None:
        raise UserError(f"a source of the kind {source['kind']} is downloaded: give --manifest and --downloads")
    content = read_json(manifest)
    check_format(manifest, content)
    entries = content.get("files", content)  # the first format had nothing but these
    return {role: read_verified(downloads / entry["name"], entry["sha256"]) for role, entry in entries.items()}


if __name__ == "__main__":
    run(main, arguments())
