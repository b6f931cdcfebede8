"""Run jobs in forks of this process, which imports MODULES first; ends when its standard input closes.

Started by `robustness.runtime.forkserver.ForkServer`, which rules/hooks.smk starts; not meant to be started by hand.
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
