# What rules and the Snakefile use of the library: the study (`STUDY`), and ways to ask `robustness.workflow` about it.
#
# Its functions take the study and a job's wildcards: `ask(inputs.predictions)` is one of wildcards alone, as rules want
# them, and `spec(specs.training)` gives what it returns as one sorted JSON string: the settings that shape a result.
import os
import shlex
from contextlib import contextmanager
from pathlib import Path

from robustness.config.command_line import with_given
from robustness.config.removals import without_removed
from robustness.config.validate import checked, read_yaml
from robustness.config.yaml_text import check_files
from robustness.errors import UserError
from robustness.workflow import (
    attack_jobs,
    code_inputs,
    figure_specs,
    inputs,
    page_specs,
    sentences,
    specs,
    start,
    table_specs,
    targets,
)
from robustness.workflow.dataset import StepNotChosen
from robustness.workflow.figures import BARS, FIGURES, ROBUSTNESS_CURVES
from robustness.workflow.params import Untracked, as_param
from robustness.workflow.planning import Planning
from robustness.workflow.study import Study, in_order, one_of
from robustness.workflow.tables import TABLES
from snakemake.exceptions import WorkflowError
from snakemake.io import strip_wildcard_constraints


@contextmanager
def plain_errors():
    """Let Snakemake show a user's mistake as one sentence, without a traceback."""
    try:
        yield
    except UserError as error:
        raise WorkflowError(str(error)) from None


def checked_study():
    """Return the study that a sound configuration describes, in the order of config.yaml."""
    root = Path(workflow.basedir)
    check_files([root / "config.yaml", *workflow.config_settings.configfiles])
    settings = without_removed(with_given(config, workflow.config_settings.config))
    checked(settings, root / "schemas" / "config.schema.yaml")
    study = Study(in_order(settings, read_yaml(root / "config.yaml")), root)
    start.check_given_weights(study)
    start.check_sweeps(study)
    return study


with plain_errors():
    STUDY = checked_study()
    os.environ.update(start.environment(STUDY))
RESULTS = STUDY.results
PLANNING = Planning(STUDY, sys.stderr)


def ask(function):
    """Turn a function of the study and of wildcards into a function of wildcards."""

    def asked(wildcards):
        PLANNING.goes_on()
        with plain_errors(), known_steps():
            return function(STUDY, wildcards)

    return asked


@contextmanager
def known_steps():
    """Let Snakemake ask again after the pilot, where params name the step of an attack that is not chosen yet.

    Their rule has `step=chosen_step` among its inputs.
    """
    try:
        yield
    except StepNotChosen as error:
        step_of(error.dataset)


def chosen_step(wildcards):
    """Return the file of the attack's step, for a rule whose params name the step; none where the step is configured.

    It counts as old: the params say whether the step is another one, and the same step, chosen again, repeats nothing.
    """
    return chosen_steps([STUDY.datasets[wildcards.dataset]])


def chosen_steps(datasets):
    """Return the files of the steps of several datasets."""
    names = [dataset.whole or dataset.name for dataset in datasets if dataset.chosen_step]
    return [ancient(step_of(name)) for name in names]


def step_of(name):
    """Return the file of the step of a dataset's attacks; makes Snakemake ask again later where it is not chosen yet.

    Until a checkpoint has run, Snakemake compares nothing of the jobs behind it, and so would not run it where the
    results of a step that was configured before are there.
    """
    if not Path(step := STUDY.datasets[name].chosen_step).exists():
        workflow.dag.forcefiles.add(step)
    return checkpoints.choose_step.get(dataset=name).output[0]


def spec(function):
    """Return a function of wildcards that gives what `function` returns as one param."""
    return lambda wildcards: as_param(ask(function)(wildcards))


def src(program, *modules):
    """Return the params that name a rule's program and change with its code (`robustness.workflow.code_inputs.src`)."""
    with plain_errors():
        return code_inputs.src(STUDY.root, program, *modules)


def files(named):
    """Return what a rule reads, by name, from paths in a dataset's folder and functions that find files."""
    return {
        name: f"{RESULTS}/{{dataset}}/{each}" if isinstance(each, str) else ask(each) for name, each in named.items()
    }


def as_options(wildcards, input):
    """Return each input of a job as the option of its name, as words of a command line."""
    words = []
    for name, paths in input.items():
        if name == "step":  # named by the spec
            continue
        words += [f"--{name}", *([paths] if isinstance(paths, str) else paths)]
    return Untracked(shlex.join(words))


def dataset_of(trained):
    """Return a regular expression for `dataset` in the path of a model that is trained here, or is not.

    Two rules make weights; dataset and model together decide which of them makes a model's, so it looks ahead at the model.
    """
    return f"(?=(?:{one_of(STUDY.places_of_models(trained))})/)(?:{one_of(STUDY.datasets)})"


def source_files(wildcards):
    """Return what `prepare_data` reads. The time of the user's own images says nothing about them; the spec does."""
    paths = ask(inputs.source)(wildcards)
    return paths if STUDY.datasets[wildcards.dataset].is_downloaded else ancient(paths)


def given_weights(wildcards):
    """Return the file of weights of a model that comes with them; whether it has changed, the spec says."""
    return ancient(ask(inputs.given_weights)(wildcards))


def every_core(wildcards):
    """Return all cores that `--cores` allows, so that a job has the machine to itself; four without a limit."""
    return workflow.resource_settings.cores or 4


def run_time_spec(wildcards):
    """Return what the table of times is made from, with the places that rules give for benchmarks."""
    places = {rule.name: strip_wildcard_constraints(rule.benchmark) for rule in workflow.rules if rule.benchmark}
    return as_param(table_specs.run_time(STUDY, places))


def study_page_spec(wildcards):
    """Return what the study's page says about the configuration, with the command line of this run."""
    given = workflow.config_settings
    command = sentences.command(given.configfiles, given.config, STUDY.root / "config.yaml")
    with known_steps():
        return as_param(page_specs.whole_study(STUDY, command))
