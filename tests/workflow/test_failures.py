"""What goes wrong is said in a sentence, and the same command goes on afterwards with the same result."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from data_server import DataServer, serving
from made_data import idx_files, image_tree, sha256, write_tree
from running import DIGITS, Answer, Copy, counts
from safetensors.numpy import load_file

from robustness.storage.tensors import read_metadata, write_tensors

PREPARED = f"{DIGITS}/data/test.safetensors"
ACCURACY = f"{DIGITS}/tables/accuracy.csv"
MODEL = f"{DIGITS}/models/resnet-noisy/seed0"
CHECKPOINT = f"{DIGITS}/checkpoints/resnet-noisy-seed0.pt"
LOG = f"{DIGITS}/logs/train_model/resnet-noisy-seed0.log"

# Long enough to be interrupted after the first epoch, and yet seconds.
LONGER: dict[str, Any] = {
    "datasets": {
        "digits": {
            "split": {"train": 1000},
            "models": {"resnet-noisy": {"training": {"epochs": 4}}},
        }
    }
}


def failed_with(answer: Answer, *words: str) -> None:
    """The run failed, said all of `words`, and showed no traceback."""
    assert answer.code == 1, answer.said
    for each in words:
        assert each in answer.said
    assert "Traceback" not in answer.said, answer.said


# ---- the configuration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        ({"datasets": {"digits": {"alhpa": 0.1}}}, "unknown key 'alhpa' in datasets.digits; did you mean 'alpha'?"),
        ({"datasets": {"digits": {"alpha": 0}}}, "datasets.digits.alpha is 0, but must be a number above 0"),
        ({"shard_images": 0}, "shard_images is 0, but must be a whole number of at least 1"),
        (
            {"attacks": {"original": {"other_confidences": [0.5, 1]}}},
            "attacks.original.other_confidences[1] is 1, but must be a number between 0 and 1, or argmax",
        ),
    ],
    ids=["misspelt", "alpha", "shard_images", "other_confidences"],
)
def test_a_mistake_in_the_configuration_stops_the_run_before_it_starts(
    fresh: Copy, overlay: dict[str, Any], sentence: str
) -> None:
    failed_with(fresh.run("--dry-run", DIGITS, overlay=overlay), sentence)


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        ({"datasets": {"x; rm -f victim": {"title": "x"}}}, "'x; rm -f victim' in datasets is not allowed as a name"),
        ({"architectures": {"$(rm -f victim)": {}}}, "'$(rm -f victim)' in architectures is not allowed as a name"),
        ({"results": "x; rm -f victim"}, 'results is "x; rm -f victim", but must be a path without spaces and shell'),
        ({"downloads": "`rm -f victim`"}, 'downloads is "`rm -f victim`", but must be a path without spaces and shell'),
    ],
    ids=["dataset", "architecture", "results", "downloads"],
)
def test_a_name_that_a_shell_would_run_is_refused(working: Copy, overlay: dict[str, Any], sentence: str) -> None:
    victim = working.path("victim")
    victim.write_text("")
    failed_with(working.run(PREPARED, overlay=overlay), sentence)
    assert victim.exists()


def test_text_in_the_configuration_reaches_no_shell(working: Copy, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("")
    title = f"'; rm -f {victim}; $(rm -f {victim}) `rm -f {victim}` \""
    overlay = {"scale": {"title": title}, "architectures": {"small": {"title": title}}}
    working.run(f"{DIGITS}/figures/architecture.svg", overlay=overlay).succeeded()
    assert victim.exists()


def test_a_mirror_over_plain_http_is_refused(fresh: Copy) -> None:
    answer = fresh.run("--dry-run", "--config", "mirror=http://example.org/data/", DIGITS)
    failed_with(answer, "mirror is", "http://example.org/data/", "must be null, a folder", "https://")


def test_a_key_given_twice_stops_the_run_with_both_lines(fresh: Copy, tmp_path: Path) -> None:
    overlay = tmp_path / "o.yaml"
    overlay.write_text("datasets:\n  digits:\n    alpha: 0.1\n    title: Digits\n    alpha: 0.2\n", encoding="utf-8")
    answer = fresh.run("--dry-run", DIGITS, config=str(overlay))
    failed_with(answer, "o.yaml, lines 3 and 5: the key 'alpha' in datasets.digits is given twice")


def test_a_misspelt_target_gets_the_nearest_one(fresh: Copy) -> None:
    answer = fresh.run("--dry-run", "results/tiny/digts/figures")
    failed_with(answer, "No rule to produce results/tiny/digts/figures", f"Did you mean {DIGITS}/figures")


def test_the_command_line_sets_numbers_below_the_top_level_and_leaves_parts_out(fresh: Copy) -> None:
    given = ["--config", "attacks={original: {confidence: 0.95}}", "targeted=null"]
    jobs = fresh.plan(*given, DIGITS)
    assert "attack_shard" in counts(jobs)
    assert "attack_targets" not in counts(jobs)


# ---- sources --------------------------------------------------------------------------------------------------------


@pytest.fixture
def working(fresh: Copy, tmp_path: Path) -> Copy:
    """A copy in which a test may compute."""
    return fresh.duplicate(tmp_path / "workflow")


def answers_404(server: DataServer) -> None:
    server.files.clear()


def sends_half(server: DataServer) -> None:
    server.cut_after.extend([100] * 12)
    server.knows_ranges = False


def sends_something_else(server: DataServer) -> None:
    server.files = dict.fromkeys(server.files, b"another file")


@pytest.mark.parametrize(
    ("misbehaviour", "words"),
    [
        (answers_404, "answered 404"),
        (sends_half, "truncated: received 100 of"),
        (sends_something_else, "wrong checksum"),
    ],
)
def test_a_server_that_fails_is_named_with_its_reason(
    working: Copy, misbehaviour: Callable[[DataServer], None], words: str
) -> None:
    files = idx_files()
    names = {role: f"{role}.gz" for role in files}
    with serving(**{names[role]: content for role, content in files.items()}) as server:
        misbehaviour(server)
        entries = {role: {"name": names[role], "sha256": sha256(content)} for role, content in files.items()}
        source = {"kind": "idx", "addresses": [server.address], "files": entries}
        overlay = {"sources": {"here": source}, "datasets": {"digits": {"source": "here"}}}
        answer = working.run(PREPARED, overlay=overlay)
        failed_with(answer, "test_images.gz could not be fetched", server.address, words, "run the same command again")


def test_a_folder_of_images_of_one_class_is_refused(working: Copy) -> None:
    write_tree(working.path("pictures"), image_tree(classes=["cat"]))
    dataset = {"source": "own", "classes": ["cat", "dog"], "example_classes": ["cat"]}
    overlay = {
        "sources": {"own": {"kind": "imagefolder", "path": "pictures"}},
        "datasets": {"digits": dataset},
        "attacks": {"original": {"confidence": 0.6}, "strong": {"confidence": 0.6}},
    }
    failed_with(working.run(PREPARED, overlay=overlay), "pictures has only one class (cat)")


def test_a_training_that_diverges_is_named(working: Copy) -> None:
    overlay = {"datasets": {"digits": {"models": {"resnet-noisy": {"training": {"learning_rate": 1.0e30}}}}}}
    answer = working.run(f"{MODEL}/weights.safetensors", overlay=overlay)
    failed_with(answer, "training of digits/resnet-noisy, seed 0 diverged in epoch 1", "lower its learning_rate")


# ---- interruptions --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(fresh: Copy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Copy, Copy]:
    """The workflow with its images prepared, and the same trained and evaluated without a disturbance."""
    before = fresh.duplicate(tmp_path_factory.mktemp("before"))
    before.run(f"{DIGITS}/models/small-clean/seed0/predictions.parquet", overlay=LONGER).succeeded()
    after = before.duplicate(tmp_path_factory.mktemp("after"))
    after.run(ACCURACY, overlay=LONGER).succeeded()
    return before, after


def same_as(undisturbed: Copy, copy: Copy) -> None:
    """The trained weights and the table are those of the undisturbed run, byte for byte."""
    for name in (f"{MODEL}/weights.safetensors", f"{MODEL}/predictions.parquet", ACCURACY):
        assert copy.path(name).read_bytes() == undisturbed.path(name).read_bytes(), name


@pytest.fixture
def training(undisturbed: tuple[Copy, Copy], tmp_path: Path) -> Iterator[tuple[Copy, subprocess.Popen[str]]]:
    """A run of Snakemake whose training has just finished its first epoch."""
    copy = undisturbed[0].duplicate(tmp_path / "workflow")
    process = copy.start(ACCURACY, overlay=LONGER)
    try:
        deadline = time.monotonic() + 120
        while not copy.path(CHECKPOINT).exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield copy, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def jobs_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that run a script for Snakemake, those that run Python last."""
    return [child for child in psutil.Process(process.pid).children(recursive=True) if child.is_running()]


def test_after_control_c_the_same_command_finishes(
    training: tuple[Copy, subprocess.Popen[str]], undisturbed: tuple[Copy, Copy]
) -> None:
    copy, process = training
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not copy.path(f"{MODEL}/weights.safetensors").exists()
    copy.run(ACCURACY, overlay=LONGER).succeeded()
    assert "continuing after epoch" in copy.path(LOG).read_text(encoding="utf-8")
    same_as(undisturbed[1], copy)


def test_a_killed_training_goes_on_after_its_last_epoch(
    training: tuple[Copy, subprocess.Popen[str]], undisturbed: tuple[Copy, Copy]
) -> None:
    copy, process = training
    for job in jobs_of(process):
        if any("train_model.py" in word for word in job.cmdline()[:3]):
            job.kill()
    process.communicate(timeout=60)
    assert process.returncode == 1
    copy.run(ACCURACY, overlay=LONGER).succeeded()
    assert "continuing after epoch" in copy.path(LOG).read_text(encoding="utf-8")
    same_as(undisturbed[1], copy)


def test_after_a_power_cut_unlock_and_the_same_command_finish(
    training: tuple[Copy, subprocess.Popen[str]], undisturbed: tuple[Copy, Copy]
) -> None:
    copy, process = training
    for each in [psutil.Process(process.pid), *jobs_of(process)]:
        each.kill()
    process.communicate(timeout=60)
    locked = copy.run(ACCURACY, overlay=LONGER)
    assert locked.code == 1
    assert "--unlock" in locked.said
    copy.run("--unlock", overlay=LONGER).succeeded()
    copy.run(ACCURACY, overlay=LONGER).succeeded()
    assert "continuing after epoch" in copy.path(LOG).read_text(encoding="utf-8")
    same_as(undisturbed[1], copy)


def test_a_second_run_at_the_same_time_is_refused_and_disturbs_nothing(
    training: tuple[Copy, subprocess.Popen[str]], undisturbed: tuple[Copy, Copy]
) -> None:
    copy, process = training
    failed_with(copy.run(ACCURACY, overlay=LONGER), "cannot be locked")
    process.communicate(timeout=300)
    assert process.returncode == 0
    same_as(undisturbed[1], copy)


def test_a_file_cut_short_by_a_crash_is_named_and_made_again(undisturbed: tuple[Copy, Copy], tmp_path: Path) -> None:
    copy = undisturbed[1].duplicate(tmp_path / "workflow")
    weights = copy.path(f"{MODEL}/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    for later in (f"{MODEL}/predictions.parquet", ACCURACY):
        copy.path(later).unlink()
    failed_with(copy.run(ACCURACY, overlay=LONGER), "weights.safetensors is damaged", "delete it")
    weights.unlink()
    copy.run(ACCURACY, overlay=LONGER).succeeded()
    same_as(undisturbed[1], copy)


def test_weights_put_back_from_an_older_run_are_not_joined_with_results_of_todays(
    finished: Copy, tmp_path: Path
) -> None:
    copy = finished.duplicate(tmp_path / "workflow")
    trust, weights = f"{DIGITS}/trust/resnet-noisy/seed0.csv", copy.path(f"{MODEL}/weights.safetensors")
    older, before = load_file(weights), weights.stat()
    kernel = next(name for name, array in older.items() if array.ndim > 1)
    write_tensors(weights, {**older, kernel: older[kernel] * np.float32(1.01)}, read_metadata(weights))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.path(trust).unlink()
    failed_with(
        copy.run(trust),
        "was made from other weights than those that are there now: delete it and run the workflow again",
    )


def test_files_dated_in_the_future_repeat_nothing(undisturbed: tuple[Copy, Copy], tmp_path: Path) -> None:
    copy = undisturbed[1].duplicate(tmp_path / "workflow")
    tomorrow = time.time() + 86400
    for path in (copy.path(PREPARED), copy.path(f"{MODEL}/weights.safetensors")):
        os.utime(path, (tomorrow, tomorrow))
    assert copy.plan(ACCURACY, overlay=LONGER) == []


def test_a_job_whose_input_is_dated_in_the_future_is_named_and_runs_once_the_date_is_mended(
    undisturbed: tuple[Copy, Copy], tmp_path: Path
) -> None:
    copy = undisturbed[1].duplicate(tmp_path / "workflow")
    tomorrow = time.time() + 86400
    os.utime(copy.path(PREPARED), (tomorrow, tomorrow))
    copy.path(f"{MODEL}/predictions.parquet").unlink()
    copy.path(ACCURACY).unlink()
    answer = copy.run(ACCURACY, overlay=LONGER)
    failed_with(answer, "has older modification time", PREPARED, "This could indicate a clock skew")
    os.utime(copy.path(PREPARED))
    copy.run(ACCURACY, overlay=LONGER).succeeded()
    same_as(undisturbed[1], copy)
    assert copy.plan(ACCURACY, overlay=LONGER) == []


# ---- disks ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 150 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system to fill")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a small file system to fill")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_named_and_the_same_command_finishes_when_there_is_room(working: Copy, small_disk: Path) -> None:
    overlay = {"results": f"{small_disk}/results"}
    target = f"{small_disk}/results/digits/data/augmented.safetensors"
    command = [*working.command(overlay=overlay)[:-1], "--", target]
    first = subprocess.run(command, cwd=working.folder, capture_output=True, text=True)
    failed_with(Answer(first.returncode, first.stdout + first.stderr), "the disk is full", "train.safetensors")
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    again = subprocess.run(command, cwd=working.folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert Path(target).exists()


def test_a_folder_that_cannot_be_written_to_is_named_and_nothing_is_lost(working: Copy, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    overlay = {"results": f"{small_disk}/results"}
    target = f"{small_disk}/results/digits/data/augmented.safetensors"
    command = [*working.command(overlay=overlay)[:-1], "--", target]
    prepared = Path(f"{small_disk}/results/digits/data/train.safetensors")
    subprocess.run([*command[:-1], str(prepared)], cwd=working.folder, capture_output=True, check=True)
    before = prepared.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    first = subprocess.run(command, cwd=working.folder, capture_output=True, text=True)
    failed_with(Answer(first.returncode, first.stdout + first.stderr), "cannot write to", "results")
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    again = subprocess.run(command, cwd=working.folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert Path(target).exists()
    assert prepared.read_bytes() == before
