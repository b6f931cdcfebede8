"""Says what a long plan is doing: Snakemake prints nothing while it looks for the jobs of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from robustness.text import counted
from robustness.workflow.study import Study

FIRST = 20.0  # seconds; a plan of the scales here takes less


class Planning:
    """Prints a line when a plan takes long: after 20 s, and each time that it has taken twice as long as then."""

    def __init__(self, study: Study, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.study, self.stream, self.clock = study, stream, clock
        self.started, self.next_after, self.ended = clock(), FIRST, False

    def goes_on(self) -> None:
        """Print a line if it is time for one; Snakemake asks for the inputs of each job, which calls this."""
        taken = self.clock() - self.started
        if not self.ended and taken >= self.next_after:
            self.next_after = 2 * taken
            print(self._line(taken), file=self.stream, flush=True)

    def ends(self) -> None:
        """Print no more: the jobs are known."""
        self.ended = True

    def _line(self, seconds: float) -> str:
        networks = sum(len(dataset.networks) for dataset in self.study.studied)
        shards = sum(len(dataset.networks) * len(dataset.shards) for dataset in self.study.studied)
        return (
            f"  Still planning after {seconds:.0f} s: Snakemake looks for every job before the first one starts, and "
            f"this configuration has {counted(networks, 'network')}, attacked in {counted(shards, 'shard')}. Fewer "
            "'seeds', or more images in a shard ('shard_images'), are planned faster."
        )
