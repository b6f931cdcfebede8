"""The script that prepares a dataset: from a source to three files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_data import cifar_archive, cifar_batches, idx_files, image_tree, random_images, sha256, write_tree

import prepare_data
from robustness.errors import UserError
from robustness.storage.format_version import FORMAT
from robustness.storage.tensors import read_metadata, read_tensors

DIGITS = [str(digit) for digit in range(10)]
COUNTS = {"train": 30, "validation": 10, "test": 20}


def downloaded(folder: Path, files: dict[str, bytes]) -> tuple[dict[str, Any], list[str]]:
    """A source's `files`, and the flags that lead to them, as if they had been downloaded."""
    names = {role: f"{role}.gz" for role in files}
    write_tree(folder / "downloads", {names[role]: content for role, content in files.items()})
    entries = {role: {"name": names[role], "sha256": sha256(content)} for role, content in files.items()}
    (folder / "manifest.json").write_text(json.dumps(entries))
    return entries, ["--manifest", str(folder / "manifest.json"), "--downloads", str(folder / "downloads")]


def prepare(folder: Path, spec: dict[str, Any], *flags: str) -> dict[str, Path]:
    outputs = {name: folder / "data" / f"{name}.safetensors" for name in ("train", "validation", "test")}
    command = ["--spec", json.dumps(spec), *flags]
    for name, path in outputs.items():
        command += [f"--{name}", str(path)]
    command += ["--counts", str(folder / "data" / "counts.json")]
    prepare_data.main(prepare_data.arguments().parse_args(command))
    return outputs


IMAGE_SIZES = {"idx": [1, 28, 28], "cifar-python": [3, 32, 32], "imagefolder": [3, 6, 8]}


def spec_of(source: dict[str, Any], classes: list[str] = DIGITS, counts: dict[str, int] = COUNTS) -> dict[str, Any]:
    size = IMAGE_SIZES[source["kind"]]
    return {"dataset": "made", "source": source, "classes": classes, "split": counts, "image_size": size}


def test_the_three_files_hold_the_images_of_the_source(tmp_path: Path) -> None:
    files, flags = downloaded(tmp_path, idx_files(train=40, test=20))
    outputs = prepare(tmp_path, spec_of({"kind": "idx", "files": files}), *flags)
    for name, path in outputs.items():
        images, labels, index = read_tensors(path, "images", "labels", "index")
        assert images.shape == (COUNTS[name], 1, 28, 28)
        assert [str(array.dtype) for array in (images, labels, index)] == ["uint8", "int64", "int64"]
        assert np.array_equal(
            images[:, 0], random_images(20 if name == "test" else 40, 28, 28, seed=2 if name == "test" else 1)[index]
        )
        assert np.array_equal(labels, index % 10)


def test_the_files_say_where_they_came_from(tmp_path: Path) -> None:
    files, flags = downloaded(tmp_path, idx_files())
    spec = spec_of({"kind": "idx", "files": files})
    metadata = read_metadata(prepare(tmp_path, spec, *flags)["test"])
    assert metadata["classes"] == DIGITS
    assert metadata["provenance"]["format"] == FORMAT
    assert metadata["provenance"]["spec"] == spec


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    files, flags = downloaded(tmp_path, {"archive": cifar_archive(cifar_batches(per_batch=20))})
    spec = spec_of({"kind": "cifar-python", "files": files})
    first, second = (prepare(tmp_path / run, spec, *flags) for run in ("first", "second"))
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_a_file_that_changed_after_its_download_is_not_read(tmp_path: Path) -> None:
    files, flags = downloaded(tmp_path, {"archive": cifar_archive(cifar_batches())})
    (tmp_path / "downloads" / "archive.gz").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"archive.gz has changed"):
        prepare(tmp_path, spec_of({"kind": "cifar-python", "files": files}), *flags)
    assert not (tmp_path / "data").exists()


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The spec of ten images of cats and dogs, which lie in the working directory."""
    write_tree(tmp_path / "pets", image_tree())
    monkeypatch.chdir(tmp_path)
    return spec_of({"kind": "imagefolder", "path": "pets"}, ["cat", "dog"], {"train": 5, "validation": 1, "test": 4})


def test_a_folder_of_images_is_found_from_the_working_directory(tmp_path: Path, pets: dict[str, Any]) -> None:
    (images,) = read_tensors(prepare(tmp_path, pets)["train"], "images")
    assert images.shape == (5, 3, 6, 8)


def test_what_was_read_and_passed_over_is_counted_in_the_log_and_in_a_file(
    tmp_path: Path, pets: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    write_tree(tmp_path / "pets", {"train/cat/a.heic": b"", "train/cat/b.HEIC": b"", ".git/x": b""})
    prepare(tmp_path, pets)
    said = "made: 10 images read; passed over: files ending in .heic: 2, hidden files and folders: 1"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [said]
    counts = json.loads((tmp_path / "data" / "counts.json").read_text(encoding="utf-8"))
    assert counts["read"] == 10
    assert counts["passed_over"] == {"files ending in .heic": 2, "hidden files and folders": 1}


def test_images_of_another_size_than_configured_are_refused_with_their_size(
    tmp_path: Path, pets: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"made are \[3, 6, 8\]: set datasets.made.image_size \(now \[3, 8, 6\]\)"):
        prepare(tmp_path, pets | {"image_size": [3, 8, 6]})


def test_a_class_of_which_no_example_can_be_shown_is_named_before_anything_is_trained(
    tmp_path: Path, pets: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (labels,) = read_tensors(prepare(tmp_path, pets)["test"], "labels")
    later = int(labels[0] == 0)  # the class that is not that of the first test image
    name, needed = ["cat", "dog"][later], int(np.flatnonzero(labels == later)[0]) + 1
    monkeypatch.setenv("ROBUSTNESS_EXAMPLES", json.dumps({"made": [[name], needed - 1]}))
    said = (
        f"names '{name}', but none of the first {needed - 1} test images is of this class: raise attacked_images to at "
    )
    with pytest.raises(UserError, match=f"{said}least {needed}, or choose another class"):
        prepare(tmp_path, pets)
    monkeypatch.setenv("ROBUSTNESS_EXAMPLES", json.dumps({"made": [[name], needed], "another": [["fish"], 1]}))
    prepare(tmp_path, pets)


def test_a_manifest_with_its_format_is_read_and_one_of_a_newer_format_is_named(tmp_path: Path) -> None:
    files, flags = downloaded(tmp_path, idx_files())
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"format": FORMAT, "files": files}))
    spec = spec_of({"kind": "idx", "files": files})
    assert len(read_tensors(prepare(tmp_path, spec, *flags)["train"], "labels")[0]) == COUNTS["train"]
    manifest.write_text(json.dumps({"format": FORMAT + 1, "files": files}))
    with pytest.raises(UserError, match=rf"manifest.json has format {FORMAT + 1}, which a newer version"):
        prepare(tmp_path, spec, *flags)
    manifest.write_text("{")
    with pytest.raises(UserError, match=r"manifest.json is damaged"):
        prepare(tmp_path, spec, *flags)


def test_a_downloaded_source_needs_its_manifest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --manifest and --downloads"):
        prepare(tmp_path, spec_of({"kind": "idx", "files": {}}))


def test_a_spec_without_a_key_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lacks 'split'"):
        prepare(tmp_path, {"dataset": "made", "source": {"kind": "mnistm"}, "classes": DIGITS})
