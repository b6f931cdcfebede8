"""Is the configuration sound? Every problem in one sentence that names the key, the value and what is allowed.

Reads schemas/config.schema.yaml; writes nothing. Runs at each start of Snakemake, so jsonschema, which takes most of
the time, is imported only inside the functions that use it. What a schema cannot say (a dataset names a source that
exists, an example class is one of the classes) is checked here in Python.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from robustness.config import model_entry
from robustness.errors import UserError
from robustness.storage.code_digest import described

Key = tuple[str | int, ...]

TARGET_RULES = ("next", "random", "least_likely")
DECIDERS = ("kind", "family", "library", "method", "weights", "factory")
"""Keys that decide which other keys an entry takes: an attack with a library or a method is a comparator."""
CLAIMED = ("mnist", "cifar")
"""Datasets that the report makes claims about; robustness.claims.study says which."""
TAKEN = ("benchmarks", "downloads", "logs", "run_time", "slurm_logs")
"""Folders beside those of the datasets in the folder for results."""
RESNET_PIXELS = range(
    25, 33
)  # heights and widths that three halvings bring to 4, as robustness.models.architectures needs


@dataclass(frozen=True)
class Problem:
    """What is wrong at one key; an empty sentence where another problem already says it."""

    key: Key
    sentence: str


def checked(config: Mapping[str, Any], schema_path: Path) -> None:
    """Return when `config` is sound under the schema at `schema_path`.

    Raises `UserError` with one line for each problem, or when the schema itself is missing or is no YAML. A sound
    configuration is noted in `.snakemake`, and is not checked again while schema and checks stay the same.
    """
    key = _key(config, schema_path)
    sound = _noted()
    if key in sound:
        return
    problems = check(config, read_yaml(schema_path))
    if problems:
        raise UserError("\n".join(problems))
    if key is not None and _SOUND.parent.is_dir():
        with suppress(OSError):
            _SOUND.write_text("\n".join([key, *sound][:_MOST_NOTED]), encoding="utf-8")


_SOUND = Path(".snakemake", "sound_configurations.txt")
_MOST_NOTED = 20


def _key(config: Mapping[str, Any], schema_path: Path) -> str | None:
    """What stands for a configuration, the schema and the code that checks; None for what JSON cannot say."""
    try:
        content = json.dumps(config, sort_keys=True) + schema_path.read_text(encoding="utf-8")
    except (OSError, TypeError, ValueError):
        return None
    return hashlib.sha256("\n".join([content, *described(Path(__file__))]).encode()).hexdigest()


def _noted() -> list[str]:
    try:
        return _SOUND.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in one of the repository's own YAML files; raises `UserError` when it is missing or is none."""
    import yaml

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({error}): restore it from the repository") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no keys and values: restore it from the repository")
    return content


def check(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """All problems of a configuration, one sentence each; an empty list when it is sound.

    A reference between two keys is checked where both keys are sound by themselves, so that one mistake is reported
    once. Raises `jsonschema.SchemaError` when the schema itself is no schema.
    """
    problems = list(_unreadable(config))
    if not problems:
        problems = list(_schema_problems(config, schema))
        problems += _reference_problems(_Sound(config, [problem.key for problem in problems]))
    return list(dict.fromkeys(problem.sentence for problem in problems if problem.sentence))


def places(schema: Mapping[str, Any]) -> dict[str, str]:
    """Every key that the schema knows, dotted and in its order, with its description.

    A key that a user names is written `<name>`, so an example is `datasets.<name>.alpha`.
    """
    found: dict[str, str] = {}

    def walk(node: Mapping[str, Any], prefix: str) -> None:
        for each in (*parts(node, schema), *_branches(node, schema)):
            for name, child in each.get("properties", {}).items():
                _add(f"{prefix}{name}", child)
            for child in each.get("patternProperties", {}).values():
                _add(f"{prefix}<name>", child)

    def _add(place: str, child: Mapping[str, Any]) -> None:
        descriptions = (part["description"] for part in parts(child, schema) if "description" in part)
        found.setdefault(place, next(descriptions, ""))
        walk(child, f"{place}.")

    walk(schema, "")
    return found


def parts(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node of the schema and the definition that it refers to."""
    yield node
    if "$ref" in node:
        yield from parts(schema["$defs"][node["$ref"].removeprefix("#/$defs/")], schema)


def allowed(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What the value at a node must be, in words: `a number above 0 and at most 1`."""
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
        return _listed([allowed(each, schema) for each in merged.get("oneOf") or merged["anyOf"]], "or")
    return _words(merged) if "type" in merged else ""


def _branches(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The definitions that a node leads to by one of the `DECIDERS`."""
    for part in parts(node, schema):
        for branch in part.get("allOf", []):
            yield from parts(branch["then"], schema)


# ---------------------------------------------------------------------------------------------------------------------
# What no schema can be asked about


def _unreadable(value: Any, key: Key = ()) -> Iterator[Problem]:
    """Keys that are not text, on which jsonschema fails, and control characters, which its patterns let through."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            if isinstance(name, str):
                in_name = list(_control_characters(name, key, f"the key {name!r} {_where(key)}"))
                yield from in_name or _unreadable(child, (*key, name))
            else:
                yield Problem(key, f'the key {name} {_where(key)} is read as {_kind(name)}: write "{name}" in quotes')
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _unreadable(child, (*key, index))
    elif isinstance(value, str):
        yield from _control_characters(value, key, f"{_dotted(key)} ({_shown(value)})")


def _control_characters(text: str, key: Key, what: str) -> Iterator[Problem]:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        yield Problem(key, f"{what} holds a line break or a control character: write it on one line, without them")


# ---------------------------------------------------------------------------------------------------------------------
# What the schema says


def _schema_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Problem]:
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
                yield Problem(key, f"{_dotted(key)} lists {', '.join(repeated)} more than once: keep one of each")
            case "minItems" | "maxItems" | "minProperties":
                yield Problem(key, f"{_dotted(key)} {_size(len(error.instance), error.schema)}")
            case _:
                yield _wrong_value(error.instance, error.schema, key)


def _missing(instance: Mapping[str, Any], schema: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    properties = schema.get("properties", {})
    unknown = [name for name in instance if name not in properties]
    for name in schema["required"]:
        if name in instance:
            continue
        misspelt = bool(difflib.get_close_matches(name, unknown, n=1, cutoff=0.6))
        where = _dotted(key) if key else "the configuration"
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
            rule = "starts with a small letter and goes on with small letters, digits, '-' and '_'"
            sentence = f"{name!r} in {_dotted(key)} is not allowed as a name: rename it; a name {rule}"
        elif guess := difflib.get_close_matches(name, properties, n=1, cutoff=0.6):
            sentence = f"unknown key {name!r} {_where(key)}; did you mean '{guess[0]}'?"
        elif decider and _is_known((*key, name), known):
            other_kind.append(name)
            continue
        elif elsewhere := _elsewhere((*key, name), known)[:3]:
            sentence = f"unknown key {name!r} {_where(key)}; did you mean {_listed(elsewhere, 'or')}?"
        else:
            sentence = f"unknown key {name!r} {_where(key)}: remove it; known are {_listed(properties)}"
        yield Problem((*key, name), sentence)
    if decider and other_kind:
        yield Problem(
            key,
            f"{_dotted(key)} of {decider} '{instance[decider]}' takes {_listed(properties)}, not "
            f"{_listed(other_kind, 'or')}: remove what it does not take; an overlay is merged into config.yaml key by "
            f"key, so to change a {decider}, edit the entry in config.yaml or add one under a new name",
        )


def _elsewhere(key: Key, places: Iterable[str]) -> list[str]:
    """The places, in quotes, that end like `key` but are not its own."""
    return [f"'{place}'" for place in places if place.split(".")[-1] == key[-1] and not _is_known(key, [place])]


def _is_known(key: Key, places: Iterable[str]) -> bool:
    """Whether the schema knows `key` for one of the kinds that its entry can have."""
    dotted = ".".join(map(str, key))
    return any(re.fullmatch(re.escape(place).replace("<name>", r"[^.]+"), dotted) for place in places)


def _size(count: int, schema: Mapping[str, Any]) -> str:
    least = schema.get("minItems", schema.get("minProperties", 0))
    entries = "entry" if count == 1 else "entries"
    needed = f"exactly {least}" if schema.get("maxItems") == least else f"at least {least}"
    return f"has {count or 'no'} {entries}, but needs {needed}: add or remove some"


def _wrong_value(value: Any, schema: Mapping[str, Any], key: Key) -> Problem:
    words = _words(schema)
    sentence = f"{_dotted(key)} is {_shown(value)}, but must be {words}"
    if (advice := _advice(value, schema, key)) is not None:
        sentence += f": {advice}"
    return Problem(key, sentence)


def _words(schema: Mapping[str, Any]) -> str:
    """What a value must be, in words."""
    if "x-words" in schema:
        return str(schema["x-words"])
    if "enum" in schema or "const" in schema:
        return _listed(schema.get("enum", [schema.get("const")]), "or")
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
    """What to write instead, where the mistake is a known one."""
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if isinstance(value, str) and {"integer", "number"} & set(types):
        return _as_number(value)
    if isinstance(value, float) and "integer" in types and value.is_integer():
        return f"write {int(value)}"
    if isinstance(value, str | int | float) and "array" in types:
        return f"write `{key[-1]}: [{value}]` into a file and name the file with --configfile"
    if isinstance(value, bool) and "string" in types:
        return "put it in quotes; without them YAML reads yes, no, on and off as true or false"
    if isinstance(value, int | float) and "string" in types:
        return f'write "{value}" in quotes'
    if isinstance(value, str) and (guess := difflib.get_close_matches(value, map(str, schema.get("enum", [])), n=1)):
        return f"did you mean '{guess[0]}'?"
    return None


def _as_number(text: str) -> str | None:
    """How to write text that was meant as a number."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        return None
    if "e" in text.lower():
        return f"YAML reads {text} as text; write {number:f}"
    return f"write {number:f} without quotes; lists on the command line hold only text, so use a file and --configfile"


def _dotted(key: Key) -> str:
    """A key as a person writes it: `datasets.mnist.classes[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def _where(key: Key) -> str:
    return f"in {_dotted(key)}" if key else "at the top level of the configuration"


def _kind(value: Any) -> str:
    return "true or false" if isinstance(value, bool) else "empty" if value is None else "a number or a date"


def _shown(value: Any) -> str:
    """A value for a sentence: text in quotes, null as empty, nothing longer than a line can hold."""
    if value is None:
        return "empty (null)"
    if isinstance(value, Mapping):
        return "a mapping of keys to values"
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return f"the list {text}" if isinstance(value, list) else text


def _listed(names: Iterable[Any], last: str = "and") -> str:
    """`a, b and c`."""
    *most, final = map(str, names)
    return f"{', '.join(most)} {last} {final}" if most else final


# ---------------------------------------------------------------------------------------------------------------------
# What the keys say about each other


class _Sound:
    """A configuration seen only where the schema found nothing wrong."""

    def __init__(self, config: Mapping[str, Any], broken: list[Key]) -> None:
        self._config = config
        self._broken = broken

    def get(self, *key: str) -> Any:
        """The value at `key`; None where it is absent, or a problem stands at it, above it or below it."""
        if any(each[: len(key)] == key for each in self._broken):
            return None
        return self._at(key)

    def names(self, *key: str) -> list[str] | None:
        """The names in the mapping at `key`, whatever stands below them; None where the mapping itself is broken."""
        value = self._at(key)
        return list(value) if isinstance(value, Mapping) else None

    def _at(self, key: Key) -> Any:
        if any(key[: len(each)] == each for each in self._broken):
            return None
        value: Any = self._config
        for part in key:
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value


def _reference_problems(sound: _Sound) -> Iterator[Problem]:
    datasets = sound.names("datasets")
    study = sound.get("study")
    if study is not None and datasets is not None:
        for index, dataset in enumerate(study):
            yield from _reference(("study", index), dataset, "dataset", datasets, "datasets")
    for dataset in datasets or []:
        yield from _dataset_problems(sound, dataset)
    yield from _targeted_problems(sound)
    for attack in sound.names("attacks") or []:
        yield from _attack_problems(sound, attack, [each for each in datasets or [] if each in (study or [])])
    for dataset in sound.names("sensitivity") or []:
        yield from _reference(("sensitivity", dataset), dataset, "dataset", datasets, "datasets")
        yield from _sweep_problems(sound, dataset)


def _reference(key: Key, name: str | None, what: str, names: list[str] | None, table: str) -> Iterator[Problem]:
    """A problem when `name` is not one of the `names` of `table`."""
    if name is None or names is None or name in names:
        return
    guess = difflib.get_close_matches(name, names, n=1)
    advice = f"did you mean '{guess[0]}'?" if guess else f"{table} has {_listed(names) if names else 'none'}"
    yield Problem(key, f"{_dotted(key)} names the {what} '{name}', which is not in {table}; {advice}")


def _dataset_problems(sound: _Sound, dataset: str) -> Iterator[Problem]:
    here = ("datasets", dataset)
    if dataset in TAKEN:
        yield Problem(here, f"{_dotted(here)} cannot have that name, which is a folder of its own: rename the dataset")
    yield from _file_name_problems(sound, here)
    yield from _reference((*here, "source"), sound.get(*here, "source"), "source", sound.names("sources"), "sources")
    size = sound.get(*here, "image_size")
    for model in sound.names(*here, "models") or []:
        key = (*here, "models", model, "architecture")
        architecture = sound.get(*key)
        yield from _reference(key, architecture, "architecture", sound.names("architectures"), "architectures")
        is_resnet = sound.get("architectures", architecture or "", "family") == "resnet"
        if is_resnet and size is not None and not all(length in RESNET_PIXELS for length in size[1:]):
            yield Problem(
                key,
                f"{_dotted(key)} is '{architecture}', a resnet, which takes images of 25 to 32 pixels, but "
                f"datasets.{dataset}.image_size is {size}: resize the images, or use a perceptron or a network of your "
                "own (factory)",
            )
        yield from _model_problems(sound, (*here, "models", model), size)
    yield from _title_problems(sound, here)

    classes = sound.get(*here, "classes")
    for index, example in enumerate(sound.get(*here, "example_classes") or []):
        yield from _reference((*here, "example_classes", index), example, "class", classes, f"{_dotted(here)}.classes")
    for name in set(classes or []) & set(TARGET_RULES):
        yield Problem(here, f"datasets.{dataset}.classes has '{name}', which is a rule for attack targets: rename it")

    attacked, test = sound.get(*here, "attacked_images"), sound.get(*here, "split", "test")
    if attacked is not None and test is not None and attacked > test:
        yield Problem(
            (*here, "attacked_images"),
            f"datasets.{dataset}.attacked_images is {attacked}, but the test split has {test}: "
            f"attack fewer images, or raise datasets.{dataset}.split.test",
        )


def _file_name_problems(sound: _Sound, here: tuple[str, ...]) -> Iterator[Problem]:
    """Models of a dataset whose attacks could not be told apart by the names of their logs and saved states."""
    pairs: dict[str, tuple[str, str]] = {}
    for attack in sound.names("attacks") or []:
        for model in sound.names(*here, "models") or []:
            name, key = f"{attack}-{model}", (*here, "models", model)
            other, others = pairs.setdefault(name, (attack, _dotted(key)))
            if other != attack:
                yield Problem(
                    key,
                    f"the attack {other} on {others} and the attack {attack} on {_dotted(key)} would write files of "
                    f"one name, {name}: rename an attack or a model",
                )


def _model_problems(sound: _Sound, here: tuple[str, ...], size: list[int] | None) -> Iterator[Problem]:
    """What does not fit together in one model."""
    augmentation = (*here[:2], "augmentation")
    if sound.get(*here, "data") == "noisy" and "augmentation" not in (sound.names(*here[:2]) or augmentation):
        yield Problem(
            augmentation,
            f"{_dotted(here)}.data is noisy, but {_dotted(here[:2])} lacks the key 'augmentation', which says what "
            "noisy images are: add it, or train on clean ones",
        )
    normalisation = sound.get(*here, "normalisation")
    if normalisation is None:
        return
    key = (*here, "normalisation")
    mean, std = len(normalisation["mean"]), len(normalisation["std"])
    if mean != std:
        yield Problem(key, f"{_dotted(key)} has {mean} values in mean and {std} in std: give one of each for a channel")
    elif size is not None and size[0] not in (1, mean):
        yield Problem(
            key,
            f"{_dotted(key)} has {mean} values in mean and std, but {_dotted(here[:2])}.image_size has {size[0]} "
            "channels: give one for each",
        )


def _title_problems(sound: _Sound, here: tuple[str, ...]) -> Iterator[Problem]:
    """Models of a dataset that figures could not tell apart."""
    entries = sound.get(*here, "models")
    architectures = sound.get("architectures")
    if entries is None or architectures is None:
        return
    titles: dict[str, str] = {}
    networks: dict[str, tuple[str, str]] = {}
    for name, model in entries.items():
        if not model_entry.is_own(model) and model["architecture"] not in architectures:
            continue
        key = (*here, "models", name)
        title = model_entry.title({"architectures": architectures}, model)
        own, entry = model_entry.architecture({"architectures": architectures}, model)
        network = model_entry.network(entry) if model_entry.is_own(model) else ""
        first, other = networks.setdefault(own, (name, network))
        if title in titles:
            yield Problem(
                key,
                f"{_dotted(key)} and {titles[title]} are both titled '{title}', and figures could not tell them apart: "
                "give one another title, with the key 'title'",
            )
        elif network != other:
            yield Problem(
                key,
                f"{_dotted(key)} and {first} have one factory, but other kwargs or another normalisation: tell them "
                "apart with the key 'title'",
            )
        titles.setdefault(title, name)


def _sweep_problems(sound: _Sound, dataset: str) -> Iterator[Problem]:
    if sound.get("sensitivity", dataset) is not None and dataset not in CLAIMED:
        yield Problem(
            ("sensitivity", dataset),
            f"sensitivity.{dataset} cannot be judged: the report makes claims about {_listed(CLAIMED)} only; remove it",
        )
    key = ("sensitivity", dataset, "sigma")
    if sound.get(*key) is None:
        return
    kind = sound.get("datasets", dataset, "augmentation", "kind")
    if "augmentation" not in (sound.names("datasets", dataset) or ["augmentation"]):
        yield Problem(
            key,
            f"{_dotted(key)} lists levels of Gaussian noise, but datasets.{dataset} has no augmentation: set "
            f"{_dotted(key)} to null",
        )
    elif kind not in (None, "gaussian_noise"):
        yield Problem(
            key,
            f"{_dotted(key)} lists levels of Gaussian noise, but the kind of datasets.{dataset}.augmentation is "
            f"'{kind}': set {_dotted(key)} to null",
        )


def _targeted_problems(sound: _Sound) -> Iterator[Problem]:
    key = ("targeted", "attack")
    attack = sound.get(*key)
    yield from _reference(key, attack, "attack", sound.names("attacks"), "attacks")
    if attack is not None and sound.get("attacks", attack, "library") is not None:
        yield Problem(
            key,
            f"{_dotted(key)} is '{attack}', which comes from a library and has no target: name an attack of ours, such "
            "as report",
        )


def _attack_problems(sound: _Sound, attack: str, studied: list[str]) -> Iterator[Problem]:
    here = ("attacks", attack)
    if attack == "report" and sound.get(*here, "library") is not None:
        yield Problem(
            here, "attacks.report comes from a library, but the figures show the report's own attack: rename the entry"
        )
    classes = {dataset: sound.get("datasets", dataset, "classes") for dataset in studied}
    if not classes or any(names is None for names in classes.values()):
        return
    others = sound.get(*here, "other_confidences") or []
    levels = [("confidence", sound.get(*here, "confidence")), *(("other_confidences", each) for each in others)]
    for dataset, names in classes.items():
        for key, level in levels:
            if isinstance(level, float) and level <= 1 / len(names):
                yield Problem(
                    (*here, key),
                    f"attacks.{attack}.{key} {'is' if key == 'confidence' else 'has'} {level}, but with the "
                    f"{len(names)} classes of datasets.{dataset} every guess reaches {1 / len(names):.3g}: set it "
                    "above that" + (", or to argmax" if key == "other_confidences" else ""),
                )
    target = sound.get(*here, "target")
    if target is None or target in TARGET_RULES:
        return
    if lacking := [dataset for dataset, names in classes.items() if target not in names]:
        theirs = "one of its classes" if len(studied) == 1 else f"a class that {_listed(studied)} have"
        yield Problem(
            (*here, "target"),
            f'attacks.{attack}.target is "{target}", which is no class of {_listed(lacking, "or")}: '
            f"use null, {', '.join(TARGET_RULES)}, or {theirs}",
        )
