"""Provenance: what a stamp says, and when a digest changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from robustness.storage import provenance
from robustness.storage.provenance import digest_of, file_digest, stamp

SCRIPT = "import sys; sys.path.insert(0, {folder!r})\nfrom robustness.storage import {modules}\n"
LIBRARY = Path(provenance.__file__).parents[1]


def stamped(tmp_path: Path, modules: str = "provenance", more: str = "") -> dict[str, object]:
    """The stamp that a script of its own process gets."""
    script = tmp_path / "script.py"
    imports = SCRIPT.format(folder=str(LIBRARY.parent), modules=modules)
    script.write_text(f"{imports}import json\nprint(json.dumps(provenance.stamp({{'alpha': 0.1}})))\n{more}")
    printed = subprocess.run([sys.executable, script], capture_output=True, check=True, text=True).stdout
    return json.loads(printed)


def test_a_stamp_says_what_made_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setattr(sys, "argv", [str(LIBRARY.parent / "evaluate_model.py")])
    found = stamp({"alpha": 0.1}, "NVIDIA H100")
    assert found["spec"] == {"alpha": 0.1}
    assert found["device"] == "NVIDIA H100"
    assert found["format"] == provenance.FORMAT
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_stamp_names_the_packages_that_the_code_names_whatever_this_process_has_imported(tmp_path: Path) -> None:
    assert set(stamped(tmp_path)["versions"]) == {"python"}
    assert "numpy" in stamped(tmp_path, "provenance, tensors")["versions"]


def test_the_same_job_gets_the_same_stamp_twice(tmp_path: Path) -> None:
    assert stamped(tmp_path) == stamped(tmp_path)


def test_the_digest_of_the_code_covers_the_script_and_what_it_imports(tmp_path: Path) -> None:
    first = stamped(tmp_path)
    assert stamped(tmp_path, more="changed = True")["code"] != first["code"]
    assert stamped(tmp_path, "provenance, atomic")["code"] != first["code"]


def test_a_comment_leaves_a_checkpoint_its_key(tmp_path: Path) -> None:
    assert stamped(tmp_path, more="# changed")["code"] == stamped(tmp_path)["code"]


def test_the_digest_of_the_code_does_not_depend_on_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert stamped(tmp_path)["code"] == stamped(tmp_path / "elsewhere")["code"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (({"a": 1},), ({"a": 2},)),
        (({"a": 1, "b": 2},), ({"a": 2, "b": 1},)),
        (("ab", "c"), ("a", "bc")),
        ((1,), ("1",)),
    ],
)
def test_different_settings_have_different_digests(first: tuple[object, ...], second: tuple[object, ...]) -> None:
    assert digest_of(*first) != digest_of(*second)


def test_the_order_of_keys_is_no_difference() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_the_digest_of_a_file_is_its_sha_256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content" * 100_000)
    assert file_digest(tmp_path / "file") == hashlib.sha256(b"content" * 100_000).hexdigest()
