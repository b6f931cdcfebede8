"""Damages a file as disks and transfers do: one bit at a time, at places drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np


def flips(path: Path, count: int = 300) -> Iterator[int]:
    """Write the file with one bit flipped, `count` times, and yield the bit's place each time."""
    whole = path.read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(whole), count, replace=False):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        yield int(bit)
