# What a run does at its start and at its end: it says what there is to know, and in between has a process that its jobs
# are forked from, and draws their bars. Nothing here shapes a result. Reads: earlier benchmark files, logs of failed jobs.
# Writes: the terminal.
import time

from robustness.runtime.forkserver import ForkServer
from robustness.runtime.terminal import Bars

STARTED = time.time()
BARS = Bars(sys.stderr)
SERVER = ForkServer()


onstart:
    check_writable()
    print(announcement(), file=sys.stderr, flush=True)
    if jobs_are_forked():
        SERVER.start(modules_of_jobs())
    BARS.start()


onsuccess:
    BARS.stop()
    SERVER.stop()
    print(outcome(), file=sys.stderr)


onerror:
    BARS.stop()
    SERVER.stop()
    print(failure(STARTED), file=sys.stderr)
