# Specs of rules/attack.smk, and what its jobs know of each other.
import json


class Untracked:
    """A param as a word of the command line that Snakemake does not compare, since it is no plain value."""

    def __init__(self, word):
        self.word = word

    def __str__(self):
        return self.word


def attack_spec(wildcards):
    """One attack with the dataset's step, and the seed of its random numbers."""
    return as_param(spec_of_attack(wildcards, wildcards.attack))


def spec_of_attack(wildcards, attack):
    """The spec of the job that makes another attack on the same images."""
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {attack}"
    return {"title": title, "attack": attack_settings(wildcards.dataset, attack), "seed": int(wildcards.seed)}


def alike_attacks(dataset, attack):
    """The names of our attacks that differ from one in the reward alone, itself included; none where its step is swept."""
    from robustness.attacks.spec import alike

    if attack not in own_attacks():
        return []
    settings = attack_settings(dataset, attack)
    return [name for name in own_attacks() if alike(settings, attack_settings(dataset, name))]


def attack_partners(wildcards):
    """What a job knows of the jobs of attacks that may share its steps, as JSON: their specs and files.

    Shared steps change no result. So an attack that is added or changed repeats no other.
    """
    folder, images = f"{RESULTS}/{wildcards.dataset}", f"{wildcards.start}-{wildcards.stop}"
    model, seed = wildcards.model, f"seed{wildcards.seed}"
    return Untracked(
        as_param(
            [
                {
                    "spec": spec_of_attack(wildcards, attack),
                    "records": f"{folder}/attacks/{attack}/{model}/{seed}/{images}.parquet",
                    "checkpoint": f"{folder}/checkpoints/{attack}-{model}-{seed}-{images}.safetensors",
                }
                for attack in alike_attacks(wildcards.dataset, wildcards.attack)
                if attack != wildcards.attack
            ]
        )
    )


def attack_priority(wildcards):
    """Below 0 where another attack's job computes this one along, so that it seldom has to wait for that job.

    A priority and no input: with one, even an `ancient` one, Snakemake would not see that both attacks are outdated.
    """
    together = alike_attacks(wildcards.dataset, wildcards.attack)
    return -together.index(wildcards.attack) if together else 0


def compare_spec(wildcards):
    """One attack of a library, and the seed of its random numbers."""
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    return as_param({"title": title, "attack": config["attacks"][wildcards.attack], "seed": int(wildcards.seed)})
