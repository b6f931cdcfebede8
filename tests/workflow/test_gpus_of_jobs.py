"""Jobs that run side by side on a machine with two GPUs, which are only pretended: each holds one of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from running import DIGITS, Copy, copied

# Appended to the copy's devices.py: the real lease between two pretended GPUs, held until another job holds one, too.
PRETENDED = """

@contextmanager
def leased(threads: int) -> Iterator[torch.device]:
    folder = Path(os.environ["HELD"])
    with ExitStack() as held:
        index = _lease(["GPU-a", "GPU-b"], held)
        (folder / str(os.getpid())).write_text(str(index), encoding="utf-8")
        deadline = time.monotonic() + 120
        while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        yield torch.device("cpu")
"""


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    for name, folder in {"TMPDIR": tmp_path / "locks", "HELD": tmp_path / "held"}.items():
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    made = copied(tmp_path / "copy")
    with made.path("scripts/robustness/compute/devices.py").open("a", encoding="utf-8") as file:
        file.write(PRETENDED)
    return made


def test_two_jobs_at_a_time_hold_a_gpu_each(copy: Copy, tmp_path: Path) -> None:
    models = [f"{DIGITS}/models/{name}/seed0/weights.safetensors" for name in ("small-clean", "resnet-noisy")]
    copy.run(*models).succeeded()
    held = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "held").iterdir()}
    assert len(held) == 2, "the two trainings did not run side by side"
    assert sorted(held.values()) == ["0", "1"]
    assert (tmp_path / "locks" / f"image-robustness-gpus-{os.getuid()}").is_dir()
