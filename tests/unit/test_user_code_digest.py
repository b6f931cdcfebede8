"""What tells that the code of a user's own model changed: its files, those that it imports, versions of packages."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from made_data import write_tree

from robustness.errors import UserError
from robustness.storage.user_code_digest import described, own_file

FILES = {
    "nets/__init__.py": b"",
    "nets/resnet.py": b"from . import blocks\nfrom .parts.norm import Norm\n\n\ndef build(depth):\n    return depth\n",
    "nets/blocks.py": b"import tools\n",
    "nets/parts/__init__.py": b"",
    "nets/parts/norm.py": b"import math\nimport torch\n\n\nclass Norm:\n    pass\n",
    "nets/unused.py": b"",
    "tools.py": b"def late():\n    import safetensors\n",
}


def names(lines: list[str]) -> list[str]:
    return [line.split(" ")[0] for line in lines]


def test_a_factory_consists_of_its_file_and_all_that_it_imports_below_the_folder(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    assert names(described("nets.resnet:build", tmp_path)) == [
        "nets/__init__.py",
        "nets/blocks.py",
        "nets/parts/__init__.py",
        "nets/parts/norm.py",
        "nets/resnet.py",
        "tools.py",
        "safetensors",
    ]


@pytest.mark.parametrize("name", [name for name, text in FILES.items() if text and name != "nets/unused.py"])
def test_a_change_of_what_a_file_does_changes_its_line_and_a_comment_does_not(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path, FILES)
    before = described("nets.resnet:build", tmp_path)
    (tmp_path / name).write_bytes(FILES[name] + b"# a comment\n")
    assert described("nets.resnet:build", tmp_path) == before
    (tmp_path / name).write_bytes(FILES[name] + b"CHANGED = True\n")
    after = described("nets.resnet:build", tmp_path)
    assert names([line for line in after if line not in before]) == [name]


def test_it_does_not_matter_where_the_folder_lies(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        write_tree(tmp_path / folder, FILES)
    assert described("nets.resnet:build", tmp_path / "here") == described("nets.resnet:build", tmp_path / "there")


@pytest.mark.parametrize(
    "line", ['importlib.import_module("nets.late")', '__import__("nets.late")', 'import_module(".late", __package__)']
)
def test_a_module_that_is_imported_by_its_name_in_a_call_counts(tmp_path: Path, line: str) -> None:
    write_tree(tmp_path, FILES | {"nets/late.py": b"", "nets/resnet.py": f"def build():\n    {line}\n".encode()})
    assert names(described("nets.resnet:build", tmp_path)) == ["nets/__init__.py", "nets/late.py", "nets/resnet.py"]


def test_an_installed_package_is_told_by_its_version(tmp_path: Path) -> None:
    assert described("torchvision.models:resnet18", tmp_path) == [f"torchvision {version('torchvision').split('+')[0]}"]
    assert names(described("sklearn.svm:SVC", tmp_path)) == ["scikit-learn"]


def test_a_folder_of_other_things_does_not_hide_an_installed_package(tmp_path: Path) -> None:
    write_tree(tmp_path, {"torchvision/notes.txt": b""})
    assert names(described("torchvision.models:resnet18", tmp_path)) == ["torchvision"]


def test_a_module_that_is_nowhere_is_named_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"'nowhere.at_all', which is neither a file below {tmp_path} .* python_path"):
        described("nowhere.at_all:build", tmp_path)


@pytest.mark.parametrize("name", ["random", "torch", "robustness"])
def test_a_file_with_the_name_of_another_module_is_refused(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path, {f"{name}.py": b""})
    with pytest.raises(UserError, match=f"{name}.py has the name of another module, '{name}': rename it"):
        own_file(name, tmp_path)


def test_an_own_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {"broken_net.py": b"def build(:\n"})
    with pytest.raises(UserError, match=r"broken_net\.py, line 1 is not valid Python"):
        described("broken_net:build", tmp_path)
