"""Downloads: what is used, what is tried, what is refused, and what is said."""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_server import DataServer, closed_address, serving
from made_data import sha256

import download_data
from robustness.data import download
from robustness.errors import UserError
from robustness.runtime import progress
from robustness.storage.atomic import read_json
from robustness.storage.format_version import FORMAT

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several chunks
RIGHT = sha256(CONTENT)
NAME = "images.gz"


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving(**{NAME: CONTENT}) as started:
        yield started


def fetch(folder: Path, *addresses: str, mirror: str | None = None, timeout: float = 60.0) -> Path:
    return download.fetch(NAME, RIGHT, addresses, mirror, folder, first_wait=0.0, timeout=timeout)


def test_a_file_is_downloaded_and_no_part_of_it_is_left(tmp_path: Path, server: DataServer) -> None:
    path = fetch(tmp_path / "downloads", server.address)
    assert path == tmp_path / "downloads" / NAME
    assert path.read_bytes() == CONTENT
    assert not list(tmp_path.rglob("*.part"))


def test_an_address_may_lack_its_last_slash(tmp_path: Path, server: DataServer) -> None:
    assert fetch(tmp_path, server.address.rstrip("/")).read_bytes() == CONTENT


def test_a_file_placed_by_hand_is_used_without_asking_anybody(tmp_path: Path, server: DataServer) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    fetch(tmp_path, server.address, mirror=server.address)
    assert server.requests == []


def test_a_wrong_file_placed_by_hand_is_named_and_left_alone(tmp_path: Path, server: DataServer) -> None:
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(UserError, match="delete it") as caught:
        fetch(tmp_path, server.address)
    assert all(word in str(caught.value) for word in (str(tmp_path / NAME), RIGHT, sha256(b"mine")))
    assert (tmp_path / NAME).read_bytes() == b"mine"


@pytest.mark.parametrize("by_file", [True, False], ids=["the file itself", "a folder"])
def test_a_local_mirror_comes_before_the_addresses(tmp_path: Path, server: DataServer, by_file: bool) -> None:
    held = tmp_path / "mirror" / NAME
    held.parent.mkdir()
    held.write_bytes(CONTENT)
    path = fetch(tmp_path / "downloads", server.address, mirror=str(held if by_file else held.parent))
    assert path.read_bytes() == CONTENT
    assert server.requests == []


def test_a_mirror_may_be_an_address(tmp_path: Path, server: DataServer) -> None:
    assert fetch(tmp_path, closed_address(), mirror=server.address).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [None, b"something else"], ids=["lacks the file", "has another file"])
def test_a_mirror_without_the_right_file_is_passed_over(
    tmp_path: Path, server: DataServer, content: bytes | None
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    if content is not None:
        (mirror / NAME).write_bytes(content)
    assert fetch(tmp_path / "downloads", server.address, mirror=str(mirror)).read_bytes() == CONTENT


def test_a_missing_file_is_asked_for_once_and_the_next_address_is_tried(tmp_path: Path, server: DataServer) -> None:
    with serving() as empty:
        assert fetch(tmp_path, empty.address, server.address).read_bytes() == CONTENT
    assert len(empty.requests) == 1


def test_a_busy_server_is_asked_again(tmp_path: Path, server: DataServer) -> None:
    server.statuses = [503, 500]
    assert fetch(tmp_path, server.address).read_bytes() == CONTENT


def test_a_truncated_download_is_resumed(tmp_path: Path, server: DataServer) -> None:
    server.cut_after = [700_000]
    assert fetch(tmp_path, server.address).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=700000-"]


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path, server: DataServer) -> None:
    server.knows_ranges = False
    server.cut_after = [700_000]
    assert fetch(tmp_path, server.address).read_bytes() == CONTENT


def test_a_part_of_an_earlier_run_is_resumed(tmp_path: Path, server: DataServer) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    assert fetch(tmp_path, server.address).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == ["bytes=1000-"]


def test_a_whole_part_of_an_earlier_run_needs_no_server(tmp_path: Path, server: DataServer) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert fetch(tmp_path, server.address).read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize("part", [b"\xff" * 1000, CONTENT + b"more"], ids=["other bytes", "too long: 416"])
def test_a_part_that_does_not_fit_is_started_over(tmp_path: Path, server: DataServer, part: bytes) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(part)
    assert fetch(tmp_path, server.address).read_bytes() == CONTENT
    assert server.requests[-1][1] is None


def test_a_download_with_a_wrong_checksum_is_discarded_and_the_next_address_is_tried(
    tmp_path: Path, server: DataServer
) -> None:
    with serving(**{NAME: CONTENT[::-1]}) as wrong:
        assert fetch(tmp_path, wrong.address, server.address).read_bytes() == CONTENT
    assert len(wrong.requests) == 1
    assert server.requests[0][1] is None


def test_when_no_place_has_the_file_each_is_named_with_its_reason(tmp_path: Path) -> None:
    folder, closed = tmp_path / "downloads", closed_address()
    with serving() as empty, serving(**{NAME: b"other"}) as wrong, serving(**{NAME: CONTENT}) as cutting:
        cutting.cut_after = [10, 10, 10]
        with pytest.raises(UserError) as caught:
            fetch(folder, empty.address, wrong.address, closed, cutting.address, mirror=str(tmp_path / "nowhere"))
    sentence = str(caught.value)
    for word in ("no such folder", "404", "wrong checksum", "connection refused", "truncated: received 30 of 1048576"):
        assert word in sentence
    for place in (NAME, str(tmp_path / "nowhere"), empty.address, wrong.address, closed, cutting.address):
        assert place in sentence
    assert "--config mirror=FOLDER" in sentence
    assert str(folder) in sentence
    assert "\n" not in sentence
    assert not (folder / NAME).exists()


def test_a_silent_server_times_out(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(UserError, match="timed out"):
            fetch(tmp_path, address, timeout=0.05)


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("ftp://127.0.0.1/", "'ftp' is not a scheme"),
        ("file:///tmp/", "'file' is not a scheme"),
        ("http://example.org/", "plain http"),
        ("http://127.0.0.1.example.org/", "plain http"),
    ],
)
def test_other_schemes_are_refused(tmp_path: Path, address: str, word: str) -> None:
    with pytest.raises(UserError, match=word) as caught:
        fetch(tmp_path, address)
    assert address in str(caught.value)


def test_a_redirect_to_plain_http_is_refused(tmp_path: Path, server: DataServer) -> None:
    server.redirect_to = "http://example.org/images.gz"
    with pytest.raises(UserError, match=r"redirects to http://example.org/images.gz, which is refused"):
        fetch(tmp_path, server.address)


def test_a_name_with_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="plain file name"):
        download.fetch("../images.gz", RIGHT, [], None, tmp_path)


def test_processes_that_want_the_same_file_download_it_once(tmp_path: Path, server: DataServer) -> None:
    threads = [threading.Thread(target=fetch, args=(tmp_path, server.address)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_download_that_takes_long_says_in_the_log_how_far_it_is(
    tmp_path: Path, server: DataServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = itertools.count(0, 1.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(download, "CHUNK_BYTES", 100_000)
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        fetch(tmp_path, server.address)
    assert any(line.startswith(f"{NAME}: 0.6 MB of 1.0 MB (57 %)") for line in caplog.messages), caplog.messages
    assert caplog.messages[-1].startswith(f"{NAME}: 1.0 MB in")


def test_a_full_disk_is_not_taken_for_a_bad_network(
    tmp_path: Path, server: DataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(download, "_save", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(tmp_path, server.address)
    assert caught.value.filename == str(tmp_path / f"{NAME}.part")


def test_the_manifest_is_the_same_wherever_the_files_came_from(tmp_path: Path, server: DataServer) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / NAME).write_bytes(CONTENT)
    spec = json.dumps({"files": {"archive": {"name": NAME, "sha256": RIGHT}}, "addresses": [server.address]})
    manifests = []
    for number, mirror in enumerate(([], ["--mirror", str(tmp_path / "mirror")])):
        output = tmp_path / f"manifest{number}.json"
        command = ["--spec", spec, "--downloads", str(tmp_path / f"downloads{number}"), "--output", str(output)]
        download_data.main(download_data.arguments().parse_args(command + mirror))
        manifests.append(output.read_bytes())
    assert manifests[0] == manifests[1]
    assert read_json(tmp_path / "manifest0.json") == {
        "format": FORMAT,
        "files": {"archive": {"name": NAME, "sha256": RIGHT, "bytes": len(CONTENT)}},
    }
    assert len(server.requests) == 1
