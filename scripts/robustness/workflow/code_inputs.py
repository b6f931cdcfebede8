"""What a job depends on of the code, as params of its rule: its program with what that imports, and page templates.

Not as inputs: those are compared byte by byte and by path, so that a comment or a moved repository would train every
model again. Of params Snakemake shows the ones that changed, and passes over the paths, which are no plain values.
"""

from __future__ import annotations

import os
from pathlib import Path

from robustness.storage.code_digest import LIBRARY, described


def src(root: Path, program: str, *modules: str) -> list[Path | str]:
    """Return the params that name a job's program, and that change when its code does something else.

    These are the paths of `scripts/start_job.py`, which starts the program, of `scripts/<program>.py` and of each of
    the library's `modules` that the program imports by name (`figures/bars`); then a digest of the program, of these
    modules, and of each module that they import. Raises `UserError` for code that cannot be read.
    """
    start, path = (root / "scripts" / f"{name}.py" for name in ("start_job", program))
    sources = [path, *(LIBRARY / f"{module}.py" for module in modules)]
    return [*(Path(os.path.relpath(each)) for each in (start, *sources)), *described(*sources)]
