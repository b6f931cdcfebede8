"""Makes specs of tables: the settings that shape a table, and no others, from the study and a job's wildcards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from robustness.config.threat_models import attacks_of
from robustness.workflow.inputs import of
from robustness.workflow.params import Wildcards
from robustness.workflow.specs import Spec, without_title
from robustness.workflow.study import Study


def nothing(study: Study, wildcards: Wildcards) -> Spec:
    """Return no settings, for a table that only joins others."""
    return {}


def accuracy(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of the models, and the accuracy that the paper gives for each."""
    entries = of(study, wildcards).entries
    published = {name: model.get("published_accuracy") for name, model in entries.items()}
    return {"models": list(entries), "published_accuracy": published}


def robustness(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of attacks and models."""
    return {"attacks": list(study.config["attacks"]), "models": of(study, wildcards).models}


def rank_agreement(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of the models."""
    return {"models": of(study, wildcards).models}


def robust_accuracy(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of the models, our attacks and AutoAttack's, and the budgets of each norm."""
    dataset = of(study, wildcards)
    attacks = {"attacks": study.own_attacks, "autoattack": attacks_of(study.config["autoattack"])[0]}
    return {"models": dataset.models, **attacks, "budgets": dataset.budgets}


def comparison(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of attacks and models, and the method of each comparator, which decides its norm."""
    methods = [[name, study.config["attacks"][name]["method"]] for name in study.comparators]
    return {"attacks": study.compared_attacks, "comparators": methods, "models": of(study, wildcards).models}


def of_the_original_attack(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of the models, and the required confidence of the paper's attack."""
    return {"models": of(study, wildcards).models, "required_confidence": study.studied_attack["confidence"]}


def targeted(study: Study, wildcards: Wildcards) -> Spec:
    """Return the order of the models, and the names of the classes."""
    dataset = of(study, wildcards)
    return {"models": dataset.models, "classes": dataset.entry["classes"]}


def sensitivity(study: Study, wildcards: Wildcards) -> Spec:
    """Return the configured value of each parameter that is swept."""
    sweep = of(study, wildcards).sweep
    return {"configured": {parameter: sweep.configured[parameter] for parameter in sweep.values}}


def references(study: Study, wildcards: Wildcards) -> Spec:
    """Return the attacks and the clean models, with the architecture by which a reference is put next to a model."""
    dataset = of(study, wildcards)
    return {
        "dataset": wildcards.dataset,
        "attacks": study.untargeted_attacks,
        "models": [
            {"name": name, "architecture": without_title(dataset.architecture(name)[1])} for name in dataset.clean
        ],
    }


def run_time(study: Study, benchmarks: Mapping[str, str]) -> Spec:
    """Return the models of each dataset, the attacks, and where the times of each rule's jobs are.

    `benchmarks` holds what each rule says under `benchmark:`; those that are not of one dataset are left out.
    """
    below = f"{study.results}/{{dataset}}/"
    return {
        "datasets": [[dataset.name, dataset.models] for dataset in study.timed],
        "attacks": list(study.attacks),
        "benchmarks": {rule: path.removeprefix(below) for rule, path in benchmarks.items() if path.startswith(below)},
    }


def times_so_far(study: Study, wildcards: Wildcards) -> str:
    """Return a digest of the times that jobs have taken so far: a new time makes the table of times outdated."""
    files = sorted(path for dataset in study.timed for path in Path(dataset.path).glob("benchmarks/**/*.tsv"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
