"""Collect the wheels that tools/paper_scale.sh installs on a machine without a network, and say how large they are.

Reads tools/paper_scale.txt, and finds what these packages need from the packages that are installed here, at the
versions that passed the tests. Downloads wheels for the other machine's Python on Linux (x86-64), and builds wheels of
the few packages that exist only as source. PyTorch is never among them. `--without` names packages that the other
machine has.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LIBC = range(17, 40)  # the minor versions of glibc 2 for which wheels are named


def listed() -> list[str]:
    """Return the packages that tools/paper_scale.txt names."""
    lines = (ROOT / "tools" / "paper_scale.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def needed(names: list[str], python: str, left_out: set[str]) -> dict[str, str]:
    """Return the packages and all packages that they need on the other machine, with their versions here.

    A machine that has the packages of `left_out` also has what these need.
    """
    machine = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "extra": ""}
    machine |= {"platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython"}
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or name in left_out:
            continue
        package = distribution(name)
        found[name] = package.version
        for requirement in map(Requirement, package.requires or []):
            if requirement.marker is None or requirement.marker.evaluate(machine):
                waiting.append(requirement.name)
    return found


def download(packages: dict[str, str], python: str, folder: Path) -> None:
    """Fetch a wheel of each package into an empty folder; build it if the index has only the source."""
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in LIBC] + ["--platform=manylinux2014_x86_64"]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    target = [f"--python-version={python}", "--implementation=cp", *platforms]
    names = [f"{name}=={version}" for name, version in packages.items()]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "download", *options, *target, "--dest", str(folder), *names], check=True)
    for source in [path for path in folder.iterdir() if path.suffix != ".whl"]:
        before = set(folder.glob("*.whl"))
        subprocess.run([*pip, "wheel", *options, "--wheel-dir", str(folder), str(source)], check=True)
        (built,) = set(folder.glob("*.whl")) - before
        if not built.name.endswith("-none-any.whl"):
            sys.exit(f"{built.name} holds code for this machine alone: name it with --without and install it there")
        source.unlink()


def main() -> None:
    """Download the wheels and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("--python", default="3.12", metavar="VERSION", help="of the other machine")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="packages that the machine has")
    options = parser.parse_args()
    packages = needed(listed(), options.python, {canonicalize_name(name) for name in options.without})
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.iterdir():
        if old.name.endswith((".whl", ".tar.gz")):
            old.unlink()
    download(packages, options.python, options.folder)
    sizes = sorted(((path.stat().st_size, path.name) for path in options.folder.glob("*.whl")), reverse=True)
    for size, name in sizes[:8]:
        print(f"{size / 1e6:7.1f} MB  {name}")
    print(f"{sum(size for size, _ in sizes) / 1e6:7.1f} MB  in {len(sizes)} wheels in {options.folder}")


if __name__ == "__main__":
    main()
