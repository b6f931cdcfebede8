"""Imports the user's files without letting them get in the way of anybody else's imports, or change PyTorch's state.

A folder in front of `sys.path` would do the first half: but then a `profile.py` next to the user's network takes the
place of Python's own module for every import that comes later, in PyTorch too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import torch

from robustness.storage.user_code_digest import is_taken


class _OwnFiles:
    """Finds modules and packages in the user's folder before the installed ones, but none of Python's own names."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or is_taken(name):
            return None
        found = PathFinder.find_spec(name, [self.folder], target)
        return found if found is not None and found.loader is not None else None  # no folder without __init__.py


def importable(folder: Path) -> None:
    """Let the user's files in `folder` be imported, before installed packages of the same names."""
    if not any(isinstance(each, _OwnFiles) and each.folder == str(folder) for each in sys.meta_path):
        sys.meta_path.insert(0, _OwnFiles(str(folder)))
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # at the end: for folders without __init__.py


@contextmanager
def state_kept() -> Iterator[None]:
    """Leave the working folder and PyTorch's settings as they were: jobs compute with theirs, not with a user's."""
    folder, dtype, gradients = Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled()
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    device = torch.get_default_device()
    try:
        yield
    finally:
        os.chdir(folder)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        torch.use_deterministic_algorithms(deterministic)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.get_default_device() != device:
            torch.set_default_device(None)
