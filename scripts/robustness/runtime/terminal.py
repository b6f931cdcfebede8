"""Bars for all running jobs in the last lines of a terminal, which nothing that is printed meanwhile can tear.

Reads the files that `runtime.progress` leaves in a folder; writes to a terminal. Exists because Snakemake and each
of its jobs print to the same terminal without knowing of one another. The lines that the bars need are taken out of the
region that scrolls (DECSTBM), so that whatever anybody prints scrolls above them, as apt does it. Each frame is a
single write that saves the cursor and puts it back. Imports nothing that Snakemake does not bring.
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
    """How far the running jobs are that left a file in `folder`, by title; files of dead processes are deleted."""
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
    """One job's line of at most `width` characters: its title, a bar where there is room, and how far it is."""
    words = standing(status)
    room = min(_LONGEST_BAR, width - len(status.title) - len(words) - 2)
    if room < _SHORTEST_BAR or not status.total:
        return f"{status.title}  {words}"[:width]
    full = min(room, room * status.done // status.total)
    return f"{status.title} {'█' * full}{'░' * (room - full)} {words}"


def lines(jobs: Sequence[Status], width: int, most: int) -> list[str]:
    """A bar for each job in at most `most` lines, the last of which counts those that have no place."""
    if len(jobs) <= most:
        return [bar(job, width) for job in jobs]
    shown = [bar(job, width) for job in jobs[: most - 1]]
    return [*shown, f"and {len(jobs) - len(shown)} more jobs"[:width]]


def reserved(before: int, after: int, height: int) -> str:
    """What makes a terminal of `height` lines keep the last `after` ones still, of which `before` are so already.

    The text moves up if it stands there, and the cursor with it.
    """
    more = after - before
    return "\x1bD" * more + f"\x1b[{more}A{_SAVE}\x1b[1;{height - after}r{_RESTORE}"


def frame(shown: Sequence[str], rows: int, height: int) -> str:
    """What draws `shown` into the last `rows` lines of a terminal of `height` lines and leaves the cursor in place."""
    padded = [*shown, *[""] * (rows - len(shown))]
    first = height - rows + 1
    return _SAVE + "".join(f"\x1b[{first + n};1H\x1b[2K{text}" for n, text in enumerate(padded)) + _RESTORE


def released(rows: int, height: int) -> str:
    """What empties the last `rows` lines and lets the whole terminal scroll again."""
    return frame([], rows, height) + f"{_SAVE}\x1b[r{_RESTORE}"


class Bars:
    """Draws the bars of all jobs that are begun between `start` and `stop`; does nothing where there is no terminal."""

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
        """Take the bars away and give the whole terminal back."""
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
            except OSError:  # the terminal was closed; the run goes on
                return

    def _draw(self) -> None:
        if self._folder is None:
            return
        width, height = self._size()
        text = ""
        if height != self._height:
            # A terminal that was resized has moved its lines in a way of its own: what is below the cursor goes.
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
