"""Checks files, folders and sweeps before any rule runs, and sets the environment that jobs inherit."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from robustness.config import claim_entry, model_entry
from robustness.errors import UserError
from robustness.runtime import planned
from robustness.workflow.study import Study


def check_given_weights(study: Study) -> None:
    """Raise `UserError` where a file of weights is missing; Snakemake would use what was made from an earlier one."""
    for dataset in study.studied:
        for name, model in dataset.entries.items():
            path = model.get("weights")
            if path is not None and not Path(path).is_file():
                key = f"datasets.{dataset.name}.models.{name}.weights"
                raise UserError(f"{key} is {path}, which does not exist: set it to the file of the model's weights")


def check_sweeps(study: Study) -> None:
    """Raise `UserError` where a sweep would judge nothing: no claim is about attacks on the dataset's models alone."""
    for dataset in study.studied:
        about = any(claim_entry.can_be_swept(claim, dataset.name, dataset.models) for claim in study.claims)
        if dataset.sweep.values and not about:
            key = f"sensitivity.{dataset.name}"
            raise UserError(
                f"{key} has nothing to judge, because no claim compares attacks on models of {dataset.name} alone: "
                f"state such a claim (docs/claims.md), or set {key} to null"
            )


def environment(study: Study) -> dict[str, str]:
    """Return variables that let jobs use the Python that runs Snakemake, and find downloads and own code.

    The places are not params: they change no result, and a changed param would train every model again. Raises
    `UserError` in a job whose run was planned with another configuration.
    """
    first = [str(Path(sys.executable).parent)]
    if shutil.which("sacct"):
        first.append(str(study.root / "slurm" / "bin"))
    return {
        "PATH": os.pathsep.join([*first, os.environ.get("PATH", "")]),
        "ROBUSTNESS_DOWNLOADS": study.config["downloads"],
        "ROBUSTNESS_MIRROR": study.config["mirror"] or "",
        "ROBUSTNESS_PROGRESS": "",  # jobs draw no bars of their own
        "ROBUSTNESS_PYTHON_PATH": str(Path(study.config["python_path"]).absolute()),
        # So that a class without an attacked image is known before anything is trained, and not when it is drawn.
        "ROBUSTNESS_EXAMPLES": json.dumps(
            {each.name: [each.entry["example_classes"], each.entry["attacked_images"]] for each in study.studied}
        ),
        # What builds the configuration's own networks: jobs run no factory that is not listed here.
        "ROBUSTNESS_NETWORKS": json.dumps(model_entry.networks(study.config)),
        **planned.environment(study.root, study.config),
    }


def check_writable(results: str) -> None:
    """Raise `UserError` where the folder for results cannot be written to; Snakemake would show a traceback."""
    folder = Path(results).absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to {folder}: make it writable, or set 'results' to another folder")
