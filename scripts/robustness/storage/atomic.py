"""Writes files that appear complete or not at all.

Every result of the workflow is written through `replacing`, so that a killed job leaves no half-written file.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from robustness.errors import UserError
from robustness.storage import digests

_SILENCE = 600.0
"""Seconds without a byte after which a writer on another machine counts as gone."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; on success it is flushed and renamed to `path`, else removed.

    Removes the temporary files that killed writers of `path` left. An `OSError` from the block, such as a full disk,
    names `path` instead of the temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        # The time that the file server gives a new file: its clock may differ from ours.
        _remove_leftovers(path, temporary.stat().st_mtime)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """Create a new file next to `path`, whose name says which process writes it."""
    prefix = f".{path.name}.{_machine()}-{os.getpid()}-"
    try:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    os.close(handle)
    return Path(name)


def remove(path: Path) -> None:
    """Delete a file, and what killed writers left of it; the file may not exist."""
    path.unlink(missing_ok=True)
    _remove_leftovers(path, time.time())


def _remove_leftovers(path: Path, now: float) -> None:
    """Delete the temporary files of `path` whose writers are gone, or have written nothing for `_SILENCE` seconds.

    A writer may still be at work where Snakemake was killed and not its jobs, or on another machine.
    """
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\w+)-(\d+)-\w+{re.escape(path.suffix)}")
    if not path.parent.is_dir():
        return
    for left in path.parent.iterdir():
        if match := pattern.fullmatch(left.name):
            with suppress(OSError):  # another process may be as fast
                if _is_gone(match[1], int(match[2])) or left.stat().st_mtime < now - _SILENCE:
                    left.unlink()


def _is_gone(machine: str, process: int) -> bool:
    """Return whether a process ran on this machine and has ended."""
    if machine != _machine():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is there, and somebody else's
        return False
    # A killed process stays in the list until its parent asks for its exit status, which some parents never do.
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"
    return False


@cache
def _machine() -> str:
    """Return a few letters and digits that identify this machine."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON with sorted keys and a digest, whole or not at all."""
    plain = json.loads(json.dumps(value))  # as it will be read, with text for keys
    content = {**plain, "digest": digests.digest_of_json(plain)}
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read the mapping in a JSON file; raises `UserError` when the file is missing or damaged."""
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (ValueError, TypeError) as error:
        raise digests.is_damaged(path, error) from None
    if (written := content.pop("digest", None)) is not None:
        digests.check(path, digests.digest_of_json(content), written, "content")
    return content
