"""Select the images that the example figures show: for each example class, one image and every model's result.

Reads the measures (records) and the adversarial images of one attack on all models, and the test images; writes the
few chosen images with the models' predictions on them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas

from robustness.analysis.examples import median_example
from robustness.data.pixels import from_bytes
from robustness.errors import UserError
from robustness.runtime.cli import parser, run
from robustness.storage.grouping import check_made_from, common_identity, grouped, one_for_each
from robustness.storage.identity import contents
from robustness.storage.levels import at_level, is_level
from robustness.storage.provenance import stamp
from robustness.storage.records import read_records
from robustness.storage.tensors import read_tensors, write_tensors


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
    measures = one_for_each(options.measures, "model", expected=spec["models"])
    shards = grouped(options.adversarial, "model", expected=spec["models"], shards=True)
    check_made_from(contents(test=options.test), *options.adversarial)
    identities = [common_identity([measures[model], *shards[model]]) for model in spec["models"]]
    records = [at_level(read_records(path), confidence) for path in measures.values()]
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
                [[_adversarial(paths, image, confidence) for paths in shards.values()] for image in images]
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
            **replace(identities[0], model=None).header(stamp(spec)),
        },
    )


def _example(records: list[pandas.DataFrame], spec: dict[str, list[str]], name: str) -> int:
    try:
        return median_example(records, spec["classes"].index(name))
    except ValueError as error:
        raise UserError(f"no example of class '{name}' can be shown ({error}): raise attacked_images") from None


def _adversarial(shards: list[Path], image: int, confidence: float) -> np.ndarray:
    """One image at one required confidence, read from the shard that holds it."""
    for path in shards:
        images, confidences = read_tensors(path, "image", "required_confidence")
        for row in np.flatnonzero((images == image) & is_level(confidences, confidence)):
            return read_tensors(path, "adversarial", rows=slice(row, row + 1))[0][0]
    raise UserError(f"neither {shards[0]} nor the shards next to it contain test image {image}: run the workflow again")


if __name__ == "__main__":
    run(main, arguments())
