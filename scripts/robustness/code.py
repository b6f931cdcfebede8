"""Which files a script's code consists of, and a digest of each that comments and layout do not change.

Reads Python files and runs none; writes nothing. Exists so that Snakemake, which asks whether a result is out of date,
and a job, which asks whether a checkpoint belongs to the code that runs, get the same answer.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from robustness.errors import UserError

LIBRARY = Path(__file__).parent


def described(*scripts: Path) -> list[str]:
    """`<name> <digest>` for each script, then for each module of the library that they import, wherever these lie."""
    modules = sorted({module for script in scripts for module in imported(script)} - set(scripts))
    names = [(path.name, path) for path in scripts] + [
        (str(path.relative_to(LIBRARY.parent)), path) for path in modules
    ]
    return [f"{name} {digest(path)}" for name, path in names]


def imported(path: Path) -> frozenset[Path]:
    """The files of the library that a file imports, at its start or in a function, directly or through others."""
    found: set[Path] = set()
    waiting = set(_direct_imports(path))
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting |= _direct_imports(file)
    return frozenset(found)


def digest(path: Path) -> str:
    """16 hexadecimal digits that change when the code in a file does anything else, under any version of Python.

    They stand for the syntax tree, less docstrings: a comment, a line break or another quotation mark leaves them as
    they are. What a docstring says reaches no result; `--help` alone shows one.
    """
    return _facts(path.name, path.read_bytes())[0]


def imports(path: Path) -> frozenset[tuple[int, str]]:
    """What a file imports, at its start or in a function: the dots in front, and a name with each package above it."""
    return _facts(path.name, path.read_bytes())[1]


def files_of(name: str, folder: Path) -> set[Path]:
    """The files below `folder` that importing the dotted `name` would run, if there are any."""
    base = folder.joinpath(*name.split("."))
    return {file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()}


def _direct_imports(path: Path) -> frozenset[Path]:
    names = [name for dots, name in imports(path) if not dots and name.split(".")[0] == LIBRARY.name]
    return frozenset(file for name in names for file in files_of(name, LIBRARY.parent))


@cache
def _facts(name: str, content: bytes) -> tuple[str, frozenset[tuple[int, str]]]:
    """The digest of a file's content, and its `imports`."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise UserError(f"{name}{where} is no Python ({getattr(error, 'msg', error)}): mend it") from None
    names: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = f"{node.module}." if node.module else ""
            names |= {(node.level, f"{package}{alias.name}") for alias in node.names}
    parents = {(dots, ".".join(each.split(".")[:end])) for dots, each in names for end in range(1, each.count(".") + 2)}
    text: list[str] = []
    _write(tree, text)
    return hashlib.sha256("".join(text).encode()).hexdigest()[:16], frozenset(parents)


def _write(node: Any, text: list[str]) -> None:
    """Append a syntax tree. `ast.dump` will not do: what it writes of the same code depends on Python's version."""
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
    """Whether a statement is nothing but text: it describes what it stands in or below, and does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
