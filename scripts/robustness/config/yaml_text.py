"""Finds in the text of YAML files what is lost when they are read: keys given twice, and numbers that mean others.

Snakemake reads configuration files itself. It keeps the last of two keys of one name, and reads `0300` as 192 and
`1:30` as 90, as YAML 1.1 says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from robustness.config.schema_problems import Key, dotted
from robustness.errors import UserError
from robustness.text import listed

_INTEGER, _FLOAT, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "merge"))


def check_files(paths: Iterable[Path]) -> None:
    """Raise `UserError` with one line for each key given twice and each ambiguous number in YAML files."""
    problems = [f"{_shown(path)}, {problem}" for path in paths for problem in _problems(path)]
    if problems:
        raise UserError("\n".join(problems))


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _problems(path: Path) -> Iterator[str]:
    import yaml

    with suppress(OSError, UnicodeDecodeError, yaml.YAMLError):  # Snakemake has read it, or says why it cannot
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        yield from _in_node(yaml.compose(path.read_text(encoding="utf-8"), loader), (), set())


def _in_node(node: Any, key: Key, seen: set[int]) -> Iterator[str]:
    """Yield the problems in a node of YAML; an alias is its anchor's node, which is looked at once."""
    from yaml import MappingNode, ScalarNode, SequenceNode

    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, MappingNode):
        yield from _doubled(node, key)
        for name, value in node.value:
            yield from _in_node(name, key, seen)
            yield from _in_node(value, (*key, str(name.value)), seen)
    elif isinstance(node, SequenceNode):
        for number, value in enumerate(node.value):
            yield from _in_node(value, (*key, number), seen)
    elif isinstance(node, ScalarNode):
        yield from _ambiguous(node)


def _doubled(node: Any, key: Key) -> Iterator[str]:
    lines: dict[tuple[str, str], list[int]] = {}
    for name, _ in node.value:
        if name.tag != _MERGE and isinstance(name.value, str):
            lines.setdefault((name.tag, name.value), []).append(name.start_mark.line + 1)
    for (_, name), found in lines.items():
        if len(found) > 1:
            where = f" in {dotted(key)}" if key else ""
            yield (
                f"lines {listed(found)}: the key '{name}'{where} is given {_times(len(found))}, and only the last "
                "would count: rename or remove the others"
            )


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _ambiguous(node: Any) -> Iterator[str]:
    text, line = node.value, node.start_mark.line + 1
    digits = text.lstrip("+-")
    if node.tag == _INTEGER and re.fullmatch("0[0-7_]+", digits):
        number = int(text.replace("_", ""), 8)
        plain = text.replace(digits, digits.lstrip("0_") or "0")
        yield f'line {line}: {text} is read as {number}, an octal number: write {plain}, or "{text}" in quotes'
    elif node.tag in (_INTEGER, _FLOAT) and ":" in text:
        yield f'line {line}: {text} is read as a number in base 60: write the number, or "{text}" in quotes'
