"""Makes the specs of our attacks' jobs, and finds which other jobs may share their steps."""

from __future__ import annotations

from functools import cache
from typing import Any

from robustness.attacks.spec import alike
from robustness.workflow.dataset import Attack, Dataset
from robustness.workflow.params import Untracked, Wildcards, as_param
from robustness.workflow.study import Study


def spec(study: Study, wildcards: Wildcards) -> dict[str, Any]:
    """Return one attack with the dataset's step, and the seed of its random numbers."""
    return _spec_of(study.datasets[wildcards.dataset], wildcards, study.attacks[wildcards.attack])


def _spec_of(dataset: Dataset, wildcards: Wildcards, attack: Attack) -> dict[str, Any]:
    """Return the spec of the job that makes another attack on the same images."""
    title = f"{dataset.name}/{wildcards.model}, seed {wildcards.seed}, attack {attack.name}"
    seed = dataset.seed_of(wildcards.model, wildcards.seed)
    return {"title": title, "attack": dataset.attack_settings(attack), "seed": seed}


@cache
def sharing(study: Study, dataset: Dataset, name: str) -> list[Attack]:
    """Return our attacks that differ from one at most in the reward, itself included; none where its step is swept."""
    if name not in study.own_attacks:
        return []
    ours = [study.attacks[each] for each in study.own_attacks]
    settings = dataset.settings_without_step(study.attacks[name])  # all have the dataset's step
    return [attack for attack in ours if alike(settings, dataset.settings_without_step(attack))]


def partners(study: Study, wildcards: Wildcards) -> Untracked:
    """Return what a job knows of the jobs of attacks that may share its steps, as JSON: their specs and files.

    Shared steps change no result. So an attack that is added or changed repeats no other.
    """
    dataset = study.datasets[wildcards.dataset]
    model, seed = wildcards.model, f"seed{wildcards.seed}"
    images = f"{wildcards.start}-{wildcards.stop}"
    return Untracked(
        as_param(
            [
                {
                    "spec": _spec_of(dataset, wildcards, attack),
                    "records": f"{dataset.path}/attacks/{attack.name}/{model}/{seed}/{images}.parquet",
                    "checkpoint": f"{dataset.path}/checkpoints/{attack.name}-{model}-{seed}-{images}.safetensors",
                }
                for attack in sharing(study, dataset, wildcards.attack)
                if attack.name != wildcards.attack
            ]
        )
    )


def priority(study: Study, wildcards: Wildcards) -> int:
    """Return a priority below 0 where another attack's job computes this one along, so that it rarely has to wait.

    It is a priority and not an input: with an input, even an `ancient` one, Snakemake would not see that both attacks
    are outdated.
    """
    names = [attack.name for attack in sharing(study, study.datasets[wildcards.dataset], wildcards.attack)]
    return -names.index(wildcards.attack) if names else 0
