"""Keeps what was found out about files until they change: in `.snakemake`, by path, size and times.

It only saves time: without that folder, or where its file cannot be read or written, everything is found out again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

SETTLED = 2.0
"""Seconds after a change for which a file is looked at again: its times may not tell two changes apart."""


class Kept:
    """Facts about files, as JSON, in a file of the folder that Snakemake and its jobs run in.

    `code` is the file of the code that finds them: other code may find something else.
    """

    def __init__(self, name: str, code: Path) -> None:
        self.place, self.code = Path(".snakemake", name), code
        self._unsaved = False

    def of(self, path: Path, find: Callable[[], Any]) -> Any:
        """Return the fact that is kept of a file if its size and times have not changed, else what `find` returns."""
        found = path.stat()
        key = json.dumps([str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ctime_ns])
        if key in self.facts:
            return self.facts[key]
        fact = find()
        if time.time() - max(found.st_mtime, found.st_ctime) > SETTLED:
            self.facts[key] = fact
            self._unsaved = True
        return fact

    @cached_property
    def facts(self) -> dict[str, Any]:
        """All facts, by path, size and times; none where other code than this found them."""
        try:
            content = json.loads(self.place.read_text(encoding="utf-8"))
            return dict(content["facts"]) if content["code"] == self._digest else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def save(self) -> None:
        """Write new facts into the file, whole; of a file that changed, the facts found last."""
        if not self._unsaved or not self.place.parent.is_dir():
            return
        latest = {json.loads(key)[0]: key for key in self.facts}
        written = self.place.with_name(f"{self.place.name}.{os.getpid()}")
        with suppress(OSError):
            content = {"code": self._digest, "facts": {key: self.facts[key] for key in latest.values()}}
            written.write_text(json.dumps(content), encoding="utf-8")
            written.replace(self.place)
            self._unsaved = False

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.code.read_bytes()).hexdigest()
