"""The tiny experiment, run once for all tests of the workflow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from running import DIGITS, ROOT, Copy, copied

sys.path.insert(0, str(ROOT / "tests" / "unit"))  # for made_data and data_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The workflow before anything was computed; tests leave it so."""
    return copied(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The tiny experiment, run to its end for the dataset `digits`; tests put back what they change."""
    copy = copied(tmp_path_factory.mktemp("finished"))
    copy.run(DIGITS).succeeded()
    return copy
