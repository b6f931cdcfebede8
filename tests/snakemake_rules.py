"""What the rules of the workflow are, asked of Snakemake: run as a program, this prints them all as JSON.

In a process of its own, since reading the rules changes the environment that jobs inherit, and in an empty folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EVERY_RULE: dict[str, Any] = {"datasets": {"mnist": {"alpha": "auto"}}, "sensitivity": {"mnist": {"alpha": []}}}
"""What is laid over the default configuration, so that there is also the rule that chooses a step."""


@dataclass(frozen=True)
class Rule:
    """A rule as Snakemake reads it under `EVERY_RULE`, less what functions of wildcards add to it.

    `sources` are the files that its first params name: what starts its program, the program, and the modules that the
    program imports by name. `params` are the others. `shell` is None where it runs nothing.
    """

    name: str
    docstring: str | None
    sources: tuple[str, ...]
    params: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    logs: tuple[str, ...]
    benchmark: str | None
    shell: str | None
    environment: str | None

    @property
    def program(self) -> Path:
        """The program that it runs."""
        return Path(self.sources[1])

    @property
    def files(self) -> list[str]:
        """All that it reads, writes and leaves beside."""
        return [*self.inputs, *self.outputs, *self.logs, *filter(None, [self.benchmark])]


@cache
def rules() -> dict[str, Rule]:
    """All rules, by name."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__]
        printed = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = [
        Rule(**{key: tuple(value) if isinstance(value, list) else value for key, value in each.items()})
        for each in json.loads(printed)
    ]
    return {rule.name: rule for rule in found}


def running() -> dict[str, Rule]:
    """The rules that run something, by name."""
    return {name: rule for name, rule in rules().items() if rule.shell is not None}


def _read() -> list[Rule]:
    """The rules of the workflow, which is read as for a run in the current folder."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, ResourceSettings

    with SnakemakeApi() as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=EVERY_RULE),
            snakefile=ROOT / "Snakefile",
            workdir=Path(),
        )
        return [_as_rule(rule) for rule in workflow._workflow.rules]


def _as_rule(rule: Any) -> Rule:
    params = [param for param in rule.params if not callable(param)]
    count = next((n for n, param in enumerate(params) if not isinstance(param, Path)), len(params))
    return Rule(
        rule.name,
        rule.docstring,
        tuple(str(param.resolve()) for param in params[:count]),
        tuple(map(str, params[count:])),
        _paths(rule.input),
        _paths(rule.output),
        _paths(rule.log),
        next(iter(_paths([rule.benchmark] if rule.benchmark else [])), None),
        rule.shellcmd,
        str(rule.conda_env) if rule.conda_env else None,
    )


def _paths(files: Any) -> tuple[str, ...]:
    """The paths of files, with wildcards as `{dataset}`, less those that a function finds."""
    from snakemake.io import strip_wildcard_constraints

    return tuple(strip_wildcard_constraints(str(file)) for file in files if not callable(file))


if __name__ == "__main__":
    print(json.dumps([asdict(rule) for rule in _read()]))
