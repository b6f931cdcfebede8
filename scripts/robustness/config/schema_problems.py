"""Finds where a configuration breaks the schema: a sentence for each problem, with its key, value and what is allowed.

jsonschema, which takes most of the time of a check, is imported only inside the function that uses it. What a schema
cannot check comes first: keys that are not text, and control characters.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from robustness.text import listed

Key = tuple[str | int, ...]
DECIDERS = ("kind", "family", "library", "method", "weights", "factory")
"""Keys that decide which other keys an entry takes: an attack with a library or a method is a comparator."""


@dataclass(frozen=True)
class Problem:
    """What is wrong at one key; an empty sentence where another problem already says it."""

    key: Key
    sentence: str


def places(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return every key that the schema knows, dotted and in its order, with its description.

    A key that a user names is written `<name>`, so an example is `datasets.<name>.alpha`.
    """
    found: dict[str, str] = {}

    def walk(node: Mapping[str, Any], prefix: str) -> None:
        for each in (*parts(node, schema), *_branches(node, schema)):
            for name, child in each.get("properties", {}).items():
                _add(f"{prefix}{name}", child)
            for child in each.get("patternProperties", {}).values():
                _add(f"{prefix}<name>", child)
            if "items" in each:
                walk(each["items"], f"{prefix.removesuffix('.')}[].")

    def _add(place: str, child: Mapping[str, Any]) -> None:
        descriptions = (part["description"] for part in parts(child, schema) if "description" in part)
        found.setdefault(place, next(descriptions, ""))
        walk(child, f"{place}.")

    walk(schema, "")
    return found


def parts(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a node of the schema, the definition that it refers to, and one entry where a list of such may stand."""
    yield node
    if "$ref" in node:
        yield from parts(schema["$defs"][node["$ref"].removeprefix("#/$defs/")], schema)
    yield from parts(node["else"], schema) if "else" in node else ()


def allowed(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Say what the value at a node must be: `a number above 0 and at most 1`."""
    merged: dict[str, Any] = {}
    for part in parts(node, schema):
        merged = {**part, **merged}
    if "x-words" in merged or {"enum", "const"} & set(merged):
        return _words(merged)
    if "items" in merged:
        sizes = {merged.get("minItems"), merged.get("maxItems")}
        count = f" of {sizes.pop()}" if len(sizes) == 1 and None not in sizes else ""
        items = allowed(merged["items"], schema)
        return f"a list{count}" + (f", each {items}" if items else "")
    if "oneOf" in merged or "anyOf" in merged:
        return listed([allowed(each, schema) for each in merged.get("oneOf") or merged["anyOf"]], "or")
    return _words(merged) if "type" in merged else ""


def _branches(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the definitions that apply to a node because of one of the `DECIDERS`."""
    for part in parts(node, schema):
        for branch in part.get("allOf", []):
            yield from parts(branch["then"], schema)


# ---------------------------------------------------------------------------------------------------------------------
# What no schema can be asked about


def unreadable(value: Any, key: Key = ()) -> Iterator[Problem]:
    """Yield keys that are not text, on which jsonschema fails, and control characters, which its patterns allow."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            if isinstance(name, str):
                in_name = list(_control_characters(name, key, f"the key {name!r} {_where(key)}"))
                yield from in_name or unreadable(child, (*key, name))
            else:
                yield Problem(key, f'the key {name} {_where(key)} is read as {_kind(name)}: write "{name}" in quotes')
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from unreadable(child, (*key, index))
    elif isinstance(value, str):
        yield from _control_characters(value, key, f"{dotted(key)} ({_shown(value)})")


def _control_characters(text: str, key: Key, what: str) -> Iterator[Problem]:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        yield Problem(key, f"{what} contains a line break or a control character: write it on one line, without them")


# ---------------------------------------------------------------------------------------------------------------------
# What the schema says


def schema_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what jsonschema finds wrong, each in our own words."""
    from jsonschema import Draft202012Validator, validators

    checker = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            ),
        }
    )
    validator = validators.extend(Draft202012Validator, type_checker=checker)(schema)  # type: ignore[no-untyped-call]
    for error in validator.iter_errors(config):
        key: Key = tuple(error.absolute_path)
        match error.validator:
            case "required":
                yield from _missing(error.instance, error.schema, key)
            case "additionalProperties":
                yield from _unknown(error.instance, error.schema, key, schema)
            case "uniqueItems":
                repeated = sorted({_shown(entry) for entry in error.instance if error.instance.count(entry) > 1})
                yield Problem(key, f"{dotted(key)} lists {', '.join(repeated)} more than once: keep one of each")
            case "minItems" | "maxItems" | "minProperties":
                yield Problem(key, f"{dotted(key)} {_size(len(error.instance), error.schema)}")
            case _:
                yield _wrong_value(error.instance, error.schema, key)


def _missing(instance: Mapping[str, Any], schema: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    properties = schema.get("properties", {})
    unknown = [name for name in instance if name not in properties]
    for name in schema["required"]:
        if name in instance:
            continue
        misspelt = bool(difflib.get_close_matches(name, unknown, n=1, cutoff=0.6))
        where = dotted(key) if key else "the configuration"
        meaning = properties.get(name, {}).get("description", "").rstrip(".")
        about = f" ({meaning[:1].lower()}{meaning[1:]})" if meaning else ""
        yield Problem((*key, name), "" if misspelt else f"{where} lacks the key '{name}'{about}: add it")


def _unknown(
    instance: Mapping[str, Any], node: Mapping[str, Any], key: Key, schema: Mapping[str, Any]
) -> Iterator[Problem]:
    properties = node.get("properties", {})
    patterns = node.get("patternProperties", {})
    known = places(schema)
    decider = next((each for each in DECIDERS if each in instance), None)
    other_kind = []
    for name in instance:
        if name in properties or any(re.search(pattern, name) for pattern in patterns):
            continue
        if patterns:
            rule = "starts with a small letter, followed by small letters, digits, '-' and '_'"
            sentence = f"{name!r} in {dotted(key)} is not allowed as a name: rename it; a name {rule}"
        elif guess := difflib.get_close_matches(name, properties, n=1, cutoff=0.6):
            sentence = f"unknown key {name!r} {_where(key)}; did you mean '{guess[0]}'?"
        elif decider and _is_known((*key, name), known):
            other_kind.append(name)
            continue
        elif elsewhere := _elsewhere((*key, name), known)[:3]:
            sentence = f"unknown key {name!r} {_where(key)}; did you mean {listed(elsewhere, 'or')}?"
        else:
            sentence = f"unknown key {name!r} {_where(key)}: remove it; known are {listed(properties)}"
        yield Problem((*key, name), sentence)
    if decider == "weights" and other_kind and "factory" not in instance:
        trained = listed(name for name in instance if name not in ("weights", "title"))
        yield Problem(
            key,
            f"{dotted(key)} has weights, but no factory that returns the network: add factory and normalisation, and "
            f"set {trained} to null, which are for models that are trained here (docs/own-model.md)",
        )
    elif decider and other_kind:
        yield Problem(
            key,
            f"{dotted(key)} of {decider} '{instance[decider]}' takes {listed(properties)}, not "
            f"{listed(other_kind, 'or')}: remove these keys; an overlay is merged into config.yaml key by key, so "
            f"to change a {decider}, edit the entry in config.yaml or add an entry under a new name",
        )


def _elsewhere(key: Key, places: Iterable[str]) -> list[str]:
    """Return the places, in quotes, that end like `key` but are elsewhere."""
    return [f"'{place}'" for place in places if place.split(".")[-1] == key[-1] and not _is_known(key, [place])]


def _is_known(key: Key, places: Iterable[str]) -> bool:
    """Return whether the schema knows `key` for one of the kinds that its entry can have."""
    dotted = ".".join(map(str, key))
    return any(re.fullmatch(re.escape(place).replace("<name>", r"[^.]+"), dotted) for place in places)


def _size(count: int, schema: Mapping[str, Any]) -> str:
    least = schema.get("minItems", schema.get("minProperties", 0))
    entries = "entry" if count == 1 else "entries"
    needed = f"exactly {least}" if schema.get("maxItems") == least else f"at least {least}"
    return f"has {count or 'no'} {entries}, but needs {needed}: add or remove some"


def _wrong_value(value: Any, schema: Mapping[str, Any], key: Key) -> Problem:
    words = _words(schema)
    sentence = f"{dotted(key)} is {_shown(value)}, but must be {words}"
    if (advice := _advice(value, schema, key)) is not None:
        sentence += f": {advice}"
    return Problem(key, sentence)


def _words(schema: Mapping[str, Any]) -> str:
    """Say what a value must be."""
    if "x-words" in schema:
        return str(schema["x-words"])
    if "enum" in schema or "const" in schema:
        return listed(schema.get("enum", [schema.get("const")]), "or")
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = {
        "array": "a list",
        "boolean": "true or false",
        "integer": "a whole number",
        "null": "null",
        "number": "a number",
        "object": "a mapping of keys to values",
        "string": "text",
    }
    bounds = [
        f"{phrase} {schema[bound]}"
        for bound, phrase in {
            "minimum": "of at least",
            "exclusiveMinimum": "above",
            "maximum": "at most",
            "exclusiveMaximum": "below",
        }.items()
        if bound in schema
    ]
    ranged = f"{names[types[0]]} {' and '.join(bounds)}".rstrip()
    return " or ".join([ranged, *(names[each] for each in types[1:])])


def _advice(value: Any, schema: Mapping[str, Any], key: Key) -> str | None:
    """Say what to write instead, where the mistake is a known one."""
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if isinstance(value, str) and {"integer", "number"} & {
        *types,
        *(each.get("type") for each in schema.get("oneOf", [])),
    }:
        return _as_number(value)
    if isinstance(value, float) and "integer" in types and value.is_integer():
        return f"write {int(value)}"
    if isinstance(value, str | int | float) and types == ["array"]:
        if schema.get("minItems", 1) > 2:
            return f"give {schema['minItems']} values in brackets, as in config.yaml"
        values = ", ".join([str(value)] * max(1, schema.get("minItems", 1)))  # as of height and width
        return f"write `{key[-1]}: [{values}]` in a file and pass the file with --configfile"
    if isinstance(value, bool) and "string" in types:
        return "put it in quotes, because YAML reads yes, no, on and off as true or false"
    if isinstance(value, int | float) and "string" in types and "array" not in types:
        return f'write "{value}" in quotes'
    if isinstance(value, str) and (guess := difflib.get_close_matches(value, map(str, schema.get("enum", [])), n=1)):
        return f"did you mean '{guess[0]}'?"
    return None


def _as_number(text: str) -> str | None:
    """Say how to write text that was meant as a number."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        return None
    if "e" in text.lower():
        return f"YAML reads {text} as text; write {number:f}"
    return f"write {number:f} without quotes"


def dotted(key: Key) -> str:
    """Return a key as a person writes it: `datasets.mnist.classes[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def _where(key: Key) -> str:
    return f"in {dotted(key)}" if key else "at the top level of the configuration"


def _kind(value: Any) -> str:
    return "true or false" if isinstance(value, bool) else "empty" if value is None else "a number or a date"


def _shown(value: Any) -> str:
    """Return a value for a sentence: text in quotes, null as empty, nothing longer than a line can hold."""
    if value is None:
        return "empty (null)"
    if isinstance(value, Mapping):
        return "a mapping of keys to values"
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return f"the list {text}" if isinstance(value, list) else text
