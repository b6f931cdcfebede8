# What a run does at its start and at its end: it says what there is to know, and between draws the bars of its jobs.
# Nothing here shapes a result. Reads: earlier benchmark files, logs of failed jobs. Writes: the terminal.
import time

from robustness.terminal import Bars

STARTED = time.time()
BARS = Bars(sys.stderr)


onstart:
    check_writable()
    print(announcement(), file=sys.stderr, flush=True)
    BARS.start()


onsuccess:
    BARS.stop()
    print(outcome(), file=sys.stderr)


onerror:
    BARS.stop()
    print(failure(STARTED), file=sys.stderr)
