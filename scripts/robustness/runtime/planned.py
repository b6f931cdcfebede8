"""Compares the code and the configuration that a job runs with with those that its run was planned with.

Somebody who edits a file while a run goes on would otherwise get rows of one table from two versions of the code, and
Snakemake would find nothing to do afterwards. Likewise on a cluster, where a job's own Snakemake reads the
configuration anew. The run that plans the jobs writes what it saw into the environment, which all jobs inherit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustness.errors import UserError

CODE, CONFIGURATION = "ROBUSTNESS_CODE", "ROBUSTNESS_CONFIGURATION"
"""The variables with the digests of all files of code, and of the configuration."""

_DIGITS = 8


def environment(root: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables for the jobs of a run: for each program and module `<name>=<digest>`, and the configuration.

    Raises `UserError` where this is itself a job whose run was planned with another configuration.
    """
    from robustness.storage.code_digest import LIBRARY, described
    from robustness.storage.digests import digest_of_json

    now = digest_of_json(config)
    if os.environ.get(CONFIGURATION, now) != now:
        raise UserError(
            "the configuration changed after this run was planned, and its jobs would mix two of them: wait until the "
            "run has ended or stop it, then run the same command again; finished results are kept"
        )
    lines = described(*sorted(root.glob("scripts/*.py")), *sorted(LIBRARY.rglob("*.py")))
    return {CODE: " ".join(f"{name}={digits[:_DIGITS]}" for name, digits in map(str.split, lines)), CONFIGURATION: now}


def check_code() -> None:
    """Raise `UserError` naming a file that this program runs and that changed after the run was planned.

    Does nothing in a program that no run has started.
    """
    from robustness.storage.code_digest import described

    if not (written := os.environ.get(CODE)):
        return
    planned = dict(each.split("=") for each in written.split())
    products = [module.__file__ for name, module in sys.modules.items() if name.startswith("robustness.products.")]
    for line in described(Path(sys.argv[0]), *(Path(file) for file in products if file)):
        name, digits = line.split()
        if planned.get(name) != digits[:_DIGITS]:
            raise UserError(
                f"scripts/{name} changed after this run was planned, and the results would come from two versions of "
                "the code: run the same command again; finished results are kept"
            )
