"""Terminals for tests: one of the system's, and as much of a screen as the bars need (text and a few sequences)."""

from __future__ import annotations

import os
import pty
import re
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

SEQUENCE = re.compile(r"\x1b(?:(?P<plain>[78D])|\[(?P<numbers>[0-9;]*)(?P<final>[A-Za-z]))")


class Screen:
    """A screen of `height` lines; what scrolled off its top is in `history`."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.rows = [""] * height
        self.history: list[str] = []
        self.row = self.column = 0
        self.saved = (0, 0)
        self.top, self.bottom = 0, height - 1

    def text(self) -> list[str]:
        """Everything that was printed and not overwritten, from the oldest line on, without empty lines at the end."""
        lines = [line.rstrip() for line in [*self.history, *self.rows]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def write(self, text: str) -> None:
        """Show `text` as a terminal does, in which a line feed also returns to the first column."""
        place = 0
        while place < len(text):
            found = SEQUENCE.match(text, place)
            if found:
                self._obey(found)
                place = found.end()
                continue
            assert text[place] != "\x1b", f"a sequence that this screen does not know: {text[place : place + 8]!r}"
            if text[place] == "\n":
                self.column = 0
                self._down()
            else:
                self._put(text[place])
            place += 1

    def _put(self, character: str) -> None:
        assert self.column < self.width, "a line is longer than the screen is wide"
        line = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = line[: self.column] + character + line[self.column + 1 :]
        self.column += 1

    def _down(self) -> None:
        if self.row == self.bottom:
            gone = self.rows.pop(self.top)
            if self.top == 0:
                self.history.append(gone)
            self.rows.insert(self.bottom, "")
        elif self.row < self.height - 1:
            self.row += 1

    def _obey(self, found: re.Match[str]) -> None:
        numbers = [int(number) for number in (found["numbers"] or "").split(";") if number]
        match found["plain"] or found["final"]:
            case "7":
                self.saved = (self.row, self.column)
            case "8":
                self.row, self.column = self.saved
            case "D":
                self._down()
            case "A":
                self.row = max(self.top, self.row - (numbers or [1])[0])
            case "H":
                self.row, self.column = numbers[0] - 1, numbers[1] - 1
            case "K":
                self.rows[self.row] = ""
            case "J":
                self.rows[self.row] = self.rows[self.row][: self.column]
                self.rows[self.row + 1 :] = [""] * (self.height - self.row - 1)
            case "r":
                self.top, self.bottom = (numbers[0] - 1, numbers[1] - 1) if numbers else (0, self.height - 1)
                self.row = self.column = 0
            case other:
                raise AssertionError(f"a sequence that this screen does not know: {other}")


@contextmanager
def pseudo_terminal(monkeypatch: pytest.MonkeyPatch, width: int = 80, height: int = 24) -> Iterator[tuple[TextIO, int]]:
    """A terminal to write to, and the descriptor that what it shows can be read from."""
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (height, width))
    with os.fdopen(writer, "w") as opened:
        yield opened, reader
    os.close(reader)
