"""Collect the wheels that tools/paper_scale.sh installs on a machine without a network, and say how large they are.

Reads tools/paper_scale.txt and the pinned versions; lets pip find what these packages need, and downloads it for the
other machine's Python on Linux (x86-64). PyTorch is never among them. `--without` names packages that the machine has.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBC = range(17, 40)  # the minor versions of glibc 2 for which wheels are named


def canonical(name: str) -> str:
    """A package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    """The packages of tools/paper_scale.txt at the versions of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pinned = [re.sub(r"\[.*?\]", "", line) for line in tomllib.loads(text)["project"]["dependencies"]]
    versions = {canonical(line.split("==")[0]): line for line in pinned}
    lines = (ROOT / "tools" / "paper_scale.txt").read_text(encoding="utf-8").splitlines()
    return [versions.get(canonical(name), name) for name in lines if name and not name.startswith("#")]


def target(python: str) -> list[str]:
    """pip's options for the other machine."""
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in LIBC] + ["--platform=manylinux2014_x86_64"]
    return ["--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms]


def resolved(python: str) -> dict[str, str]:
    """Every package that is needed, with its version, as pip finds them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--target", folder, "--report", str(report), "--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([*command, *target(python), *requirements()], check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {canonical(each["metadata"]["name"]): each["metadata"]["version"] for each in found}


def main() -> None:
    """Download, and print the sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("--python", default="3.12", metavar="VERSION", help="of the other machine")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="packages that the machine has")
    options = parser.parse_args()
    left_out = {canonical(name) for name in options.without}
    wanted = {name: version for name, version in resolved(options.python).items() if name not in left_out}
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(options.folder)]
    subprocess.run(
        [*command, *target(options.python), *(f"{name}=={version}" for name, version in wanted.items())], check=True
    )
    sizes = sorted(((path.stat().st_size, path.name) for path in options.folder.glob("*.whl")), reverse=True)
    for size, name in sizes[:8]:
        print(f"{size / 1e6:7.1f} MB  {name}")
    print(f"{sum(size for size, _ in sizes) / 1e6:7.1f} MB  in {len(sizes)} wheels in {options.folder}")


if __name__ == "__main__":
    main()
