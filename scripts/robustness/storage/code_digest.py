"""Finds the files that a script's code consists of, and a digest of each that comments and layout do not change.

Reads Python files and runs none. Snakemake, which asks whether a result is out of date, and a job, which asks whether a
checkpoint belongs to the code that runs, get the same answer here. Facts about a file are kept in `.snakemake` until
the file changes, since reading the syntax trees of all files takes a second.

Code that no result can depend on is left out (`NO_RESULT`): how a job talks to people and to its machine. Digests do
not change when a bar, a log line or the words of an error there change. `runtime.cli` is left out too, although each
program starts by it: it hands on the spec, which is a param of each rule, as it came, and each program declares its
other options.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from robustness.errors import UserError
from robustness.storage.kept import Kept

LIBRARY = Path(__file__).parents[1]

NO_RESULT = (LIBRARY / "runtime", LIBRARY / "errors.py")
"""Code that shapes no result; `tests/unit/test_packages.py` checks that it never sees an array."""

Facts = tuple[str, frozenset[tuple[int, str]]]
"""The digest of a file, and its `imports`."""

_FACTS = Kept("digests.json", Path(__file__))


def described(*sources: Path) -> list[str]:
    """Return `<name> <digest>` for each program among `sources`, then for each module that shapes what they make.

    These are modules of the library that they are or import, less `NO_RESULT`. A module comes with the packages that it
    is in, as when it is imported. No name says where the files are.
    """
    programs = [path for path in sources if not path.is_relative_to(LIBRARY)]
    modules = {module for source in sources for module in shaping(source)} - set(programs)
    modules |= {module for source in sources if source not in programs for module in _with_packages(source)}
    names = [(path.name, path) for path in programs]
    names += [(str(path.relative_to(LIBRARY.parent)), path) for path in sorted(modules)]
    lines = [f"{name} {digest(path)}" for name, path in names]
    _FACTS.save()
    return lines


def imported(path: Path) -> frozenset[Path]:
    """Return the library's files that a file imports, at its start or in a function, directly or through others."""
    return _reached(path, ())


def shaping(path: Path) -> frozenset[Path]:
    """Return what `imported` finds, without what shapes no result (`NO_RESULT`) and what only that imports."""
    return _reached(path, NO_RESULT)


def _reached(path: Path, without: tuple[Path, ...]) -> frozenset[Path]:
    """Return the files of the library that a file imports, directly or through others, but not through `without`."""
    found: set[Path] = set()
    waiting = set(_direct_imports(path))
    while waiting:
        file = waiting.pop()
        if file not in found and not any(file.is_relative_to(each) for each in without):
            found.add(file)
            waiting |= _direct_imports(file)
    return frozenset(found)


def digest(path: Path) -> str:
    """Return 16 hexadecimal digits that change when the code in a file does something else, under any Python.

    They depend on the syntax tree without docstrings: a comment, a line break or another quotation mark changes
    nothing. A docstring reaches no result; only `--help` shows one.
    """
    return _facts_of(path)[0]


def imports(path: Path) -> frozenset[tuple[int, str]]:
    """Return what a file imports, anywhere in it: the dots in front, and a name with each package above it.

    What only a type checker imports (`if TYPE_CHECKING:`) is left out.
    """
    return _facts_of(path)[1]


def files_of(name: str, folder: Path) -> set[Path]:
    """Return the files below `folder` that importing the dotted `name` would run, if there are any."""
    base = folder.joinpath(*name.split("."))
    return {file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()}


def _with_packages(module: Path) -> frozenset[Path]:
    """Return a module of the library, and the `__init__.py` of each package that it is in."""
    parts = module.relative_to(LIBRARY.parent).with_suffix("").parts
    return _library_files(frozenset(".".join(parts[:end]) for end in range(1, len(parts) + 1)))


def _direct_imports(path: Path) -> frozenset[Path]:
    return _library_files(frozenset(name for dots, name in imports(path) if not dots))


@cache
def _library_files(names: frozenset[str]) -> frozenset[Path]:
    """Return the files of the library among what these names import."""
    own = [name for name in names if name.split(".")[0] == LIBRARY.name]
    return frozenset(file for name in own for file in files_of(name, LIBRARY.parent))


def _facts_of(path: Path) -> Facts:
    """Return the facts of a file: the kept ones if it has not changed, else read again."""

    def read() -> list[Any]:
        digits, names = _read(path.name, path.read_bytes())
        return [digits, sorted(names)]

    digits, names = _FACTS.of(path, read)
    return digits, frozenset((dots, name) for dots, name in names)


@cache
def _read(name: str, content: bytes) -> Facts:
    """Return the facts of a file's content."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise UserError(f"{name}{where} is not valid Python ({getattr(error, 'msg', error)}): fix it") from None
    names: set[tuple[int, str]] = set()
    for node in _run_nodes(tree):
        if isinstance(node, ast.Import):
            names |= {(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = f"{node.module}." if node.module else ""
            names |= {(node.level, f"{package}{alias.name}") for alias in node.names}
        elif isinstance(node, ast.Call) and (named := _named_import(node)) is not None:
            names.add(named)
    parents = {(dots, ".".join(each.split(".")[:end])) for dots, each in names for end in range(1, each.count(".") + 2)}
    text: list[str] = []
    _write(tree, text)
    return hashlib.sha256("".join(text).encode()).hexdigest()[:16], frozenset(parents)


def _named_import(call: ast.Call) -> tuple[int, str] | None:
    """Return what `importlib.import_module("name")` or `__import__("name")` imports; None for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if function not in ("import_module", "__import__") or not call.args:
        return None
    name = getattr(call.args[0], "value", None)
    return (len(name) - len(name.lstrip(".")), name.lstrip(".")) if isinstance(name, str) else None


def _run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes of a syntax tree except those below `if TYPE_CHECKING:`, which never run."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in (getattr(node.test, key, "") for key in ("id", "attr")):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _write(node: Any, text: list[str]) -> None:
    """Append a syntax tree. `ast.dump` is no use: what it writes for the same code depends on Python's version."""
    if isinstance(node, ast.Constant):
        text.append(ascii(node.value))  # `repr` escapes other letters from version to version
    elif isinstance(node, ast.AST):
        text.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != []:  # newer versions have more fields, which older code leaves empty
                text.append(f"{name}=")
                _write(value, text)
        text.append(")")
    elif isinstance(node, list):
        text.append("[")
        for each in node:
            if not _is_docstring(each):
                _write(each, text)
                text.append(",")
        text.append("]")
    else:
        text.append(ascii(node))


def _is_docstring(node: Any) -> bool:
    """Return whether a statement is only text: it describes the code around it, and does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
