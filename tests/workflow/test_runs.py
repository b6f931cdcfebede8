"""What a whole run says, what it draws on a terminal, and that after `fetch` it needs no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from data_server import DataServer, closed_address, serving
from made_data import idx_files, sha256
from running import DIGITS, Answer, Copy
from screen import Screen, pseudo_terminal

MODELS = f"{DIGITS}/tables/models.csv"
WEIGHTS = f"{DIGITS}/models/small-clean/seed0/weights.safetensors"
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture
def working(fresh: Copy, tmp_path: Path) -> Copy:
    """A copy in which a test may compute."""
    return fresh.duplicate(tmp_path / "workflow")


def words_of(answer: Answer) -> str:
    """What was said, on one line."""
    return " ".join(answer.said.split())


def test_a_run_says_what_it_will_do_for_how_long_and_what_to_open(working: Copy) -> None:
    first = words_of(working.run(MODELS).succeeded())
    assert "Scale tiny: two models" in first
    assert "To do: 1 other (describe_models). No estimate yet: nothing has run here before." in first
    assert first.endswith(f"Done. Open first: {MODELS}")
    again = words_of(working.run("--forcerun", "describe_models", MODELS).succeeded())
    assert re.search(r"An estimate from earlier runs: about \d+ (s|min) on 2 cores\.", again), again


def test_a_dry_run_neither_estimates_nor_draws(fresh: Copy) -> None:
    said = fresh.run("--dry-run", MODELS).succeeded().said
    assert "To do:" not in said
    assert "Open first" not in said


def test_a_failed_run_names_the_job_its_last_words_and_the_next_step(working: Copy) -> None:
    overlay = {"datasets": {"digits": {"models": {"small-clean": {"training": {"learning_rate": 1.0e30}}}}}}
    answer = working.run(WEIGHTS, overlay=overlay)
    assert answer.code == 1
    end = answer.said[answer.said.index("  Failed: ") :]
    log = f"{DIGITS}/logs/train_model/small-clean-seed0.log"
    assert end.startswith("  Failed: train_model (dataset=digits, model=small-clean, seed=0)\n")
    assert f"The end of {log}:" in end
    assert "lower its learning_rate" in end
    assert "do what the line with ERROR says, then run the same command again" in end
    assert end.endswith("  Finished files are kept: the same command does only the rest.\n\n")
    assert max(map(len, answer.said.splitlines())) <= 400
    logs = working.path(".snakemake/log").glob("*.log")
    assert "    reason: " not in answer.said
    assert "    reason: " in "".join(log.read_text(encoding="utf-8") for log in logs)


def test_on_a_terminal_the_bars_leave_every_line_whole(
    working: Copy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    epochs = {"training": {"epochs": 300}}
    overlay = {"datasets": {"digits": {"models": {"small-clean": epochs}}}, "seeds": [0, 1]}
    targets = [WEIGHTS, WEIGHTS.replace("seed0", "seed1")]
    width = 2000  # so that no line of Snakemake's is wrapped
    drawn = b""
    with pseudo_terminal(monkeypatch, width=width, height=40) as (opened, reader):
        command = working.command(*targets, overlay=overlay)
        with subprocess.Popen(command, cwd=working.folder, stdout=opened, stderr=opened) as process:
            opened.close()
            while True:
                try:
                    drawn += os.read(reader, 65536)
                except OSError:  # the last process that had the terminal open has ended
                    break
        assert process.returncode == 0
    screen = Screen(width, 40)
    frames = set()
    for part in re.split(r"(?<=\x1b8)", re.sub(r"\x1b\[[0-9;]*m", "", drawn.decode()).replace("\r\n", "\n")):
        screen.write(part)
        frames |= {re.sub(r"[^a-z0-9 /,-].*", "", line).strip() for line in screen.rows[-2:] if "█" in line}
    assert {"digits/small-clean, seed 0", "digits/small-clean, seed 1"} <= frames
    text = screen.text()
    assert not [line for line in text if "█" in line]
    assert "  To do: 2 trainings and 1 other (prepare_data)." in text
    assert len([line for line in text if re.fullmatch(r"Finished jobid: \d+ \(Rule: train_model\)", line)]) == 2
    log = working.path(f"{DIGITS}/logs/train_model/small-clean-seed1.log").read_text(encoding="utf-8")
    assert re.search(r"INFO digits/small-clean, seed 1: 1,?\d+ steps in", log)


def test_a_run_holds_no_more_threads_the_longer_it_lasts(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path / "workflow")
    figures = list(copy.path(f"{DIGITS}/figures").glob("*.svg"))
    for path in figures:
        path.unlink()
    process = copy.start(f"{DIGITS}/figures")
    most = 0
    while process.poll() is None:
        with suppress(psutil.Error):  # it ended just now
            most = max(most, psutil.Process(process.pid).num_threads())
        time.sleep(0.05)
    assert process.returncode == 0
    assert 0 < most < len(figures)


# ---- without a network ----------------------------------------------------------------------------------------------


def from_server(server: DataServer) -> dict[str, Any]:
    """The tiny experiment on images that `server` has, and nothing else."""
    files = idx_files(train=260, test=60)
    server.files = {f"{role}.gz": content for role, content in files.items()}
    entries = {role: {"name": f"{role}.gz", "sha256": sha256(content)} for role, content in files.items()}
    source = {"kind": "idx", "addresses": [server.address], "files": entries}
    return {"sources": {"here": source}, "datasets": {"digits": {"source": "here"}}, "study": ["digits"]}


def without_network(copy: Copy, *arguments: str, overlay: dict[str, Any]) -> Answer:
    """A run in a network without devices, as root on Linux can have; elsewhere, with proxies that refuse everything."""
    command, unshare = copy.command(*arguments, overlay=overlay), shutil.which("unshare")
    refusing = dict.fromkeys(PROXIES, closed_address()) | {"no_proxy": "", "NO_PROXY": ""}
    if unshare is not None and not subprocess.run([unshare, "-n", "true"], capture_output=True).returncode:
        command = [unshare, "-n", *command]
    ended = subprocess.run(
        command,
        cwd=copy.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ) | refusing,
    )
    return Answer(ended.returncode, ended.stdout)


def test_after_fetch_the_experiment_runs_without_a_network(working: Copy) -> None:
    with serving() as server:
        overlay = from_server(server)
        fetched = working.run("fetch", overlay=overlay).succeeded()
        assert sorted(path for path, _ in server.requests) == sorted(f"/{name}" for name in server.files)
    assert "Done. All downloads are in results/tiny-downloads/; the other steps need no network." in fetched.said
    answer = without_network(
        working, f"{DIGITS}/tables/accuracy.csv", f"{DIGITS}/figures/mean_change.svg", overlay=overlay
    )
    answer.succeeded()
    assert working.path(f"{DIGITS}/figures/mean_change.svg").exists()


def test_fetched_files_may_come_from_another_machine(working: Copy, tmp_path: Path) -> None:
    with serving() as server:
        overlay = from_server(server)
        elsewhere = working.duplicate(tmp_path / "elsewhere")
        elsewhere.run("fetch", overlay=overlay).succeeded()
    shutil.copytree(elsewhere.path("results/tiny-downloads"), working.path("results/tiny-downloads"))
    without_network(working, f"{DIGITS}/data/test.safetensors", overlay=overlay).succeeded()


def test_without_fetch_the_sentence_says_how_to_fetch(working: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, closed_address())
    with serving() as server:
        overlay = from_server(server)
    overlay["sources"]["here"]["addresses"] = ["https://images.invalid/"]
    answer = working.run(f"{DIGITS}/data/test.safetensors", overlay=overlay)
    assert answer.code == 1
    assert "could not be fetched: https://images.invalid/ (connection refused)" in answer.said
    assert "run `snakemake --cores 1 fetch` (with the same --configfile) on one that has" in answer.said
    assert "Traceback" not in answer.said


@pytest.mark.parametrize(
    ("config", "fetched"),
    [(None, ["cifar", "mnist"]), ("scales/paper.yaml", ["cifar", "mnist"]), ("scales/demo.yaml", [])],
)
def test_fetch_has_the_downloads_of_every_studied_dataset_and_nothing_else(
    fresh: Copy, config: str | None, fetched: list[str]
) -> None:
    answer = fresh.run("--dry-run", "fetch", config=config).succeeded()
    assert sorted(re.findall(r"^ {4}wildcards: dataset=(\w+)$", answer.said, re.MULTILINE)) == fetched
    assert set(re.findall(r"rule (\w+):$", answer.said, re.MULTILINE)) <= {"download_data", "fetch"}
