# Specs of rules/attack.smk.


def attack_spec(wildcards):
    """One attack with the dataset's step, and the seed of its random numbers."""
    attack = attack_settings(wildcards.dataset, wildcards.attack)
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    return as_param({"title": title, "attack": attack, "seed": int(wildcards.seed)})


def compare_spec(wildcards):
    """One attack of a library, and the seed of its random numbers."""
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    return as_param({"title": title, "attack": config["attacks"][wildcards.attack], "seed": int(wildcards.seed)})
