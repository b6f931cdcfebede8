# What rules/hooks.smk says: at the start, at the end, and of failures.
import os
import shutil
from pathlib import Path


def announcement():
    """What `onstart` says: the scale, the jobs, how long they may take, the device, where results go."""
    from robustness.runtime.run_summary import counted as kinds_of, duration, earlier_seconds

    scale = config["scale"]
    device = "GPU" if shutil.which("nvidia-smi") else "CPU (no GPU found on this machine)"
    jobs = as_jobs(workflow.dag.needrun_jobs())
    cores = workflow.resource_settings.cores if workflow.local_exec else None
    lines = [f"Scale {scale['name']}: {scale['title']}. Device: {device}."]
    if jobs:
        lines += [f"To do: {kinds_of(jobs)}.", duration(jobs, earlier_seconds(jobs), cores)]
    lines.append(f"Results go to {RESULTS}/, logs to {RESULTS}/<dataset>/logs/.")
    for dataset in config["study"]:
        if not has_judges(dataset):
            lines.append(
                f"{dataset} has one network, and none to judge or to fool with its images: no believability, no transfer."
            )
        elif not transfers(dataset):
            lines.append(f"{dataset} has one model, and no other to fool with its images: no transfer.")
    if scale["name"] != "paper":
        lines.append("The report's own sizes: add --configfile scales/paper.yaml.")
    return said(lines)


def outcome():
    """What `onsuccess` says: what to open or, after `fetch`, that it needs no network; whose trust checks failed."""
    from robustness.runtime.run_summary import done

    lines = done(as_jobs(workflow.dag.finished_jobs), RESULTS, config["downloads"])
    return said(lines + [line for dataset in config["study"] for line in not_trustworthy(dataset)])


def failure(started):
    """What `onerror` says: the jobs that failed, the end of their logs and the next step."""
    from robustness.runtime.run_summary import failures

    return said(failures(as_jobs(workflow.scheduler.failed), started))


def check_writable():
    """Stop with a sentence where the folder for results cannot be written to; Snakemake would show a traceback."""
    from snakemake.exceptions import WorkflowError

    folder = Path(RESULTS).absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkflowError(f"cannot write to {folder}: make it writable, or set 'results' to another folder")


def not_trustworthy(dataset):
    """What `onsuccess` says of the trust checks of a dataset: nothing where all passed, or none was made yet."""
    from robustness.errors import UserError
    from robustness.trust.questions import failures, read

    table = Path(RESULTS, dataset, "tables", "trust.csv")
    try:
        failed = failures(read(table)) if table.exists() else {}
    except UserError as error:  # a message must not make a run fail that has succeeded
        return [str(error)]
    models = "; ".join(f"{model} ({words})" for model, words in failed.items())
    return [f"Not trustworthy in {dataset}: {models}. See {pages(dataset)[0]}"] if failed else []


def jobs_are_forked():
    """Whether the jobs of this run are forked from one process: many local ones, all in Snakemake's own environment."""
    from robustness.runtime.forkserver import is_wanted

    local = workflow.local_exec and not workflow.deployment_settings.deployment_method
    return local and is_wanted(len(sources_of_jobs()))


def sources_of_jobs():
    """The program of each job of this run, with the modules named beside it: the paths that `src` puts first, less one."""
    from itertools import takewhile

    params = [job.rule.params for job in workflow.dag.needrun_jobs() if not job.is_norun]
    return [tuple(takewhile(lambda param: isinstance(param, Path), each))[1:] for each in params]


def modules_of_jobs():
    """What the process that jobs are forked from imports for them."""
    from robustness.runtime.forkserver import modules_for

    return modules_for(sources_of_jobs())


def as_jobs(jobs):
    """What the library needs to know of Snakemake's jobs, less those that only name a group of files."""
    from robustness.runtime.run_summary import Job

    found = []
    for job in jobs:
        if not job.is_norun:
            wildcards = ", ".join(f"{name}={value}" for name, value in job.wildcards_dict.items())
            files = (tuple(map(str, job.output)), _text(next(iter(job.log), None)), _text(job.benchmark))
            found.append(Job(job.rule.name, wildcards, *files, job.threads))
    return sorted(found, key=lambda job: (job.rule, job.wildcards))


def _text(path):
    return None if path is None else str(path)


def said(lines):
    """Lines as they are printed between Snakemake's own."""
    return "\n".join(["", *(f"  {line}" for line in lines), ""])
