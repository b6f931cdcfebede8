"""Checks a configuration: each problem is one sentence that names the key, the value and what is allowed.

Runs at each start of Snakemake: a configuration that was found sound is noted, and not checked again.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from robustness.config.cross_checks import Sound, reference_problems, renamed
from robustness.config.no_effect import no_effect_problems
from robustness.config.schema_problems import Problem, schema_problems, unreadable
from robustness.errors import UserError
from robustness.storage.code_digest import described


def checked(config: Mapping[str, Any], schema_path: Path) -> None:
    """Return when `config` is sound under the schema at `schema_path`.

    Raises `UserError` with one line for each problem, or when the schema itself is missing or is not YAML. A sound
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
    """Return a digest of a configuration, the schema and the checking code; None for what JSON cannot express."""
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
    """Return the mapping in one of the repository's own YAML files; raises `UserError` when it cannot."""
    import yaml

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({error}): restore it from the repository") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} contains no keys and values: restore it from the repository")
    return content


def check(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return all problems of a configuration, one sentence each; an empty list when it is sound.

    A reference between two keys is checked where both keys are sound by themselves, so that one mistake is reported
    once. Raises `jsonschema.SchemaError` when the schema itself is invalid.
    """
    problems = [*unreadable(config), *renamed(config)]
    if not problems:
        problems = list(schema_problems(config, schema))
        sound = Sound(config, [problem.key for problem in problems])
        problems += [*reference_problems(sound), *no_effect_problems(sound)]
    return list(dict.fromkeys(_with_claim(problem, config) for problem in problems if problem.sentence))


def _with_claim(problem: Problem, config: Mapping[str, Any]) -> str:
    """Return a problem's sentence, after the claim that it is about: keys count claims from 0, and pages from 1."""
    match problem.key:
        case ("claims", int(index), *_):
            claim = config["claims"][index]
            said = claim.get("sentence") if isinstance(claim, Mapping) else None
            quoted = f' ("{textwrap.shorten(said, 60, placeholder="…")}")' if isinstance(said, str) else ""
            return f"claim {index + 1}{quoted}: {problem.sentence}"
    return problem.sentence
