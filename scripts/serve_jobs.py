"""Import MODULES, then run each job in a fork of this process; end when standard input closes.

`robustness.runtime.forkserver.ForkServer`, which rules/hooks.smk starts, starts this program; do not start it by hand.
"""

from __future__ import annotations

import argparse

from robustness.runtime import forkserver


def arguments() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("socket", type=int, help="descriptor of the socket that jobs are asked for at")
    result.add_argument("modules", nargs="*", help="what to import before the first job")
    return result


if __name__ == "__main__":
    options = arguments().parse_args()
    forkserver.serve(options.socket, options.modules)
