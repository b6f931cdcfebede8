"""What a script prints, logs and returns when it succeeds and when it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from robustness.errors import UserError
from robustness.runtime import cli
from robustness.runtime.cli import settings
from robustness.runtime.job_ends import SENTENCE_STATUS

PROGRAM = """
import sys
sys.path.insert(0, {scripts!r})
import errno
from robustness.runtime.cli import parser, run
from robustness.errors import UserError

def main(options):
    {body}

run(main, parser("A script."))
"""


def ran(tmp_path: Path, body: str, *flags: str, log: bool = True) -> tuple[int, str, str]:
    """Exit code, output on the terminal and content of the log file of a script with this main."""
    code = PROGRAM.format(scripts=str(Path(cli.__file__).parents[2]), body=body)
    log_file = tmp_path / "logs" / "script.log"
    arguments = [*flags, *(["--log", str(log_file)] if log else [])]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, log_file.read_text() if log_file.exists() else ""


def test_a_user_s_error_is_a_sentence_without_a_traceback_on_terminal_and_in_the_log(tmp_path: Path) -> None:
    code, terminal, log = ran(tmp_path, 'raise UserError("config.yaml lacks alpha: add it")')
    assert code == SENTENCE_STATUS
    for text in (terminal, log):
        assert text.rstrip().endswith("ERROR config.yaml lacks alpha: add it")
        assert len(text.splitlines()) == 1


def test_a_defect_has_its_traceback_on_terminal_and_in_the_log(tmp_path: Path) -> None:
    code, terminal, log = ran(tmp_path, "{}['key']")
    assert code == 1
    for text in (terminal, log):
        assert "this is a defect of the workflow" in text
        assert "Traceback" in text
        assert "KeyError: 'key'" in text


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("OSError(errno.ENOSPC, '', 'weights')", "the disk is full while using weights: free some space"),
        ("OSError(errno.EDQUOT, '', 'weights')", "the disk is full while using weights: free some space"),
        (
            "PermissionError(errno.EACCES, '', 'weights')",
            "no permission while using weights: if the job reads it, make it readable",
        ),
        ("OSError(errno.EROFS, '', 'weights')", "if the job writes it, make its folder writable"),
        ("MemoryError()", "the memory does not suffice (MemoryError): run fewer jobs at a time"),
        (
            'RuntimeError("DefaultCPUAllocator: can\'t allocate memory: you tried to allocate 4 bytes")',
            "you tried to allocate 4 bytes): run fewer jobs at a time (--cores, or",
        ),
        ("FileNotFoundError(errno.ENOENT, 'No such file', 'weights')", "No such file while using weights"),
    ],
)
def test_an_error_of_the_system_is_a_sentence_with_the_file(tmp_path: Path, error: str, sentence: str) -> None:
    code, terminal, log = ran(tmp_path, f"raise {error}")
    assert code == 1
    assert sentence in terminal
    assert sentence in log
    assert "Traceback" not in terminal


def test_success_is_silent_and_zero(tmp_path: Path) -> None:
    assert ran(tmp_path, "pass") == (0, "", "")


def test_the_spec_is_parsed_and_log_lines_go_to_both(tmp_path: Path) -> None:
    body = 'import logging; logging.getLogger("x").info("alpha is %s", options.spec["alpha"])'
    code, terminal, log = ran(tmp_path, body, "--spec", json.dumps({"alpha": 0.5}))
    assert code == 0
    assert terminal == log
    assert terminal.rstrip().endswith("INFO alpha is 0.5")


def test_a_spec_reaches_the_program_as_it_was_written() -> None:
    """So that the code that parses it need not count as code that shapes results."""
    spec = {"b": [1, 2.5e-3, None, True], "a": {"σ": "0.10", "empty": {}}, "large": 2**70, "small": 5e-324}
    found = cli.parser("").parse_args(["--spec", json.dumps(spec)]).spec
    assert found == spec
    assert json.dumps(found) == json.dumps(spec)


def test_beside_bars_only_what_went_wrong_is_printed_and_the_log_has_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBUSTNESS_PROGRESS", str(tmp_path))
    body = 'import logging; logging.getLogger("x").info("epoch 1"); raise UserError("lower alpha")'
    _, terminal, log = ran(tmp_path, body)
    assert "epoch 1" in log
    assert "epoch 1" not in terminal
    assert "lower alpha" in terminal
    assert "lower alpha" in log


def test_a_script_works_without_a_log_file(tmp_path: Path) -> None:
    code, terminal, log = ran(tmp_path, 'raise UserError("sentence")', log=False)
    assert (code, log) == (SENTENCE_STATUS, "")
    assert "sentence" in terminal


def test_a_spec_that_is_no_json_or_an_abbreviated_flag_is_refused_with_the_usage(tmp_path: Path) -> None:
    for flags in (["--spec", "{alpha"], ["--spe", "{}"]):
        code, terminal, _ = ran(tmp_path, "pass", *flags)
        assert code == 2
        assert "usage:" in terminal


def test_settings_come_in_the_order_asked_for_and_a_missing_one_is_named() -> None:
    assert settings({"a": 1, "b": 2}, "b", "a") == [2, 1]
    with pytest.raises(UserError, match=r"--spec lacks 'c'; .* passes a, c"):
        settings({"a": 1}, "a", "c")


def test_an_exception_of_a_users_network_is_said_to_be_that_of_the_network(tmp_path: Path) -> None:
    frame = "exec(compile('1 / 0', 'own_nets.py', 'exec'), {'__name__': 'robustness.models.wrapper'})"
    code, terminal, log = ran(tmp_path, frame)
    assert code == 1
    assert "the network raised ZeroDivisionError (division by zero) in own_nets.py, line 1: " in terminal
    assert "defect of the workflow" not in terminal
    assert "Traceback" in log
