"""Runs jobs as forks of a server process, which has already imported what jobs import, so that no job imports it again.

Snakemake's process starts the server for a local run (`ForkServer`). All rules start their programs through
`scripts/start_job.py`, which asks the server for a fork (`serve`). Without a server, a job starts in a new Python.
Nothing else differs: the job has the arguments, the environment, the folder, the streams and the signals of the process
that asked.

Three processes take part in a job. The process that asked sends a request, and then each signal that it gets, one byte
each. The watcher, a fork of the server, passes signals on to the job; it sends one byte when the job has begun, and the
job's wait status when the job has ended. The job is a fork of the watcher. So jobs survive the end of the server, as
they survive the end of Snakemake; they are killed when the process that asked is killed.

The socket has no file (it has a Linux abstract address), so nothing can be left behind; both ends refuse other users.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import gc
import importlib
import io
import logging
import marshal
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from robustness.storage.code_digest import LIBRARY, imported, imports

ADDRESS = "ROBUSTNESS_FORKSERVER"
"""The environment variable with the address of the server; `scripts/start_job.py` reads it."""

SWITCH = "ROBUSTNESS_FORK"
"""The environment variable that keeps jobs from being forked when it is `no`."""

FEW = 3
"""For this many jobs or fewer, neither a server nor the import of a module into it is worth its time."""

_SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Environment variables that libraries read when they are loaded, and that keep them from starting threads.

A fork has none of the server's threads. So a job that asks for more than one thread is not forked.
"""

_SERVER = f"import sys; sys.path[0] = sys.argv[1]; import {__name__} as f; f.serve(int(sys.argv[2]), sys.argv[3:])"
"""What the server's Python runs: `serve`, found in the folder of scripts."""

_HANDLED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that a job may handle."""

_PR_SET_PDEATHSIG = 1


# ---- the side of Snakemake ------------------------------------------------------------------------------------------


def modules_for(jobs: Iterable[tuple[Path, ...]]) -> list[str]:
    """Return what a server should import for `jobs`, each given by the files that it runs: what many of them import.

    Names of the standard library and of this library are left out: a job imports this library anew, so that it runs
    the code that exists when the job starts. Some names are not modules but names that modules define.
    """
    counts: Counter[str] = Counter()
    for sources, number in Counter(jobs).items():
        files = {file for source in sources for file in (source, *imported(source))}
        counts.update(dict.fromkeys({name for file in files for dots, name in imports(file) if not dots}, number))
    own = sys.stdlib_module_names | {LIBRARY.name}
    return sorted(name for name, number in counts.items() if number > FEW and name.split(".")[0] not in own)


def is_wanted(jobs: int) -> bool:
    """Return whether to start a server: it can run here, is not switched off, and is worth its start for `jobs` jobs.

    A Snakemake that was itself started with the address of a server uses that one.
    """
    return os.environ.get(SWITCH) != "no" and ADDRESS not in os.environ and jobs > FEW and _is_possible()


def _is_possible() -> bool:
    """Return whether this is Linux with file descriptors of processes (from 5.3 on, if Python was built with them)."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class ForkServer:
    """Starts and stops the server of one run. Jobs that start between `start` and `stop` are forked from the server.

    It ends at `stop`, or when this process ends in any way: it reads a pipe that only this process can write to.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, modules: Sequence[str]) -> None:
        """Start the server, which imports `modules`; jobs that ask for a fork meanwhile wait for it."""
        address = f"image-robustness-{uuid.uuid4().hex}"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"\0{address}")
            listening.listen(1024)  # from now on, processes that ask wait
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(LIBRARY.parent), str(listening.fileno()), *modules],
                env=os.environ | _SINGLE_THREADED,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                start_new_session=True,  # Ctrl-C is for the jobs, and reaches them through the processes that asked
            )
        os.environ[ADDRESS] = address

    def stop(self) -> None:
        """End the server; running jobs continue. Does nothing if no server was started."""
        os.environ.pop(ADDRESS, None)
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait()
            self._process = None


# ---- the server -----------------------------------------------------------------------------------------------------


def serve(descriptor: int, modules: Sequence[str]) -> None:
    """Import `modules` and run a job for each connection to a listening socket, until standard input closes.

    Ends at once when a library has started a thread: a fork would not have it, and might wait for it forever.
    """
    with socket.socket(fileno=descriptor) as listening:
        listening.set_inheritable(False)
        for name in modules:
            with suppress(Exception):  # not a module, or one that fails to import: the job that needs it will say so
                importlib.import_module(name)
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            return
        gc.collect()
        gc.freeze()  # else the first collection in each fork copies the memory of all these objects
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # watchers that end leave nothing to wait for
        while True:
            ready, _, _ = select.select([descriptor, 0], [], [])
            if 0 in ready:  # standard input
                return
            connection, _ = listening.accept()
            with connection:
                if _user(connection) == os.getuid() and os.fork() == 0:
                    listening.close()
                    _watch(connection)


def _user(connection: socket.socket) -> int:
    """Return the number of the user at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    return int(struct.unpack("iII", credentials)[1])


def _watch(connection: socket.socket) -> NoReturn:
    """Run the requested job in a fork, pass signals on to it, and tell the process that asked how it ended."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        request, streams = _received(connection)
        # A fork forgets signals that Python has not handled yet; blocked ones wait until the job can handle them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        watcher, job = os.getpid(), os.fork()
        if job == 0:
            try:
                connection.close()
                _die_with(watcher)
                _become(request, streams)
            except KeyboardInterrupt:
                _end(-signal.SIGINT)
            finally:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        for stream in streams:
            os.close(stream)
        connection.send(b"\1")
        ended = os.pidfd_open(job)
        while True:
            ready, _, _ = select.select([connection.fileno(), ended], [], [])
            if ended in ready:
                connection.send(struct.pack("i", os.waitpid(job, 0)[1]))
                break
            numbers = connection.recv(64)
            for number in numbers or [signal.SIGKILL]:  # the process that asked was killed
                os.kill(job, signal.SIGSTOP if number == signal.SIGTSTP else number)
            if not numbers:
                break
    finally:
        os._exit(0)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive the request, and the descriptors of the three standard streams."""
    length = struct.calcsize("I")
    head, ancillary, _, _ = connection.recvmsg(length, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    streams = array.array("i")
    for _, _, data in ancillary:
        streams.frombytes(data)
    body = connection.recv(struct.unpack("I", head)[0], socket.MSG_WAITALL)
    return marshal.loads(body), streams.tolist()


def _die_with(watcher: int) -> None:
    """Let the system kill this process when its watcher is killed: nobody could then say how the job ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != watcher:
        os._exit(1)


def _become(request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Run a program in this process as `python PROGRAM ARGUMENT…` would in a new one, and end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # a module that the server has imported may have looked for it, in the server's environment
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()  # what the server's modules registered, such as the removal of a folder that all jobs use
    atexit.register(logging.shutdown)
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    sys.argv = request["command"]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    for name in [name for name in sys.modules if name.split(".")[0] == LIBRARY.name]:
        del sys.modules[name]
    importlib.invalidate_caches()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    _end(_ran(sys.argv[0]))


def _ran(program: str) -> int:
    """Run a program as `__main__` and return its exit code; print what it raises as Python prints it."""
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        return -signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(code: int) -> NoReturn:
    """End as Python does, but without the half second that it takes to tear down large libraries."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing ends its forks
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)
