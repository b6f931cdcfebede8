"""Measure how much one model's images were changed by one attack.

Reads the shards of the attack (records and images) and the test images; writes all records with the measures added.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from robustness.command import parser, run
from robustness.files import read_tensors
from robustness.measures import measure
from robustness.provenance import stamp
from robustness.records import read_records, write_records


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--records", type=Path, nargs="+", required=True, metavar="FILE", help="shards, in order")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="the same shards")
    result.add_argument("--measures", type=Path, required=True, metavar="FILE")
    return result


def main(options: argparse.Namespace) -> None:
    records = read_records(*options.records)
    adversarial = np.concatenate([read_tensors(path, "adversarial")[0] for path in options.adversarial])
    (pixels,) = read_tensors(options.test, "images", rows=slice(0, len(records)))
    # The attack divides by 255 in float32 too, so an untouched pixel differs by exactly nothing.
    original = pixels.astype(np.float32) / np.float32(255)
    measured = measure(original, adversarial, options.spec["changed_pixel_threshold"])
    columns = {name: records[name].to_numpy() for name in records.columns}
    write_records(options.measures, columns | measured, {"provenance": stamp(options.spec)})


if __name__ == "__main__":
    run(main, arguments())
