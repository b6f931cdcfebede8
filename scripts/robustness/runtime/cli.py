"""Gives every script its log, its `--spec` argument and its way to fail.

Writes the script's log file and, on an error that a user can fix, one sentence to the terminal.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import pkgutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from robustness.errors import UserError
from robustness.runtime import planned, usage
from robustness.runtime.job_ends import SENTENCE_STATUS
from robustness.runtime.preemption import Interrupted
from robustness.runtime.status import drawn_elsewhere

_NETWORKS = "robustness.models.wrapper"  # the module whose frames run a user's network


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser with what all scripts take: `--spec` (the rule's settings as JSON) and `--log`."""
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    arguments.add_argument(
        "--spec", type=json.loads, default={}, metavar="JSON", help="settings of the result, as JSON"
    )
    arguments.add_argument("--log", type=Path, metavar="FILE", help="write log lines to FILE, too")
    return arguments


def add_inputs(arguments: argparse.ArgumentParser, inputs: Mapping[str, str | list[str]]) -> None:
    """Add an option for each input by its name; its value says what the file is, in a list where there are several."""
    for name, what in inputs.items():
        several: dict[str, Any] = {"nargs": "+", "help": what[0]} if isinstance(what, list) else {"help": what}
        arguments.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", **several)


def run_named(
    package: str,
    main: Callable[[argparse.Namespace], None],
    arguments: Callable[[ModuleType], argparse.ArgumentParser],
) -> None:
    """Run a program whose first word names a module of `package`, which `arguments` makes a parser for.

    Imports no other module of the package.
    """
    names = [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    first = argparse.ArgumentParser(usage="%(prog)s NAME OPTION…", epilog="%(prog)s NAME --help lists the options.")
    first.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    name = first.parse_args(sys.argv[1:2]).name
    parser = arguments(importlib.import_module(f"{package}.{name}"))
    parser.prog = f"{parser.prog} {name}"
    run(main, parser, sys.argv[2:])


def run(
    main: Callable[[argparse.Namespace], None],
    arguments: argparse.ArgumentParser,
    words: Sequence[str] | None = None,
) -> None:
    """Parse the command line (`words`), set up logging, call `main`; exit with a sentence on a `UserError`.

    Any other exception is a defect: its traceback goes to the log file and to the terminal. An exception in a user's
    network is the user's, and is said in a sentence. What the script used (`robustness.runtime.usage`) stands next to
    the log.
    """
    options = arguments.parse_args(words)
    try:
        _set_up_logging(options.log)
        planned.check_code()
        main(options)
    except UserError as error:
        logging.getLogger(__name__).error("%s", error)
        sys.exit(1 if isinstance(error, Interrupted) else SENTENCE_STATUS)
    except OSError as error:
        logging.getLogger(__name__).error("%s", _explain(error), exc_info=error.filename is None)
        sys.exit(1)
    except Exception as error:
        log = logging.getLogger(__name__)
        if sentence := _of_the_memory(error):
            log.error("%s", sentence)
        elif sentence := _of_the_network(error):
            log.error("%s", sentence)
            log.info("its traceback:", exc_info=True)
        else:
            log.exception("this is a defect of the workflow, not of your input")
        sys.exit(1)
    finally:
        if options.log is not None:
            with suppress(OSError):  # a full disk has been reported by then, or is the next job's to report
                usage.write(options.log)


def _set_up_logging(path: Path | None) -> None:
    terminal = logging.StreamHandler()
    if drawn_elsewhere():  # a bar shows how far the job is; only warnings are worth a line next to it
        terminal.setLevel(logging.WARNING)
    handlers: list[logging.Handler] = [terminal]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers)


def _of_the_memory(error: Exception) -> str | None:
    """Return the sentence where Python, NumPy, pyarrow or PyTorch (on any device) ran out of memory; else None."""
    words = ("can't allocate memory", "not enough memory", "out of memory")
    is_torch = isinstance(error, RuntimeError) and any(each in str(error).lower() for each in words)
    if not is_torch and not isinstance(error, MemoryError):
        return None
    return (
        f"the memory does not suffice ({' '.join(str(error).split()) or type(error).__name__}): run fewer jobs at a "
        "time (--cores, or --resources mem_mb=…), give the job more memory, or use smaller batches or networks; "
        "finished results are kept"
    )


def _of_the_network(error: Exception) -> str | None:
    """Return the sentence for an exception that a user's network raised; None for one that it did not raise."""
    frames = list(traceback.walk_tb(error.__traceback__))
    if not any(frame.f_globals.get("__name__") == _NETWORKS for frame, _ in frames):
        return None
    frame, line = frames[-1]
    words = f"{type(error).__name__} ({' '.join(str(error).split())[:300]})"
    return (
        f"the network raised {words} in {frame.f_code.co_filename}, line {line}: it was checked on other images, or on "
        "another device; mend its forward"
    )


def _explain(error: OSError) -> str:
    """Return the sentence for an error of the operating system."""
    import errno

    where = f" while using {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}: free some space and run the same command again; finished files are kept"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return (
            f"no permission{where}: if the job reads it, make it readable; if the job writes it, make its folder "
            "writable or set 'results' to another folder"
        )
    return f"{error.strerror or error}{where}"


def settings(spec: dict[str, Any], *keys: str) -> list[Any]:
    """Return the values of `keys` in a spec, in order.

    Raises `UserError` that names the first missing key, for somebody who runs a script by hand.
    """
    for key in keys:
        if key not in spec:
            raise UserError(f"--spec lacks '{key}'; the rule that runs this script passes {', '.join(keys)}")
    return [spec[key] for key in keys]
