"""While a run goes on, Snakemake's announcements of jobs stay out of the terminal, and in its log file."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from robustness.runtime.brief import LONGEST_LINE, shorten

JOB = {"rule_msg": None, "rule_name": "train_model", "local": False, "is_checkpoint": False, "jobid": 7, "msg": None}
FILES = {"input": ["a" * 3000], "output": ["b"], "log": [], "benchmark": None, "reason": "c" * 3000}
REST = {"wildcards": {}, "priority": 0, "threads": 1, "resources": {}, "indent": False}
ERROR = {"conda_env": None, "shellcmd": "d" * 3000, "aux": {}}


class Printed:
    """A logger with Snakemake's handler for a terminal, and another for its log file."""

    def __init__(self) -> None:
        self.logger = logging.getLogger("tests.brief")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self._texts = io.StringIO(), io.StringIO()
        for text, name in zip(self._texts, ("DefaultStreamHandler", "DefaultLogFileHandler"), strict=True):
            handler = ColorizingTextHandler(nocolor=True, stream=text, formatter=DefaultFormatter())
            handler.name = name
            self.logger.addHandler(handler)
        shorten(self.logger.handlers)

    def say(self, message: str | None, event: LogEvent | None = None, **extra: object) -> None:
        record = self.logger.makeRecord("x", logging.INFO, "x", 1, message, (), None)
        record.__dict__ |= {"event": event} | extra
        self.logger.handle(record)

    @property
    def terminal(self) -> str:
        return self._texts[0].getvalue()

    @property
    def file(self) -> str:
        return self._texts[1].getvalue()


@pytest.fixture
def printed() -> Iterator[Printed]:
    made = Printed()
    yield made
    made.logger.handlers.clear()


def test_a_jobs_announcement_is_in_the_log_file_alone(printed: Printed) -> None:
    printed.say(None, LogEvent.JOB_INFO, **JOB, **FILES, **REST)
    printed.say("Execute 2 jobs...", LogEvent.JOB_STARTED)
    printed.say("Select jobs to execute...")
    assert printed.terminal == ""
    assert FILES["reason"] in printed.file
    assert "Execute 2 jobs..." in printed.file


def test_a_job_that_has_ended_and_the_counter_are_one_short_line_each(printed: Printed) -> None:
    printed.say("Finished jobid: 7 (Rule: train_model)", LogEvent.JOB_FINISHED)
    printed.say(None, LogEvent.PROGRESS, done=12, total=161)
    assert printed.terminal == "Finished jobid: 7 (Rule: train_model)\n12 of 161 steps (7%) done\n"


def test_an_error_is_printed_with_its_long_lines_cut(printed: Printed) -> None:
    printed.say(None, LogEvent.JOB_ERROR, **JOB | FILES | REST | ERROR)
    assert "Error in rule train_model:" in printed.terminal
    assert max(map(len, printed.terminal.splitlines())) == LONGEST_LINE
    assert ERROR["shellcmd"] in printed.file


def test_a_sentence_that_is_an_error_is_printed_whole(printed: Printed) -> None:
    record = printed.logger.makeRecord("x", logging.ERROR, "x", 1, "e" * 3000, (), None)
    printed.logger.handle(record)
    assert "e" * 3000 in printed.terminal


@pytest.mark.parametrize("end", ["returned non-zero exit status 1.", "died with <Signals.SIGKILL: 9>."])
def test_the_command_of_a_job_that_failed_is_cut_in_an_error_too(printed: Printed, end: str) -> None:
    words = f"ERROR: too large\nCommand '{'x' * 900}' {end}"
    printed.logger.handle(printed.logger.makeRecord("x", logging.ERROR, "x", 1, words, (), None))
    assert max(map(len, printed.terminal.splitlines())) == LONGEST_LINE
    assert "ERROR: too large" in printed.terminal


def test_other_messages_are_printed_as_they_are(printed: Printed) -> None:
    printed.say("MissingOutputException: two\nlines")
    assert printed.terminal == printed.file == "MissingOutputException: two\nlines\n"
