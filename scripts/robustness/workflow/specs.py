"""The settings that shape what a job computes, and no others: what Snakemake compares to see whether it is outdated.

Functions of the study and of a job's wildcards, for rules that compute; modules next to this one have the specs of
tables, figures and pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from robustness.config.threat_models import attacks_of, value_of
from robustness.workflow.dataset import STUDIED_ATTACK, Dataset
from robustness.workflow.given_files import digest_of
from robustness.workflow.inputs import judges, measured_for_trust, of, swept_models
from robustness.workflow.params import Wildcards
from robustness.workflow.study import Study
from robustness.workflow.sweep import Entry

Spec = dict[str, Any]
SpecOf = Callable[[Study, Wildcards], Spec]


def without_title(entry: Entry) -> Spec:
    """Return a configured entry without its title, which is for figures and changes no computation."""
    return {key: value for key, value in entry.items() if key != "title"}


# ---- data and models ------------------------------------------------------------------------------------------------


def download(study: Study, wildcards: Wildcards) -> Spec:
    """Return what is downloaded, and from where."""
    source = of(study, wildcards).source
    return {"files": source["files"], "addresses": source["addresses"]}


def data(study: Study, wildcards: Wildcards) -> Spec:
    """Return the source (without addresses, which do not change its files), classes, split, and own images' digest."""
    dataset = of(study, wildcards)
    source = {key: value for key, value in dataset.source.items() if key != "addresses"}
    settings = {name: dataset.entry[name] for name in ("classes", "split", "image_size")}
    if "path" in source:
        settings["images"] = digest_of(source["path"])
    return {"dataset": dataset.name, "source": source, **settings}


def augmentation(study: Study, wildcards: Wildcards) -> Spec:
    """Return the dataset's augmentation."""
    return {"augmentation": of(study, wildcards).entry["augmentation"]}


def given_model(study: Study, wildcards: Wildcards) -> Spec:
    """Return the architecture of a pretrained model, and the digest of its file of weights."""
    dataset = of(study, wildcards)
    given = digest_of(dataset.entries[wildcards.model]["weights"])
    return {"title": f"{dataset.name}/{wildcards.model}", **_network(dataset, wildcards.model), "weights": given}


def training(study: Study, wildcards: Wildcards) -> Spec:
    """Return a model's architecture, training settings and how its images are changed: augmentation, or attack."""
    dataset = of(study, wildcards)
    model = dataset.entries[wildcards.model]
    noise = model.get("augmentation", dataset.entry["augmentation"]) if model["data"] == "noisy" else None
    attack = {"adversarial": budgeted(dataset.entry["adversarial"])} if model["data"] == "adversarial" else {}
    return {
        "title": f"{dataset.name}/{wildcards.model}, seed {wildcards.seed}",
        **_network(dataset, wildcards.model),
        **attack,
        "training": study.config["training"] | model.get("training", {}),
        "augmentation": noise,
        "seed": int(wildcards.seed),
    }


def budgeted(adversarial: Entry) -> Spec:
    """Return the entry `adversarial` with its budget and its step as numbers, which may be written `8/255`."""
    return {**adversarial} | {name: value_of(adversarial[name]) for name in ("epsilon", "step_size")}


def calibration(study: Study, wildcards: Wildcards) -> Spec:
    """Return what `training` does with the first seed, without the noise level that is looked for, and its aim."""
    dataset = of(study, wildcards)
    model = dataset.entries[wildcards.model]
    return {
        "title": f"{dataset.name}/{wildcards.model}",
        **_network(dataset, wildcards.model),
        "training": study.config["training"] | model.get("training", {}),
        "augmentation": {"kind": dataset.entry["augmentation"]["kind"]},
        "published_accuracy": model["published_accuracy"],
        "seed": study.seeds[0],
    }


def _network(dataset: Dataset, model: str) -> Spec:
    return {
        "architecture": without_title(dataset.architecture(model)[1]),
        "classes": len(dataset.entry["classes"]),
    }


def all_models(study: Study, wildcards: Wildcards) -> Spec:
    """Return the architecture of every model, and the shape of the dataset's images."""
    dataset = of(study, wildcards)
    return {
        "architectures": dataset.architectures,
        "models": [[name, dataset.architecture(name)[0]] for name in dataset.models],
        "image": dataset.entry["image_size"],
        "classes": len(dataset.entry["classes"]),
    }


# ---- attacks and measures; our attacks have a module of their own ---------------------------------------------------


def comparator(study: Study, wildcards: Wildcards) -> Spec:
    """Return one attack of a library, and the seed of its random numbers."""
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    seed = of(study, wildcards).seed_of(wildcards.model, wildcards.seed)
    return {"title": title, "attack": study.config["attacks"][wildcards.attack], "seed": seed}


def bound(study: Study, wildcards: Wildcards) -> Spec:
    """Return the budgets of each norm, AutoAttack's attacks, and the seed of its random numbers."""
    dataset = of(study, wildcards)
    attacks, targets = attacks_of(study.config["autoattack"])
    return {
        "title": f"{dataset.name}/{wildcards.model}, seed {wildcards.seed}, AutoAttack",
        "budgets": dataset.budgets,
        "attacks": attacks,
        "targets": targets,
        "seed": dataset.seed_of(wildcards.model, wildcards.seed),
    }


def step(study: Study, wildcards: Wildcards) -> Spec:
    """Return the paper's attack as the pilot uses it, without a step; the models, and on how many images."""
    dataset = of(study, wildcards)
    return {
        "attack": dataset.settings_without_step(study.attacks[STUDIED_ATTACK]) | {"other_confidences": []},
        "models": dataset.models,
        "seed": study.seeds[0],
        "images": dataset.pilot_images,
    }


def targeted(study: Study, wildcards: Wildcards) -> Spec:
    """Return the settings of the attack that it is based on, with a target for each image, and how many images."""
    dataset, targeted = of(study, wildcards), study.targeted
    own = {"target": "given", "alpha": dataset.alpha, "max_iterations": targeted["max_iterations"]}
    others = targeted["targets_per_class"]
    sample = {"targets_per_class": others} if others < len(dataset.entry["classes"]) - 1 else {}
    return sample | {
        "title": f"{dataset.name}/{wildcards.model}, seed {wildcards.seed}, toward each class",
        "attack": study.config["attacks"][targeted["attack"]] | own,
        "images_per_class": targeted["images_per_class"],
        "seed": dataset.seed_of(wildcards.model, wildcards.seed),
    }


def speed(study: Study, wildcards: Wildcards) -> Spec:
    """Return the paper's attack as it is timed: five times on the first 1,000 test images, or on all of fewer."""
    dataset = of(study, wildcards)
    own = {"alpha": dataset.alpha, "other_confidences": [], "tighten": False}
    return {
        "title": f"{dataset.name}/{wildcards.model}",
        "attack": {**study.studied_attack, **own},
        "seed": study.seeds[0],
        "images": min(1000, dataset.entry["split"]["test"]),
        "rounds": 5,
    }


def measure(study: Study, wildcards: Wildcards) -> Spec:
    """Return the threshold above which a pixel counts as changed."""
    return {"changed_pixel_threshold": of(study, wildcards).entry["changed_pixel_threshold"]}


def examples(study: Study, wildcards: Wildcards) -> Spec:
    """Return the classes that examples are shown of, and the order of the models."""
    dataset = of(study, wildcards)
    return {
        "classes": dataset.entry["classes"],
        "example_classes": dataset.entry["example_classes"],
        "models": dataset.models,
        "required_confidence": study.config["attacks"][wildcards.attack]["confidence"],
    }


# ---- trust checks, judges and claims --------------------------------------------------------------------------------


def trust(study: Study, wildcards: Wildcards) -> Spec:
    """Return the paper's attack on one model, the attacks that are checked or compared, and on how many images."""
    dataset = of(study, wildcards)
    return {
        "model": wildcards.model,
        "attack": dataset.attack_settings(study.attacks[STUDIED_ATTACK]),
        "attacks": study.checked_attacks,
        "measured": measured_for_trust(study, wildcards),
        "seed": dataset.seed_of(wildcards.model, wildcards.seed),
        "images": study.config["trust"]["images"],
    }


def required_trust(study: Study, wildcards: Wildcards) -> Spec:
    """Return what the sentence about failed checks calls the dataset."""
    return {"dataset": wildcards.dataset}


def judge(study: Study, wildcards: Wildcards) -> Spec:
    """Return the judges, the required confidence at which images are judged, and the seed of the noise."""
    confidence = study.config["attacks"][wildcards.attack]["confidence"]
    return {"judges": judges(study, wildcards), "required_confidence": confidence, "seed": int(wildcards.seed)}


def transfer(study: Study, wildcards: Wildcards) -> Spec:
    """Return source and targets of a transfer, the confidence at which images are taken, and the seed of the noise."""
    return {
        "models": of(study, wildcards).models,
        "source": wildcards.model,
        "required_confidence": study.config["attacks"][wildcards.attack]["confidence"],
        "seed": int(wildcards.seed),
    }


def claims(study: Study, wildcards: Wildcards) -> Spec:
    """Return the claims, the attacks with confidence, the datasets with models and step, and which have judges."""
    return {
        "claims": study.claims,
        "attacks": [[name, study.config["attacks"][name]["confidence"]] for name in study.claim_attacks],
        "datasets": [
            {"name": dataset.name, "models": dataset.models, "alpha": dataset.alpha} for dataset in study.claimed
        ],
        "judged": [dataset.name for dataset in study.claimed if dataset.has_judges],
    }


def swept_verdict(study: Study, wildcards: Wildcards) -> Spec:
    """Return the claims, the value, the models with their names in the files of that value, and how many images."""
    dataset = of(study, wildcards)
    return {
        "claims": study.claims,
        "dataset": dataset.name,
        "parameter": wildcards.parameter,
        "value": float(wildcards.value),
        "models": [list(names) for names in zip(dataset.models, swept_models(study, wildcards), strict=True)],
        "images": dataset.sweep.images,
        "required_confidence": study.studied_attack["confidence"],
    }
