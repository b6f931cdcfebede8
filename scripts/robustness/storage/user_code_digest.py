"""Finds the code of a user's own model, and the lines that change when it does something else.

Reads Python files and runs none. So Snakemake trains a model again when its code does something else, and not when a
comment or the folder changes.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from robustness.errors import UserError
from robustness.storage.code_digest import LIBRARY, digest, files_of, imports

_UNTRACKED = {LIBRARY.name, "numpy", "torch"}
"""Packages whose versions no job tracks; the provenance of each result states them."""


def split(factory: str) -> tuple[str, str]:
    """Split a factory, `package.module:function`, into its module and the name in it."""
    module, _, name = factory.partition(":")
    return module, name


def is_taken(module: str) -> bool:
    """Return whether a module's name belongs to Python or to what every job imports, so that no user's file has it."""
    first = module.split(".")[0]
    return first in sys.stdlib_module_names or first in _UNTRACKED


def own_file(module: str, folder: Path) -> Path | None:
    """Return the file of a module below `folder`; None where there is none, so that an installed package is meant.

    Raises `UserError` for a file that has the name of one of Python's own modules.
    """
    found = files_of(module, folder)
    if not found:
        return None
    if is_taken(module):
        raise UserError(f"{min(found)} has the name of another module, '{module.split('.')[0]}': rename it")
    return min(found)


def described(factory: str, folder: Path) -> list[str]:
    """Return `<file> <digest>` for each of the user's files in a factory's code, then `<package> <version>`.

    The files are the factory's module and the files below `folder` that it imports, at its start or in a function,
    directly or through others; the packages are the installed ones that these import, or that the factory comes from.
    Raises `UserError` when the module is neither a file below `folder` nor in an installed package.
    """
    module, _ = split(factory)
    if own_file(module, folder) is None:
        found = _version(module.split(".")[0])
        if found is None:
            raise UserError(
                f"the factory '{factory}' names the module '{module}', which is neither a file below {folder} nor in "
                "an installed package: set python_path to the folder of the module, or install the package"
            )
        return [found]
    waiting = {file for end in range(module.count(".") + 1) for file in files_of(module.rsplit(".", end)[0], folder)}
    files: set[Path] = set()
    packages: set[str] = set()
    while waiting:
        file = waiting.pop()
        files.add(file)
        for dots, name in imports(file):
            below = folder if not dots else file.parents[dots - 1]
            own_name = bool(dots) or not is_taken(name)
            imported = files_of(name, below) if own_name and below.is_relative_to(folder) else set()
            waiting |= imported - files
            if not imported and not dots:
                packages.add(name.split(".")[0])
    own = {file.relative_to(folder).parts[0].removesuffix(".py") for file in files}
    outside = packages - own - _UNTRACKED - sys.stdlib_module_names
    lines = [f"{file.relative_to(folder).as_posix()} {digest(file)}" for file in sorted(files)]
    return lines + sorted({line for line in map(_version, outside) if line})


@cache
def _version(package: str) -> str | None:
    """Return `<distribution> <version>` of an installed package, by the name under which it is imported."""
    try:
        name, found = package, version(package)
    except PackageNotFoundError:
        names = packages_distributions().get(package)
        if not names:
            return None
        name, found = names[0], version(names[0])
    return f"{name} {found.split('+')[0]}"  # less the build, which is the machine's: 2.1+cpu, 2.1+cu126
