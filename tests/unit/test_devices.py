"""The lease of GPUs between jobs of one machine, with GPUs that are only pretended."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock, Timeout

from robustness.compute import devices

HOLDER = """
import sys, tempfile
sys.path.insert(0, {scripts!r})
tempfile.tempdir = {folder!r}
import torch
torch.cuda.is_available = lambda: True
from robustness.compute import devices
devices.visible_gpus = lambda: ["GPU-a", "GPU-b"]
with devices.leased(1) as device:
    print(device.index, flush=True)
    sys.stdin.read()
"""


def pretend(monkeypatch: pytest.MonkeyPatch, *gpus: str) -> None:
    """Let this process see GPUs with these identifiers."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=gpus[index]))


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with two GPUs and locks of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    pretend(monkeypatch, "GPU-a", "GPU-b")
    matmul, cudnn, threads = torch.backends.cuda.matmul, torch.backends.cudnn, torch.get_num_threads()
    before = matmul.allow_tf32, cudnn.allow_tf32
    yield tmp_path
    matmul.allow_tf32, cudnn.allow_tf32 = before
    torch.set_num_threads(threads)


def test_without_a_gpu_the_cpu_computes_with_the_given_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for threads in (2, 1):
        with devices.leased(threads) as device:
            assert device == torch.device("cpu")
            assert torch.get_num_threads() == threads
    assert devices.describe(device) == f"cpu ({torch.backends.cpu.get_cpu_capability()})"


def test_float32_is_float32_on_a_leased_gpu_whatever_it_was_before() -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    with devices.leased(1):
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32


def test_two_leases_hold_different_gpus_and_a_returned_one_is_free_again() -> None:
    with ExitStack() as first:
        assert first.enter_context(devices.leased(1)) == torch.device("cuda", 0)
        with devices.leased(1) as second:
            assert second == torch.device("cuda", 1)
        with devices.leased(1) as third:
            assert third == torch.device("cuda", 1)
    with devices.leased(1) as fourth:
        assert fourth == torch.device("cuda", 0)


def test_a_lease_ends_with_an_error_in_its_block() -> None:
    with pytest.raises(RuntimeError), devices.leased(1):
        raise RuntimeError
    with devices.leased(1) as device:
        assert device == torch.device("cuda", 0)


def test_memory_is_given_back_before_another_job_can_have_the_gpu(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def given_back() -> None:
        (lock,) = machine.glob("*/GPU-a.lock")
        with pytest.raises(Timeout):
            FileLock(lock).acquire(blocking=False)
        heard.append("memory given back")

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: heard.append(f"{device} has done its work"))
    monkeypatch.setattr(torch.cuda, "empty_cache", given_back)
    with devices.leased(1):
        assert not heard
    assert heard == ["cuda:0 has done its work", "memory given back"]


def test_a_gpu_that_fails_in_the_end_is_given_back_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: torch.device) -> None:
        raise RuntimeError("CUDA error")

    with monkeypatch.context() as broken:
        broken.setattr(torch.cuda, "synchronize", failing)
        with pytest.raises(RuntimeError, match="CUDA error"), devices.leased(1):
            pass
    with devices.leased(1) as device:
        assert device == torch.device("cuda", 0)


def test_a_third_job_waits_until_a_gpu_is_returned() -> None:
    got: list[torch.device] = []

    def third() -> None:
        with devices.leased(1) as device:
            got.append(device)

    with ExitStack() as first, ExitStack() as second:
        first.enter_context(devices.leased(1))
        second.enter_context(devices.leased(1))
        waiting = threading.Thread(target=third)
        waiting.start()
        time.sleep(0.5)
        assert not got
        second.close()
        waiting.join(timeout=60)
        assert got == [torch.device("cuda", 1)]


def test_a_job_of_another_process_holds_its_gpu_until_it_ends_even_if_it_is_killed(machine: Path) -> None:
    code = HOLDER.format(scripts=str(Path(devices.__file__).parents[2]), folder=str(machine))
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "0\n"
        with devices.leased(1) as device:
            assert device == torch.device("cuda", 1)
    finally:
        holder.kill()
        holder.communicate()
    with devices.leased(1) as device:
        assert device == torch.device("cuda", 0)


def test_jobs_that_see_the_same_gpus_in_another_order_share_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with devices.leased(1):
        pretend(monkeypatch, "GPU-b", "GPU-a")
        with devices.leased(1) as device:
            assert device == torch.device("cuda", 0)  # which is GPU-b


def test_gpus_that_two_jobs_both_see_as_number_0_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "GPU-a")
    with devices.leased(1):
        pretend(monkeypatch, "GPU-b")
        with devices.leased(1) as device:
            assert device == torch.device("cuda", 0)


def test_a_job_that_waited_says_for_how_long_and_one_that_did_not_says_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    pretend(monkeypatch, "GPU-a")
    first = ExitStack()
    first.enter_context(devices.leased(1))
    assert caplog.text == ""
    monkeypatch.setattr(devices.time, "sleep", lambda _: first.close())  # returned while the next one waits
    with devices.leased(1):
        assert re.search(r"waited \d+\.\d s for a free GPU", caplog.text)
