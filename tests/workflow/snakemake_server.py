"""Runs Snakemake's command line in forks of a process that has imported it, which saves its start in each.

One request a line on standard input, as JSON: the arguments, the folder to run in, the environment, the file for all
that is said, and the seconds after which the run is ended. Answers with a line: the exit status, negative for a signal.

A fork runs what `python -m snakemake` runs, and nothing of one run is left for the next. The server has not imported
this project's modules, so that each run takes those of its own folder.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

# What a run imports at once, and what it would import later.
import docutils.core  # noqa: F401
import jinja2  # noqa: F401
import jsonschema  # noqa: F401
import snakemake.cli
import snakemake.executors.dryrun
import snakemake.executors.local
import snakemake.executors.touch
import snakemake.report.html_reporter
import snakemake.workflow
import yte  # noqa: F401


def become(request: dict[str, Any]) -> None:
    """Make this process one that a shell would have started for the request."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    nothing, said = os.open(os.devnull, os.O_RDONLY), os.open(request["said"], os.O_WRONLY | os.O_TRUNC)
    for opened, standard in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(opened, standard)
    os.close(nothing)
    os.close(said)
    sys.argv = [str(Path(snakemake.__file__).with_name("__main__.py")), *request["arguments"]]
    sys.path[0] = snakemake.workflow.Workflow._rundir = request["folder"]
    signal.alarm(request["seconds"])


def run() -> NoReturn:
    """Run Snakemake and end as Python does, but without tearing down what the server has imported."""
    code: Any = 1
    try:
        snakemake.cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing ends its forks
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def main() -> None:
    """Serve until standard input ends."""
    gc.collect()
    gc.freeze()  # else each fork copies the memory of what was imported when it first looks for garbage
    for line in sys.stdin:
        process = os.fork()
        if not process:
            become(json.loads(line))
            run()
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
