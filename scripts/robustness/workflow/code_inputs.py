"""Makes params from the code that a job depends on: its program, the user's own networks, page templates.

They are not inputs, which are compared byte by byte and by path: a comment or a moved repository would then train every
model again. Snakemake shows which params changed, and ignores paths, which are not plain values.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from robustness.config import model_entry
from robustness.errors import UserError
from robustness.storage import user_code_digest
from robustness.storage.code_digest import LIBRARY, described
from robustness.workflow.dataset import Dataset
from robustness.workflow.params import Wildcards
from robustness.workflow.study import Study


def src(root: Path, program: str, *modules: str) -> list[Path | str]:
    """Return the params that name a job's program, and that change when its code does something else.

    These are the paths of `scripts/start_job.py`, which starts the program, of `scripts/<program>.py` and of each of
    the library's `modules` that the program imports by name (`figures/bars`); then a digest of the program, of these
    modules, and of each module that they import. Raises `UserError` for code that cannot be read.
    """
    start, path = (root / "scripts" / f"{name}.py" for name in ("start_job", program))
    sources = [path, *(LIBRARY / f"{module}.py" for module in modules)]
    return [*(Path(os.path.relpath(each)) for each in (start, *sources)), *described(*sources)]


def own_code(dataset: Dataset, models: Iterable[str]) -> list[str]:
    """Return the lines that change with the code of those among `models` that are the user's own.

    Raises `UserError` with the key of a model whose code cannot be found or read.
    """
    folder = Path(dataset.config["python_path"]).resolve()
    found: list[str] = []
    for name in models:
        model = dataset.entries[name]
        try:
            found += user_code_digest.described(model["factory"], folder) if model_entry.is_own(model) else []
        except UserError as error:
            raise UserError(f"datasets.{dataset.name}.models.{name}: {error}") from None
    return list(dict.fromkeys(found))


def code_of_all_models(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the lines that change with the code of any of a dataset's own models."""
    dataset = study.datasets[wildcards.dataset]
    return own_code(dataset, dataset.models)


def code_option(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the option that hands a job the lines that change with the code of its model."""
    found = own_code(study.datasets[wildcards.dataset], [wildcards.model])
    return ["--code", *found] if found else []


def page_template(root: Path, name: str) -> Path:
    """Return the path of a page's template; no input, as code is none: the page's spec has its `digest_of`."""
    return Path(os.path.relpath(root / "report" / f"{name}.html.j2"))


def digest_of(paths: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits that change with the content of the files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]
