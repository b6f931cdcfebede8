"""What holds for all tests: one thread for each process that runs them, and no deadline for an example.

Several processes run the tests side by side, so that a thread for each core in each process would only get in the way,
and how long an example takes says nothing. With `--fast`, only files of unit tests are run that import nothing slow.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fast import is_fast, refuse_what_is_slow
from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports PyTorch; a test that sets threads is not bound by it

settings.register_profile("side by side", deadline=None)
settings.load_profile("side by side")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only unit tests without PyTorch, figures and child processes")


def pytest_sessionstart(session: pytest.Session) -> None:
    """With `--fast`, let whatever is slow fail that got past `is_fast`, as through `importlib`."""
    is_controller = hasattr(session.config.option, "numprocesses") and session.config.option.numprocesses
    if session.config.getoption("fast") and not is_controller:
        sys.addaudithook(refuse_what_is_slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file out, before it is imported, when only fast ones are wanted and it is none."""
    is_left_out = config.getoption("fast") and collection_path.suffix == ".py" and not is_fast(collection_path)
    return True if is_left_out else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case after its argument where its value is bytes: these may differ in each process, as a gzip date does.

    Processes side by side must collect the same names: pytest-xdist runs nothing otherwise.
    """
    return argname if isinstance(val, bytes) else None
