"""Draws bars for all running jobs in the last lines of a terminal, where other output cannot break them.

Reads the files that `runtime.progress` leaves in a folder; writes to a terminal. Snakemake and each of its jobs print
to the same terminal without knowing of one another. So the lines of the bars are taken out of the region that scrolls
(DECSTBM), and whatever is printed scrolls above them, as apt does it. Each frame is a single write that saves the
cursor and restores it. Imports nothing but what Snakemake installs.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from robustness.runtime.status import FOLDER, Status, standing

INTERVAL = 0.5
"""Seconds between frames."""

_SMALLEST_HEIGHT = 10
_SHORTEST_BAR, _LONGEST_BAR = 5, 30
_SAVE, _RESTORE = "\x1b7", "\x1b8"


def statuses(folder: Path) -> list[Status]:
    """Return how far the jobs with a file in `folder` are, sorted by title; delete the files of dead processes."""
    found = []
    for path in folder.glob("*.json"):
        try:
            os.kill(int(path.stem), 0)
            found.append(Status(**json.loads(path.read_text(encoding="utf-8"))))
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue  # it ended just now
    return sorted(found, key=lambda status: status.title)


def bar(status: Status, width: int) -> str:
    """Return one job's line of at most `width` characters: its title, a bar if there is room, and how far it is."""
    words = standing(status)
    room = min(_LONGEST_BAR, width - len(status.title) - len(words) - 2)
    if room < _SHORTEST_BAR or not status.total:
        return f"{status.title}  {words}"[:width]
    full = min(room, room * status.done // status.total)
    return f"{status.title} {'█' * full}{'░' * (room - full)} {words}"


def lines(jobs: Sequence[Status], width: int, most: int) -> list[str]:
    """Return a bar for each job in at most `most` lines; if there are more jobs, the last line counts the others."""
    if len(jobs) <= most:
        return [bar(job, width) for job in jobs]
    shown = [bar(job, width) for job in jobs[: most - 1]]
    return [*shown, f"and {len(jobs) - len(shown)} more jobs"[:width]]


def reserved(before: int, after: int, height: int) -> str:
    """Return the codes by which a terminal of `height` lines no longer scrolls its last `after` lines.

    `before` of these lines already do not scroll. Text that is in the new lines moves up, and the cursor with it.
    """
    more = after - before
    return "\x1bD" * more + f"\x1b[{more}A{_SAVE}\x1b[1;{height - after}r{_RESTORE}"


def frame(shown: Sequence[str], rows: int, height: int) -> str:
    """Return the codes that draw `shown` into the last `rows` of a terminal's `height` lines; the cursor stays."""
    padded = [*shown, *[""] * (rows - len(shown))]
    first = height - rows + 1
    return _SAVE + "".join(f"\x1b[{first + n};1H\x1b[2K{text}" for n, text in enumerate(padded)) + _RESTORE


def released(rows: int, height: int) -> str:
    """Return the codes that empty the last `rows` lines and let the whole terminal scroll again."""
    return frame([], rows, height) + f"{_SAVE}\x1b[r{_RESTORE}"


class Bars:
    """Draws the bars of all jobs that begin between `start` and `stop`; does nothing where there is no terminal."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._folder: Path | None = None
        self._rows = self._height = 0
        self._before: str | None = None

    def start(self) -> None:
        """Draw from now on, until `stop` is called or this process ends."""
        capable = os.environ.get("TERM", "dumb") != "dumb" and self._terminal.isatty()
        if capable and self._size().lines >= _SMALLEST_HEIGHT:
            self._folder = Path(tempfile.mkdtemp(prefix="image-robustness-progress-"))
            self._before = os.environ.get(FOLDER)
            os.environ[FOLDER] = str(self._folder)
            atexit.register(self.stop)
            self._thread = threading.Thread(target=self._draw_until_ended, name="bars", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Remove the bars and let the whole terminal scroll again."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        os.environ.pop(FOLDER)
        if self._before is not None:
            os.environ[FOLDER] = self._before
        if self._rows:
            with suppress(OSError):
                self._write(released(self._rows, self._height))
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _draw_until_ended(self) -> None:
        while not self._ended.wait(INTERVAL):
            try:
                self._draw()
            except OSError:  # the terminal was closed; the run continues
                return

    def _draw(self) -> None:
        if self._folder is None:
            return
        width, height = self._size()
        text = ""
        if height != self._height:
            # Each terminal moves its lines in its own way when it is resized: what is below the cursor is erased.
            text = f"{_SAVE}\x1b[r{_RESTORE}\x1b[J" if self._rows else ""
            self._rows, self._height = 0, height
        shown = lines(statuses(self._folder), width - 1, max(1, height // 3))
        if len(shown) > self._rows:
            text += reserved(self._rows, len(shown), height)
            self._rows = len(shown)
        if self._rows:
            self._write(text + frame(shown, self._rows, height))

    def _size(self) -> os.terminal_size:
        return os.get_terminal_size(self._terminal.fileno())

    def _write(self, text: str) -> None:
        self._terminal.flush()
        os.write(self._terminal.fileno(), text.encode(self._terminal.encoding, "replace"))
