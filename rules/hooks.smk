# What is said when a run starts, succeeds or fails, and the bars of running jobs: nothing here shapes a result.
# Reads: earlier benchmark files, logs of failed jobs. Writes: the terminal.
import time

from robustness.run_summary import Job, counted as in_kinds, duration, earlier_seconds, failures, to_open
from robustness.terminal import Bars

STARTED = time.time()
BARS = Bars(sys.stderr)


def as_jobs(jobs):
    """What the library needs to know of Snakemake's jobs, less those that only name a group of files."""
    found = []
    for job in jobs:
        if not job.is_norun:
            wildcards = ", ".join(f"{name}={value}" for name, value in job.wildcards_dict.items())
            files = (tuple(map(str, job.output)), _text(next(iter(job.log), None)), _text(job.benchmark))
            found.append(Job(job.rule.name, wildcards, *files, job.threads))
    return sorted(found, key=lambda job: (job.rule, job.wildcards))


def _text(path):
    return None if path is None else str(path)


def announcement():
    """What `onstart` says: the scale, the jobs, how long they may take, the device, where results go."""
    scale = config["scale"]
    device = "GPU" if shutil.which("nvidia-smi") else "CPU (no GPU found on this machine)"
    jobs = as_jobs(workflow.dag.needrun_jobs())
    cores = workflow.resource_settings.cores if workflow.local_exec else None
    lines = [f"Scale {scale['name']}: {scale['title']}. Device: {device}."]
    if jobs:
        lines += [f"To do: {in_kinds(jobs)}.", duration(jobs, earlier_seconds(jobs), cores)]
    lines.append(f"Results go to {RESULTS}/, logs to {RESULTS}/<dataset>/logs/.")
    if scale["name"] != "paper":
        lines.append("The report's own sizes: add --configfile scales/paper.yaml.")
    return said(lines)


def result():
    """What `onsuccess` says: what to open or, after `fetch`, that no network is needed any more."""
    jobs = as_jobs(workflow.dag.finished_jobs)
    if all(job.rule == "download_data" for job in jobs):
        return said([f"Done. What comes over a network is in {config['downloads']}/; the rest needs none."])
    first = to_open(jobs)
    return said(["Done. Open first:", *(f"  {line}" for line in first)] if first else ["Done."])


def said(lines):
    """Lines as they are printed between Snakemake's own."""
    return "\n".join(["", *(f"  {line}" for line in lines), ""])


onstart:
    check_writable()
    print(announcement(), file=sys.stderr, flush=True)
    BARS.start()


onsuccess:
    BARS.stop()
    print(result(), file=sys.stderr)


onerror:
    BARS.stop()
    print(said(failures(as_jobs(workflow.scheduler.failed), STARTED)), file=sys.stderr)
