# What the Snakefile does before any rule: checks of the configuration, and the environment that jobs inherit.
import json
import os
import shutil
import sys
from pathlib import Path


def check_configuration():
    """Stop with one sentence per mistake in the configuration, then put its keys into the order of config.yaml."""
    from robustness.errors import UserError
    from robustness.config.validate import checked, read_yaml
    from snakemake.exceptions import WorkflowError

    try:
        checked(config, Path(workflow.basedir) / "schemas" / "config.schema.yaml")
        base = read_yaml(Path(workflow.basedir, "config.yaml"))
    except UserError as error:
        raise WorkflowError(str(error)) from None
    _in_order(config, base)
    check_given_weights()


def _in_order(settings, base):
    """Reorder a mapping as `base` is, in place: an overlay's keys otherwise come first, and colours follow the order."""
    for key in [key for key in base if key in settings] + [key for key in settings if key not in base]:
        settings[key] = settings.pop(key)
        if isinstance(settings[key], dict):
            _in_order(settings[key], base.get(key) or {})


def check_given_weights():
    """Stop with a sentence where a file of weights is missing; Snakemake would take what was made of an earlier one."""
    from snakemake.exceptions import WorkflowError

    for dataset in config["study"]:
        for name, model in model_entries(dataset).items():
            path = model.get("weights")
            if path is not None and not os.path.isfile(path):
                key = f"datasets.{dataset}.models.{name}.weights"
                raise WorkflowError(f"{key} is {path}, which is no file: set it to the file of the model's weights")


def set_environment():
    """Let jobs use the Python that runs Snakemake, and tell them where downloaded files and own code lie.

    The places are not params: they change no result, and a changed param would train every model again.
    """
    first = [os.path.dirname(sys.executable)]
    if shutil.which("sacct"):
        first.append(os.path.join(workflow.basedir, "slurm", "bin"))
    os.environ.update(
        PATH=os.pathsep.join([*first, os.environ.get("PATH", "")]),
        ROBUSTNESS_DOWNLOADS=config["downloads"],
        ROBUSTNESS_MIRROR=config["mirror"] or "",
        ROBUSTNESS_PROGRESS="",  # jobs draw no bars of their own
        ROBUSTNESS_PYTHON_PATH=os.path.abspath(config["python_path"]),
        ROBUSTNESS_NETWORKS=own_networks(),
    )


def own_networks():
    """What builds the configuration's own networks, as JSON: jobs run no factory that is not listed here."""
    from robustness.config import model_entry

    return json.dumps(model_entry.networks(config))
