"""Run one of the workflow's programs: `python -IS scripts/start_job.py PROGRAM ARGUMENT…`.

If a fork server runs (`runtime.forkserver`), a program with one thread runs in a fork of the server, which has already
imported what programs import; else this process becomes `python PROGRAM ARGUMENT…`. Either way this process has the
program's output and exit status, and passes on the signals that it gets. It imports as little as possible, since rules
start it once for each job.
"""

import os
import sys

ADDRESS = "ROBUSTNESS_FORKSERVER"
"""The environment variable with the address of the fork server; unset where no server runs."""


def run_in_fork(address: str, command: list[str]) -> int | None:
    """Run `command` by the fork server at `address`; return its wait status, or None if no server took it."""
    # The C modules below `socket` and `signal`, and marshal instead of json: these import in half the time.
    import _signal as signal  # type: ignore[import-not-found]
    import _socket as socket
    import marshal
    import struct

    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # where a standard stream is closed, the socket must not take its place
    os.close(spare)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(f"\0{address}")
        _, user, _ = struct.unpack("iII", server.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError:
        return None
    if user != os.getuid():
        return None

    def pass_on(number: int, _: object) -> None:
        try:
            server.send(bytes([number]))
        except OSError:
            return  # the job has just ended, and this process ends at once
        if number == signal.SIGTSTP:
            os.kill(os.getpid(), signal.SIGSTOP)

    ignored = []
    for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "TSTP", "CONT"):
        number = getattr(signal, f"SIG{name}")
        if signal.getsignal(number) == signal.SIG_IGN:
            ignored.append(number)
        else:
            signal.signal(number, pass_on)
    umask = os.umask(0)
    os.umask(umask)
    request = marshal.dumps(
        {
            "command": command,
            "folder": os.getcwd(),  # noqa: PTH109  # pathlib takes longer to import than all the rest
            "environment": dict(os.environ),
            "umask": umask,
            "ignored": ignored,
        }
    )
    streams = struct.pack("3i", 0, 1, 2)
    try:
        server.sendmsg([struct.pack("I", len(request))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        server.sendall(request)
        begun = server.recv(1)
    except OSError:
        return None
    if not begun:
        return None
    try:
        answer = server.recv(4, socket.MSG_WAITALL)
    except OSError:
        answer = b""
    if len(answer) < 4:
        sys.exit("the process that watched this job was killed, and the job with it: run the same command again")
    return int(struct.unpack("i", answer)[0])


def end_like(status: int) -> None:
    """End this process in the way that a process with this wait status ended."""
    import resource
    import signal

    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main() -> None:
    """Run the program that the command line names."""
    address = os.environ.get(ADDRESS)
    threads = os.environ.get("OMP_NUM_THREADS", "1")  # libraries read it when they are loaded: too late in a fork
    status = run_in_fork(address, sys.argv[1:]) if address and threads == "1" else None
    if status is None:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    end_like(status)


if __name__ == "__main__":
    main()
