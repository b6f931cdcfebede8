# Inputs and specs of rules/trust.smk.


def checked_attacks():
    """The report's attack, and the one called `strong` where it is ours and has the same target, and a level in common."""
    if "strong" not in own_attacks():
        return ["report"]
    attacks = [config["attacks"][name] for name in ("report", "strong")]
    levels = [{attack["confidence"], *attack["other_confidences"]} for attack in attacks]
    alike = attacks[0]["target"] == attacks[1]["target"] and levels[0] & levels[1]
    return ["report", "strong"] if alike else ["report"]


def checked_records(wildcards):
    """The records of all shards of `checked_attacks` on one model, attack by attack."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{{attack}}/{wildcards.model}/seed{wildcards.seed}/{{shard}}.parquet",
        attack=checked_attacks(),
        shard=shards(wildcards.dataset),
    )


def checked_images(wildcards):
    """The images that `checked_records` belong to."""
    return [path.replace(".parquet", ".safetensors") for path in checked_records(wildcards)]


def trust_checks(wildcards):
    """The checks of all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, "trust/{model}/seed{seed}.csv")


def trust_spec(wildcards):
    """The report's attack on one model, the attacks whose records are checked, and on how many images."""
    return as_param(
        {
            "model": wildcards.model,
            "attack": attack_settings(wildcards.dataset, "report"),
            "attacks": checked_attacks(),
            "seed": int(wildcards.seed),
            "images": config["trust"]["images"],
        }
    )


def trust_page_spec(wildcards):
    """The names and titles of the models, what the page says of the settings, and a digest of its template."""
    name = wildcards.dataset
    words = (attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))
    template = digest_of([page_template("trust")])
    return figure_spec(name, *words, images=config["trust"]["images"], template=template)


def required_trust_spec(wildcards):
    """What the sentence calls the dataset."""
    return as_param({"dataset": wildcards.dataset})
