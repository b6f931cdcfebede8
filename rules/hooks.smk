# What a run does at its start and at its end: it says what there is to know, and in between prints little, has a process
# that its jobs are forked from, and draws their bars. Nothing here shapes a result. Reads: earlier benchmark files, logs
# of failed jobs. Writes: the terminal.
import atexit
import time

from robustness.runtime import brief
from robustness.runtime.forkserver import ForkServer, is_wanted, modules_for
from robustness.runtime.terminal import Bars
from robustness.workflow import hooks
from robustness.workflow.failures import Failures
from robustness.workflow.polling import look_often
from snakemake.logging import logger

STARTED = time.time()
BARS = Bars(sys.stderr)
SERVER = ForkServer()
FAILURES = Failures(lambda: workflow.scheduler.running, STARTED)
logger.addFilter(FAILURES)
logger.addFilter(hooks.advice(STUDY, lambda: [rule.name for rule in workflow.rules if not rule.has_wildcards()]))


def say_at_the_end(text):
    """Print text after Snakemake's own last lines."""
    atexit.register(print, text, file=sys.stderr)


onstart:
    PLANNING.ends()
    with plain_errors():
        start.check_writable(RESULTS)
    to_do = list(workflow.dag.needrun_jobs())
    cores = workflow.resource_settings.cores if workflow.local_exec else None
    print(hooks.announcement(STUDY, hooks.as_jobs(to_do), cores), file=sys.stderr, flush=True)
    if not (workflow.output_settings.verbose or workflow.output_settings.printshellcmds):
        brief.shorten(logger.handlers)
    # Only local jobs, which are all in Snakemake's own environment.
    running = hooks.sources_of(to_do)
    if workflow.local_exec and not workflow.deployment_settings.deployment_method and is_wanted(len(running)):
        SERVER.start(modules_for(running))
    # Snakemake's limit of 100 new jobs a second holds a thread for each job that was started so far, and each thread
    # makes Snakemake look for new jobs once a second. Nothing here starts jobs that fast, so there is no limit.
    workflow.scheduler.job_rate_limiter = None
    look_often(workflow.scheduler._executor)
    BARS.start()


onsuccess:
    BARS.stop()
    SERVER.stop()
    say_at_the_end(hooks.outcome(STUDY, hooks.as_jobs(workflow.dag.finished_jobs)))


onerror:
    BARS.stop()
    SERVER.stop()
    failed = hooks.as_jobs(workflow.scheduler.failed)
    say_at_the_end(hooks.failure(failed, STARTED, FAILURES.ends, not workflow.local_exec))
