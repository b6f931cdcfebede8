"""Download the files of a source, or take them from the mirror or the downloads folder, and verify them.

Reads `--spec` (`files`: each role's `name` and `sha256`; `addresses`: where they may be found). Writes the files to the
downloads folder, and a manifest with each role's name, checksum and size. The manifest does not say where the files
came from: a mirror changes no result, so it must not change this file either.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from robustness.data.download import fetch
from robustness.runtime.cli import parser, run, settings
from robustness.storage.atomic import write_json
from robustness.storage.format_version import FORMAT


def arguments() -> argparse.ArgumentParser:
    """The command line of this script."""
    command_line = parser(__doc__)
    command_line.add_argument(
        "--mirror",
        default=os.environ.get("ROBUSTNESS_MIRROR") or None,
        metavar="PLACE",
        help="a folder or address that is asked first (default: $ROBUSTNESS_MIRROR)",
    )
    command_line.add_argument(
        "--downloads",
        type=Path,
        default=os.environ.get("ROBUSTNESS_DOWNLOADS", "."),
        metavar="FOLDER",
        help="where the files go (default: $ROBUSTNESS_DOWNLOADS)",
    )
    command_line.add_argument("--output", type=Path, required=True, metavar="FILE", help="the manifest, JSON")
    return command_line


def main(options: argparse.Namespace) -> None:
    """Fetch every file, then write the manifest."""
    files, addresses = settings(options.spec, "files", "addresses")
    found = {}
    for role, file in files.items():
        path = fetch(file["name"], file["sha256"], addresses, options.mirror, options.downloads)
        found[role] = {"name": file["name"], "sha256": file["sha256"], "bytes": path.stat().st_size}
    write_json(options.output, {"format": FORMAT, "files": found})


if __name__ == "__main__":
    run(main, arguments())
