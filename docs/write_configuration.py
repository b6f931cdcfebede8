"""Write docs/configuration.md: every key of the configuration, from schemas/config.schema.yaml and config.yaml.

`make docs` runs it. A key is described in one place only, the schema, which messages about mistakes in the
configuration quote, too. The tests compare the page with what this program would write.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configuration.md"
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.config.schema_problems import DECIDERS, allowed, parts  # noqa: E402
from robustness.config.validate import read_yaml  # noqa: E402

INTRODUCTION = """\
# Every key of the configuration

<!-- Written by docs/write_configuration.py (`make docs`): change schemas/config.schema.yaml instead. -->

[config.yaml](../config.yaml) is the default; `--configfile FILE` lays another file over it, key by key; several files
may be given. `--config KEY=VALUE` sets one key at the top level, and a key below it by the mappings around it, since
Snakemake refuses names with dots: `--config 'attacks={original: {confidence: 0.95}}'`.

`null` removes what a file inherits: a source, an architecture, an attack, a dataset, its augmentation or threat models,
one of its models, or a model's key. This study of CIFAR-10 has one's own network and no other:

```yaml
study: [cifar]
datasets:
  cifar:
    models:
      resnet-clean: null
      resnet-noisy: null
      deep_resnet-clean: null
      deep_resnet-noisy: null
      mine: { factory: my_networks:small, kwargs: {}, normalisation: null, weights: mine.pt }
targeted: null # leaves out the attack toward each class
sensitivity: null # is about the paper's models
```

A key that is not listed here is refused by name. A key that is given twice is named with both lines. A value that is
not allowed stops the run with a sentence, before any job starts:

    training.learning_rate is "1e-3", but must be a number above 0: YAML reads 1e-3 as text; write 0.001

`<name>` stands for a name that you choose: small letters, digits, `-` and `_`, a letter first. The last column shows
the values in `config.yaml`. Keys without "(optional)" are required where the entry around them is given; a dataset
needs `augmentation` only for noisy models, and `adversarial` only for adversarial ones.
"""

LONGEST_VALUE, MOST_NAMES = 60, 4


@dataclass(frozen=True)
class Row:
    """One key: its place with `<name>` for names, what it may hold, and what it means."""

    place: str
    must_be: str
    meaning: str
    optional: bool

    @property
    def described(self) -> tuple[str, str, str]:
        """What a row says of a key of this name, wherever the key is."""
        return self.place.rpartition(".")[2], self.must_be, self.meaning


def page(schema: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return the whole page, for a schema and the configuration whose values it shows."""
    sections = [INTRODUCTION]
    described: set[tuple[str, str, str]] = set()
    for name, node in schema["properties"].items():
        sections.append(f"## `{name}`\n\n{_meaning(node, schema)}\n")
        if not _has_keys(node, schema):
            shown = f" `config.yaml` has {_shown(name, config)}." if _shown(name, config) else ""
            sections.append(f"It is {allowed(node, schema)}.{shown}\n")
        for title, table in _tables(name, node, schema):
            if title:
                sections.append(f"### {title}\n")
            new = [row for row in table if row.described not in described]
            known = [_key(row) for row in table if row.described in described]
            described |= {row.described for row in new}
            sections += [_table(new, config)] if new else []
            sections += [f"Also, as described above: {', '.join(known)}.\n"] if known else []
    return "\n".join(sections)


def _tables(place: str, node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the tables of a top-level key: its own keys, then one table for each kind of entry."""
    rows: list[Row] = []
    kinds: list[tuple[str, list[Row]]] = []

    def walk(place: str, node: Mapping[str, Any], into: list[Row]) -> None:
        required = {name for part in parts(node, schema) for name in part.get("required", [])}
        for part in parts(node, schema):
            named = list(part.get("patternProperties", {}).values())
            for name, child in part.get("properties", {}).items():
                if child.get("$ref") not in {each["$ref"] for each in named}:  # else it is described as `<name>`
                    add(f"{place}.{name}", child, name not in required, into)
            for child in named:
                add(f"{place}.<name>", child, True, into)
            if "items" in part:
                walk(f"{place}[]", part["items"], into)
            branches = [branch["then"] for branch in part.get("allOf", [])]
            for branch in branches:
                kind: list[Row] = []
                kinds.append((f"`{place}` {_condition(branch, branches, schema)}", kind))
                walk(place, branch, kind)

    def add(place: str, child: Mapping[str, Any], optional: bool, into: list[Row]) -> None:
        if any(place == row.place for row in into):
            return
        if not _has_keys(child, schema) or "else" in child:
            into.append(Row(place, allowed(child, schema), _meaning(child, schema), optional))
        walk(place, child, into)

    walk(place, node, rows)
    yield from ((title, table) for title, table in [("", rows), *kinds] if table)


def _has_keys(node: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    return any({"properties", "patternProperties", "allOf"} & set(part) for part in parts(node, schema))


def _condition(branch: Mapping[str, Any], branches: list[Mapping[str, Any]], schema: Mapping[str, Any]) -> str:
    """Say when a branch holds, by the key that decides: `with kind: idx`, `with factory` or `without library`."""
    here = _properties(branch, schema)
    for name in DECIDERS:
        if name in here:
            values = here[name].get("enum", [here[name]["const"]] if "const" in here[name] else [])
            if not values:
                return f"with `{name}`"
            return "with " + " or ".join(f"`{name}: {value}`" for value in values)
    others = {name for each in branches for name in _properties(each, schema)}
    return "without " + " and ".join(f"`{name}`" for name in DECIDERS if name in others)


def _properties(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: child for part in parts(node, schema) for name, child in part.get("properties", {}).items()}


def _meaning(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    return next((part["description"] for part in parts(node, schema) if "description" in part), "")


def _alike(rows: list[Row]) -> list[list[Row]]:
    """Return the rows in groups that say the same of keys of one name, such as each file's checksum."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.described, []).append(row)
    return list(groups.values())


def _key(row: Row) -> str:
    return f"`{row.place}`{' (optional)' if row.optional and not row.place.endswith('<name>') else ''}"


def _table(rows: list[Row], config: Mapping[str, Any]) -> str:
    lines = ["| key | must be | meaning | in `config.yaml` |", "|---|---|---|---|"]
    for alike in _alike(rows):
        row = alike[0]
        decides = row.place.rpartition(".")[2] in DECIDERS
        keys = ", ".join(map(_key, alike))
        cells = [keys, row.must_be, row.meaning, "" if decides or len(alike) > 1 else _shown(row.place, config)]
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _shown(place: str, config: Mapping[str, Any]) -> str:
    """Return the values of a key in `config`: one, or one for each name where they differ and are few."""
    found: dict[str, list[str]] = {}
    for name, value in _values(place.split("."), config, ""):
        found.setdefault(json.dumps(value, ensure_ascii=False), []).append(name)
    if not found or any(len(value) > LONGEST_VALUE for value in found) or len(found) > MOST_NAMES:
        return ""
    if len(found) == 1:
        return f"`{next(iter(found))}`"
    few = sum(map(len, found.values())) <= MOST_NAMES
    return ", ".join(f"`{value}` ({', '.join(names)})" if few else f"`{value}`" for value, names in found.items())


def _values(keys: list[str], config: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not keys:
        if not isinstance(config, dict):
            yield name, config
        return
    if not isinstance(config, dict):
        return
    for key in list(config) if keys[0] == "<name>" else [keys[0]]:
        if key in config:
            longer = f"{name} {key}".strip() if keys[0] == "<name>" else name
            yield from _values(keys[1:], config[key], longer)


def main() -> None:
    """Write the page."""
    schema = read_yaml(ROOT / "schemas" / "config.schema.yaml")
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    PAGE.write_text(page(schema, config), encoding="utf-8")


if __name__ == "__main__":
    main()
