"""Select the images that the example figures show: for each example class, one image and every model's result.

Reads the measures (records) and the adversarial images of one attack on all models, and the test images; writes the
few chosen images with what the models said of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas

from robustness.analysis.examples import first_example
from robustness.data.pixels import from_bytes
from robustness.errors import UserError
from robustness.runtime.cli import parser, run
from robustness.storage.files import read_tensors, write_tensors
from robustness.storage.grouping import by_key
from robustness.storage.provenance import stamp
from robustness.storage.records import read_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="one per model")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="models × shards")
    result.add_argument("--examples", type=Path, required=True, metavar="FILE")
    return result


def main(options: argparse.Namespace) -> None:
    spec = options.spec
    confidence = spec["required_confidence"]
    records = [_at(read_records(path), confidence) for path in options.measures]
    by_model = by_key(options.adversarial, range(len(records))).values()
    images = [_example(records, spec, name) for name in spec["example_classes"]]
    chosen = pandas.concat(
        [table.set_index("image").loc[images].assign(model=model) for model, table in enumerate(records)]
    )
    columns = {name: chosen[name].to_numpy().reshape(len(records), len(images)).T for name in chosen.columns}
    originals = [read_tensors(options.test, "images", rows=slice(image, image + 1))[0][0] for image in images]
    write_tensors(
        options.examples,
        {
            "original": from_bytes(np.stack(originals)),
            "adversarial": np.stack(
                [[_adversarial(paths, image, confidence) for paths in by_model] for image in images]
            ),
            "label": columns["label"][:, 0],
            "label_before": columns["label_before"],
            "label_after": columns["label_after"],
            "confidence_after": columns["confidence_after"],
        },
        {
            "classes": spec["example_classes"],
            "models": spec["models"],
            "ended": columns["ended"].tolist(),
            "image": images,
            "provenance": stamp(spec),
        },
    )


def _example(records: list[pandas.DataFrame], spec: dict[str, list[str]], name: str) -> int:
    try:
        return first_example(records, spec["classes"].index(name))
    except ValueError as error:
        raise UserError(f"no example of class '{name}' can be shown ({error}): raise attacked_images") from None


def _at(records: pandas.DataFrame, confidence: float) -> pandas.DataFrame:
    """The records at one required confidence, one row per image."""
    return records[records["required_confidence"] == confidence]


def _adversarial(shards: list[Path], image: int, confidence: float) -> np.ndarray:
    """One image, read from the shard that covers it; a shard's file name is its range, `<start>-<stop>`."""
    for path in shards:
        start, stop = (int(part) for part in path.stem.split("-"))
        if start <= image < stop:
            images, confidences = read_tensors(path, "image", "required_confidence")
            row = int(np.flatnonzero((images == image) & (confidences == confidence))[0])
            return read_tensors(path, "adversarial", rows=slice(row, row + 1))[0][0]
    raise UserError(f"no shard beside {shards[0]} covers test image {image}: run the workflow again")


if __name__ == "__main__":
    run(main, arguments())
