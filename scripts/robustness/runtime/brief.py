"""Shortens what Snakemake prints while a run goes on; its log file and its dry-runs keep every word.

Snakemake announces each job with all its inputs, outputs and reasons: thousands of characters on a line, about as many
kilobytes as there are jobs. `--quiet rules` would take this out of the log file and of `snakemake -n`, too. Imports
nothing but the standard library.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

LONGEST_LINE = 200
"""Characters of a line; of a longer line, the start is printed, unless it is a warning or an error."""

_LEFT_OUT_EVENTS = {"JOB_INFO", "JOB_STARTED"}
_LEFT_OUT = {"Select jobs to execute..."}
_HANDLER = "DefaultStreamHandler"


def shorten(handlers: Iterable[logging.Handler]) -> None:
    """Shorten what Snakemake's own handler for the terminal prints from now on; other handlers stay as they are."""
    for handler in handlers:
        if handler.name == _HANDLER:
            handler.addFilter(is_printed)
            handler.setFormatter(Brief(handler.formatter or logging.Formatter()))


def is_printed(record: logging.LogRecord) -> bool:
    """Return whether a record is for the terminal: not a job's announcement, and not that jobs are being chosen."""
    return _event(record) not in _LEFT_OUT_EVENTS and record.msg not in _LEFT_OUT


class Brief(logging.Formatter):
    """Formats a record as `inner` does, with long lines cut (`LONGEST_LINE`), and without the time of a job's end."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        lines = str(self._inner.format(record)).splitlines()
        if _event(record) == "JOB_FINISHED":
            lines = lines[1:]
        # The report of a failed job repeats its whole command; other warnings and errors are sentences.
        is_said = record.levelno >= logging.WARNING and _event(record) != "JOB_ERROR"
        return "\n".join(line if is_said and not _is_command(line) else _cut(line) for line in lines)


def _is_command(line: str) -> bool:
    """Return whether a line is the words of Python's `CalledProcessError`, which Snakemake prints with its errors."""
    return line.startswith("Command '") and any(
        end in line for end in ("returned non-zero exit", "died with <Signals.")
    )


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 2]} …"


def _event(record: logging.LogRecord) -> str:
    return getattr(getattr(record, "event", None), "name", "")
