"""The attack's script as a process: killed and started again, and what it says of a wrong spec or model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustness.models import weights
from robustness.models.architectures import build
from robustness.models.image_shape import ImageShape
from robustness.runtime.forkserver import FEW, ForkServer, modules_for
from robustness.runtime.job_ends import SENTENCE_STATUS
from robustness.storage.tensors import write_tensors

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "scripts" / "attack_shard.py"
START = [sys.executable, "-IS", str(ROOT / "scripts" / "start_job.py")]
ARCHITECTURE = {"family": "perceptron", "hidden": 12}
ATTACK: dict[str, Any] = {
    "reward": "probability",
    "direction": "sign",
    "alpha": 0.00002,
    "confidence": 0.99,
    "max_iterations": 3000,
    "other_confidences": ["argmax", 0.5],
}


class Shard:
    """Files of a small model and images, and the command that attacks them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        torch.manual_seed(0)
        self.network = build(ARCHITECTURE, ImageShape(1, 6, 6), 4)
        self.save()
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (80, 1, 6, 6), dtype=np.uint8)
        with torch.no_grad():
            labels = self.network(torch.from_numpy(images) / 255).argmax(1).numpy()
        write_tensors(folder / "test.safetensors", {"images": images, "labels": labels}, {})
        self.checkpoint = folder / "state" / "shard.safetensors"

    def save(self) -> None:
        weights.save(
            self.folder / "weights.safetensors",
            self.network,
            {"architecture": ARCHITECTURE, "image": [1, 6, 6], "classes": 4},
        )

    def state_of(self, name: str) -> Path:
        """Where the state of an attack with a partner is kept."""
        return self.folder / "state" / f"{name}.safetensors"

    def command(
        self,
        name: str,
        attack: dict[str, Any] = ATTACK,
        batch_size: int = 16,
        save_every: int = 0,
        partner: tuple[str, dict[str, Any]] | None = None,
    ) -> list[str]:
        spec = {"title": "tiny/small, seed 0, attack original", "seed": 0, "attack": attack}
        partners = []
        if partner is not None:
            other = self.folder / f"{partner[0]}.parquet"
            job = {"records": str(other), "checkpoint": str(self.state_of(partner[0]))}
            partners.append({"spec": spec | {"attack": partner[1]}, **job})
        options = {
            **{"dataset": "tiny", "model": "small", "attack": "original", "seed": 0},
            "spec": json.dumps(spec),
            "weights": self.folder / "weights.safetensors",
            "test": self.folder / "test.safetensors",
            "start": 20,
            "stop": 70,
            "records": self.folder / f"{name}.parquet",
            "adversarial": self.folder / f"{name}.safetensors",
            "checkpoint": self.checkpoint if partner is None else self.state_of(name),
            "partners": json.dumps(partners),
            "save-every": save_every,
            "batch-size": batch_size,
        }
        words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
        return [sys.executable, str(PROGRAM), *words]

    def ended(self, name: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The job after its end; in a fork, which imports nothing."""
        _, *command = self.command(name, **options)
        return subprocess.run([*START, *command], capture_output=True, text=True, timeout=120)

    def run(self, name: str, **options: Any) -> str:
        done = self.ended(name, **options)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def error(self, **options: Any) -> str:
        done = self.ended("wrong", **options)
        assert done.returncode == SENTENCE_STATUS
        assert not (self.folder / "wrong.parquet").exists()
        assert "Traceback" not in done.stderr
        return done.stderr

    def outputs(self, name: str) -> list[bytes]:
        return [(self.folder / f"{name}.{suffix}").read_bytes() for suffix in ("parquet", "safetensors")]


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    found = ForkServer()
    found.start(modules_for([(PROGRAM,)] * (FEW + 1)))
    yield
    found.stop()


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return Shard(tmp_path)


@pytest.mark.slow
def test_a_shard_that_is_killed_goes_on_and_writes_the_bytes_of_an_undisturbed_one(shard: Shard) -> None:
    shard.run("undisturbed", batch_size=50)
    for _ in range(2):
        started = subprocess.Popen(shard.command("killed"), stderr=subprocess.DEVNULL)
        before = shard.checkpoint.stat().st_mtime_ns if shard.checkpoint.exists() else 0
        wait_for(shard.checkpoint, started, before)
        started.kill()
        started.wait()
    assert not (shard.folder / "killed.parquet").exists()
    assert "continuing after" in shard.run("killed")
    assert shard.outputs("killed") == shard.outputs("undisturbed")
    assert not shard.checkpoint.exists()


def wait_for(state: Path, job: subprocess.Popen[Any], before: int = 0) -> None:
    """Wait until a running job has saved a state, another than that of the time `before`."""
    deadline = time.monotonic() + 60
    while not state.exists() or state.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline
        assert job.poll() is None, "the job ended before it saved a state"
        time.sleep(0.01)


def asks_to_end(process: subprocess.Popen[str]) -> None:
    """Send SIGTERM as soon as the process would notice."""
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        if int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1:
            break
        time.sleep(0.01)
    time.sleep(0.3)
    process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see when a process is ready")
def test_a_shard_that_is_asked_to_end_saves_its_state_says_so_and_goes_on_with_the_same_bytes(shard: Shard) -> None:
    shard.run("undisturbed", batch_size=50)
    started = subprocess.Popen(shard.command("stopped", save_every=3600), stderr=subprocess.PIPE, text=True)
    asks_to_end(started)
    said = started.communicate(timeout=60)[1]
    assert started.returncode == 1
    assert "of 50 images done: stopped by SIGTERM" in said
    assert str(shard.checkpoint) in said
    assert "Traceback" not in said
    assert not (shard.folder / "stopped.parquet").exists()
    assert "continuing after" in shard.run("stopped")
    assert shard.outputs("stopped") == shard.outputs("undisturbed")
    assert not shard.checkpoint.exists()


@pytest.mark.slow
def test_a_changed_attack_or_model_does_not_take_up_the_old_state(shard: Shard) -> None:
    started = subprocess.Popen(shard.command("killed"), stderr=subprocess.DEVNULL)
    wait_for(shard.checkpoint, started)
    started.kill()
    started.wait()
    state = shard.checkpoint.read_bytes()
    assert "starts afresh" in shard.run("changed", attack=ATTACK | {"max_iterations": 5})
    shard.checkpoint.write_bytes(state)
    with torch.no_grad():
        next(shard.network.parameters()).mul_(1.01)
    shard.save()
    assert "starts afresh" in shard.run("changed")


STRONG = ATTACK | {"reward": "cross_entropy"}


@pytest.mark.slow
def test_the_job_of_an_attack_that_another_computed_along_takes_what_it_left_and_writes_the_same_bytes(
    shard: Shard,
) -> None:
    shard.run("strong", attack=STRONG)
    alone = shard.outputs("strong")
    (shard.folder / "strong.parquet").unlink()
    shard.run("original", partner=("strong", STRONG))
    assert "continuing after" in shard.run("strong", attack=STRONG, partner=("original", ATTACK))
    assert shard.outputs("strong") == alone
    assert list((shard.folder / "state").iterdir()) == []


@pytest.mark.slow
def test_an_attack_is_computed_along_only_where_its_records_are_missing_or_outdated(shard: Shard) -> None:
    partner = ("strong", STRONG)
    shard.run("strong", attack=STRONG)
    shard.run("original", partner=partner)
    assert not shard.state_of("strong").exists()
    os.utime(shard.folder / "weights.safetensors")
    shard.run("original", partner=partner)
    assert shard.state_of("strong").exists()


@pytest.mark.slow
def test_the_job_of_an_attack_that_is_being_computed_along_waits_and_then_takes_it_over(shard: Shard) -> None:
    leading = subprocess.Popen(
        shard.command("original", partner=("strong", STRONG)), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(shard.state_of("strong"), leading)
    leading.send_signal(signal.SIGSTOP)  # else it may end before the other has begun
    waiting = subprocess.Popen(
        shard.command("strong", attack=STRONG, partner=("original", ATTACK)), stderr=subprocess.PIPE, text=True
    )
    assert waiting.stderr is not None
    said = ""
    while "waiting for it" not in said:
        line = waiting.stderr.readline()
        assert line, said
        said += line
    leading.kill()
    said += waiting.communicate(timeout=120)[1]
    assert waiting.returncode == 0, said
    assert "continuing after" in said
    found = shard.outputs("strong")
    shard.run("strong", attack=STRONG)
    assert shard.outputs("strong") == found
    shard.run("original", partner=("strong", STRONG))
    assert list((shard.folder / "state").iterdir()) == []


def test_a_wrong_setting_is_named_with_the_model_the_images_and_the_value(shard: Shard) -> None:
    said = shard.error(attack=ATTACK | {"confidence": 0.2})
    assert "tiny/small, seed 0, attack original, test images 20 to 69: confidence has 0.2" in said
    assert "target class 9 does not exist" in shard.error(attack=ATTACK | {"target": 9})
    assert "unknown attack setting 'step'" in shard.error(attack=ATTACK | {"step": 1})


def test_a_model_that_returns_nan_is_named_with_its_images(shard: Shard) -> None:
    with torch.no_grad():
        next(shard.network.parameters())[0, 0] = torch.nan
    shard.save()
    said = shard.error()
    assert "test images 20 to 69: the network answers random-static images 0, 1, 2, 3, 4 and 59 more with NaN" in said
