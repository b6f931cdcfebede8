"""Files appear whole or not at all, and the format for tensors."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flipped_bits import flips

from robustness.errors import UserError
from robustness.storage import atomic
from robustness.storage.atomic import read_json, replacing, write_json, write_text
from robustness.storage.format_version import FORMAT
from robustness.storage.tensors import read_metadata, read_tensors, write_tensors

ARRAYS = {
    "images": np.arange(24, dtype=np.uint8).reshape(4, 1, 2, 3),
    "labels": np.array([3, 1, 2, 0], np.int64),
    "single": np.array([0.5], np.float32),
}


# --- whole or not at all ---------------------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_finished_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("content")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "content"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", ["old", None])
def test_an_interrupted_writer_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, before: str | None, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_text(before)

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        write()
    assert [file.read_text() for file in tmp_path.iterdir()] == ([] if before is None else [before])


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    write_tensors(path, ARRAYS, {})
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_tensors(path, {"other": np.zeros(3)}, {})
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    write_text(tmp_path / "file", "")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_json_is_sorted_and_text_is_utf_8(tmp_path: Path) -> None:
    write_json(tmp_path / "value", {"b": 1, "a": [2]})
    assert (tmp_path / "value").read_text().startswith('{\n  "a": [\n    2\n  ],\n  "b": 1,\n  "digest": ')
    assert read_json(tmp_path / "value") == {"b": 1, "a": [2]}
    write_text(tmp_path / "text", "3×3 − α")
    assert (tmp_path / "text").read_bytes() == "3×3 − α".encode()


def test_a_changed_value_in_json_is_damage(tmp_path: Path) -> None:
    write_json(tmp_path / "card", {"accuracy": 0.75})
    (tmp_path / "card").write_text((tmp_path / "card").read_text().replace("0.75", "0.95"))
    with pytest.raises(UserError, match=r"card is damaged \(its content changed after it was written\): delete it"):
        read_json(tmp_path / "card")


# --- what killed writers leave --------------------------------------------------------------------------------------


def left_behind(path: Path, machine: str | None = None, process: int | None = None) -> Path:
    """The temporary file of a writer of `path` that was killed, on this machine and another process if not said."""
    with replacing(path) as temporary:
        name = temporary.name
    dead = subprocess.Popen(["true"])
    dead.wait()
    name = name.replace(f"-{os.getpid()}-", f"-{process or dead.pid}-")
    if machine is not None:
        name = name.replace(atomic._machine(), machine)
    left = path.with_name(name)
    left.write_text("half of the n")
    return left


def test_a_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    left_behind(path)
    write_text(path, "content")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see that a process has ended")
def test_a_killed_writer_is_gone_although_nobody_asked_for_its_exit_status(tmp_path: Path) -> None:
    killed = subprocess.Popen(["sleep", "60"])
    path = tmp_path / "file.txt"
    left_behind(path, process=killed.pid)
    killed.kill()
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    write_text(path, "content")
    assert list(tmp_path.iterdir()) == [path]
    killed.wait()


def test_what_belongs_to_another_file_or_to_a_writer_at_work_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    others = {
        left_behind(tmp_path / "file.more"),
        left_behind(tmp_path / "other"),
        left_behind(path, process=os.getppid()),
        left_behind(path, machine="elsewhere"),
    }
    write_text(path, "content")
    assert {each for each in tmp_path.iterdir() if each.name.startswith(".")} == others


def test_a_writer_on_another_machine_that_is_silent_for_long_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    left = left_behind(path, machine="elsewhere")
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    write_text(path, "content")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_removed_with_what_killed_writers_left_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "content")
    left_behind(path)
    atomic.remove(path)
    assert list(tmp_path.iterdir()) == []
    atomic.remove(path)
    atomic.remove(tmp_path / "no folder" / "file")


def test_two_writers_at_once_leave_what_the_last_one_wrote(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as first:
        first.write_text("first")
        write_text(path, "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


# --- tensors ---------------------------------------------------------------------------------------------------------


def test_tensors_and_metadata_come_back_as_they_were(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", ARRAYS, {"classes": ["a", "b"], "provenance": {"format": 1}})
    found = dict(zip(ARRAYS, read_tensors(tmp_path / "file", *ARRAYS), strict=True))
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
    assert read_metadata(tmp_path / "file") == {"classes": ["a", "b"], "provenance": {"format": 1}}


def test_tensors_come_back_in_the_order_asked_for_and_by_rows(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", ARRAYS, {})
    labels, images = read_tensors(tmp_path / "file", "labels", "images", rows=slice(1, 3))
    assert labels.tolist() == [1, 2]
    assert np.array_equal(images, ARRAYS["images"][1:3])


def test_an_array_that_is_a_view_is_written_in_its_own_order(tmp_path: Path) -> None:
    view = ARRAYS["images"][::2].transpose(0, 3, 2, 1)
    write_tensors(tmp_path / "file", {"view": view}, {})
    assert np.array_equal(read_tensors(tmp_path / "file", "view")[0], view)


def test_the_same_input_gives_the_same_bytes_whatever_its_order(tmp_path: Path) -> None:
    metadata = {f"key{number}": number for number in range(8)}
    write_tensors(tmp_path / "first", ARRAYS, metadata)
    for attempt in range(5):
        write_tensors(tmp_path / "again", dict(reversed(ARRAYS.items())), dict(reversed(metadata.items())))
        assert (tmp_path / "again").read_bytes() == (tmp_path / "first").read_bytes(), attempt


def test_a_name_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", ARRAYS, {})
    with pytest.raises(UserError, match=r"file has no 'weights' \(it has images, labels, single\)"):
        read_tensors(tmp_path / "file", "images", "weights")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 200, b"<html>not found</html>"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    for read in (lambda: read_tensors(tmp_path / "file", "images"), lambda: read_metadata(tmp_path / "file")):
        with pytest.raises(UserError, match=r"file is damaged .* delete it"):
            read()


def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", ARRAYS, {})
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:-1])
    with pytest.raises(UserError, match="file is damaged"):
        read_tensors(tmp_path / "file", "labels")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing does not exist"):
        read_metadata(tmp_path / "missing")


@pytest.mark.parametrize("read", [lambda path: read_tensors(path, "labels"), read_metadata])
def test_a_file_of_a_newer_format_is_named_with_what_to_do(tmp_path: Path, read: Callable[[Path], object]) -> None:
    write_tensors(tmp_path / "file", ARRAYS, {"provenance": {"format": FORMAT + 1}})
    with pytest.raises(UserError, match=rf"/file has format {FORMAT + 1}, which a newer version .*: update it, or set"):
        read(tmp_path / "file")
    write_tensors(tmp_path / "file", ARRAYS, {"provenance": {"format": FORMAT}})
    read(tmp_path / "file")


def test_tensors_of_the_first_format_are_still_read(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", ARRAYS, {"provenance": {"format": 1}})
    assert read_metadata(tmp_path / "file")["provenance"]["format"] == 1


def test_damage_is_found_in_the_rows_that_are_read_and_only_there(tmp_path: Path) -> None:
    path, images = tmp_path / "file", np.random.default_rng(0).random((5000, 3, 16, 16), dtype=np.float32)
    write_tensors(path, {"images": images}, {})
    content = bytearray(path.read_bytes())
    begin = len(content) - images.nbytes + 2500 * images[0].nbytes
    content[begin : begin + 4096] = bytes(4096)
    path.write_bytes(content)
    for rows in (slice(0, 100), slice(4900, None), slice(17, 17)):
        assert np.array_equal(read_tensors(path, "images", rows=rows)[0], images[rows])
    for rows in (slice(None), slice(2500, 2501), slice(2400, 2600)):
        with pytest.raises(UserError, match=r"file is damaged \(its data changed after it was written\): delete it"):
            read_tensors(path, "images", rows=rows)


def test_a_file_with_any_flipped_bit_is_refused_or_holds_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_tensors(path, ARRAYS, {"identity": {"dataset": "mnist"}, "provenance": {"format": FORMAT}})
    arrays, metadata = read_tensors(path, *ARRAYS), read_metadata(path)
    said: list[str] = []
    for bit in flips(path):
        try:
            for found, written in zip(read_tensors(path, *ARRAYS), arrays, strict=True):
                assert found.dtype == written.dtype, bit
                assert np.array_equal(found, written), bit
            assert read_metadata(path) == metadata, bit
        except UserError as error:
            said.append(str(error))
    assert len(said) > 290
    assert all(f"{path} is damaged" in each or "/file has " in each for each in said)
