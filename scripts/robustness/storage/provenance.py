"""States where a result came from: the settings, a digest of the code, the package versions and the device.

Every result file carries such a stamp. Nothing in it depends on when or where a job ran except the device, so two
runs of the same job on the same kind of device write the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robustness.storage.code_digest import LIBRARY, described, imported, imports
from robustness.storage.format_version import FORMAT

_PACKAGES = {
    "adv-lib": "adv_lib",
    "mlxtend": "mlxtend",
    "numpy": "numpy",
    "pandas": "pandas",
    "pillow": "PIL",
    "pyarrow": "pyarrow",
    "pyautoattack": "pyautoattack",
    "safetensors": "safetensors",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "torch": "torch",
    "torchvision": "torchvision",
}
"""Packages that shape results, with the names of their modules."""


def stamp(spec: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Return what to store with a result: spec, code digest, versions of packages that the code names, and device."""
    return {
        "format": FORMAT,
        "spec": spec,
        "code": code_digest(),
        "versions": {"python": platform.python_version(), **_versions()},
        "device": device,
    }


def code_digest() -> str:
    """Return the SHA-256 over the code of the running script and of the modules that shape its result.

    See `storage.code_digest`. Where no script runs that uses the library, it is over the whole library.
    """
    return digest_of(described(*_running()))


def _running() -> list[Path]:
    script = Path(sys.argv[0])
    runs = script.suffix == ".py" and imported(script)
    return [script] if runs else sorted(LIBRARY.rglob("*.py"))


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 of JSON-serialisable values; it is the key under which a checkpoint may be resumed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    """Return the version of each of `_PACKAGES` that the running code names and that is installed.

    The code decides, not what this process has imported: a fork (`runtime.forkserver`) has imported more.
    """
    scripts = _running()
    files = {*scripts, *(module for script in scripts for module in imported(script))}
    named = {name.split(".")[0] for file in files for dots, name in imports(file) if not dots}
    found = {}
    for package, module in _PACKAGES.items():
        if module in named:
            with suppress(PackageNotFoundError):
                found[package] = version(package)
    return found
