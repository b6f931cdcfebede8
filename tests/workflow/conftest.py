"""The tiny experiment, run once for all tests of the workflow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from filelock import FileLock
from running import DIGITS, ROOT, Copy, copied

sys.path.insert(0, str(ROOT / "tests" / "unit"))  # for made_data and data_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: Path(__file__).parent not in item.path.parents)  # first what takes longest


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The workflow before anything was computed; tests leave it so."""
    return copied(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Copy:
    """The tiny experiment, run to its end for the dataset `digits`; tests put back what they change.

    The first process of pytest that needs it runs it, and each takes a copy.
    """
    own = tmp_path_factory.getbasetemp()
    shared = (own if worker_id == "master" else own.parent) / "finished"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            copy = copied(tmp_path_factory.mktemp("run"))
            copy.run(DIGITS).succeeded()
            copy.folder.rename(shared)
    return Copy(shared).duplicate(tmp_path_factory.mktemp("copy"))
