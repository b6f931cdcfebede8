"""A Slurm of the tests' own, started once, and the workflow on it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))  # for running

from clusters import Cluster, Unavailable
from running import Copy, copied


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slurm)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running Slurm with two nodes; tests that need it are skipped where there can be none."""
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.up()
    except Unavailable as reason:
        with contextlib.suppress(Unavailable):
            cluster.down()  # what of it did start
        pytest.skip(f"no Slurm can be started here: {reason}")
    yield cluster
    cluster.down()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The workflow before anything was computed; tests leave it so."""
    return copied(tmp_path_factory.mktemp("fresh"))
