"""An attack's state on disk: what is kept, what is refused, and how often it is written."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from robustness.attacks.state import Store, Trajectories
from robustness.runtime import preemption

CPU = torch.device("cpu")


def state() -> Trajectories:
    made = Trajectories.start(torch.rand(5, 1, 4, 4), levels=2)
    made.iteration[:] = range(5)
    made.over[2] = True
    made.adversarial[2, 1] = 0.25
    made.batches.extend([5, 4])
    return made


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = state()
    Store(tmp_path / "state.safetensors", "key", 0.0).save(saved)
    loaded = Store(tmp_path / "state.safetensors", "key", 0.0).load(CPU)
    assert loaded is not None
    for field in fields(Trajectories):
        before, after = getattr(saved, field.name), getattr(loaded, field.name)
        assert np.array_equal(before, after, equal_nan=field.name == "watched"), field.name
        assert type(before) is type(after)


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    assert Store(tmp_path / "state.safetensors", "key", 0.0).load(CPU) is None


def test_the_state_of_another_attack_is_left_unread(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Store(tmp_path / "state.safetensors", "one attack", 0.0).save(state())
    assert Store(tmp_path / "state.safetensors", "another", 0.0).load(CPU) is None
    assert "starts afresh" in caplog.text


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_file_lets_the_attack_start_afresh(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.safetensors"
    Store(path, "key", 0.0).save(state())
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-100], "empty": b"", "text": b"no tensors here"}[damage])
    assert Store(path, "key", 0.0).load(CPU) is None
    assert "starts afresh" in caplog.text


def test_a_state_is_due_after_the_interval_and_not_again_at_once(tmp_path: Path) -> None:
    assert not Store(tmp_path / "state.safetensors", "key", 1000.0).due()
    store = Store(tmp_path / "state.safetensors", "key", 0.0)
    assert store.due()
    store.interval = 1000.0
    store.save(state())
    assert not store.due()


def test_a_state_is_due_at_once_when_the_script_is_asked_to_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.safetensors", "key", 1000.0)
    with preemption.noticed():
        assert not store.due()
        os.kill(os.getpid(), signal.SIGTERM)
        assert store.due()


def test_a_finished_attack_leaves_no_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.safetensors", "key", 0.0)
    store.remove()
    store.save(state())
    store.remove()
    assert list(tmp_path.iterdir()) == []
