"""Measure how much one model's images were changed by one attack.

Reads the shards of the attack (records and images) and the test images; writes all records with the measures added.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustness.analysis.measures import measure
from robustness.data.pixels import from_bytes
from robustness.runtime.cli import parser, run
from robustness.runtime.progress import Progress
from robustness.storage.columns.measures import MeasuredRecords
from robustness.storage.grouping import check_made_from, check_rows, common_identity, made_from
from robustness.storage.identity import contents
from robustness.storage.provenance import stamp
from robustness.storage.records import read_records, write_records
from robustness.storage.tensors import read_tensors


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--records", type=Path, nargs="+", required=True, metavar="FILE", help="shards, in order")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="the same shards")
    result.add_argument("--measures", type=Path, required=True, metavar="FILE")
    return result


def main(options: argparse.Namespace) -> None:
    identity, inputs = common_identity(options.records), made_from(options.records[0])
    check_made_from(contents(test=options.test), options.records[0])
    records = read_records(*options.records)
    shards = []
    with Progress(f"measures of {'/'.join(options.measures.parts[-4:-1])}", len(records), "images") as progress:
        for record, path in zip(options.records, options.adversarial, strict=True):
            check_rows(record, path)
            shards.append(_measured(options.test, path, options.spec["changed_pixel_threshold"]))
            progress.advance(len(shards[-1]["l2"]))
    found: dict[str, Any] = {name: records[name].to_numpy() for name in records.columns}
    found |= {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
    columns = MeasuredRecords(**found)
    write_records(options.measures, columns.by_name(), identity.header(stamp(options.spec), inputs))


def _measured(test: Path, shard: Path, threshold: float) -> dict[str, NDArray[Any]]:
    """Compute the measures of one shard, row by row of its records."""
    image, adversarial = read_tensors(shard, "image", "adversarial")
    (pixels,) = read_tensors(test, "images", rows=slice(int(image.min()), int(image.max()) + 1))
    return measure(from_bytes(pixels[image - image.min()]), adversarial, threshold)


if __name__ == "__main__":
    run(main, arguments())
