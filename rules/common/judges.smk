# Inputs and specs of rules/judges.smk.


def judges(wildcards):
    """Model and seed of every network of the dataset but the attacked one."""
    attacked = [wildcards.model, int(wildcards.seed)]
    if wildcards.model not in trained(wildcards.dataset):
        attacked[1] = config["seeds"][0]
    return [network for network in networks(wildcards.dataset) if network != attacked]


def judges_weights(wildcards):
    """The weights of `judges`."""
    folder = f"{RESULTS}/{wildcards.dataset}/models"
    return [f"{folder}/{model}/seed{seed}/weights.safetensors" for model, seed in judges(wildcards)]


def same_seed_weights(wildcards):
    """The weights of all of a dataset's models with one seed."""
    folder = f"{RESULTS}/{wildcards.dataset}/models"
    return [f"{folder}/{model}/seed{wildcards.seed}/weights.safetensors" for model in models(wildcards.dataset)]


def attack_measures(wildcards):
    """The measures of one attack on all of a dataset's models and seeds."""
    return measures_of(wildcards.dataset, [wildcards.attack])


def judged(wildcards):
    """The judges' answers to the report's attack on all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, "attacks/report/{model}/seed{seed}/judged.parquet")


def transferred(wildcards):
    """What the changes of the report's attack on each of a dataset's models and seeds do to the others."""
    return of_every_network(wildcards.dataset, "attacks/report/{model}/seed{seed}/transferred.parquet")


def targeted_records(wildcards):
    """The records of the targeted attack on all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, "targeted/{model}/seed{seed}/records.parquet")


def judge_spec(wildcards):
    """The judges, the required confidence at which images are judged, and the seed of the noise."""
    confidence = config["attacks"][wildcards.attack]["confidence"]
    return as_param({"judges": judges(wildcards), "required_confidence": confidence, "seed": int(wildcards.seed)})


def transfer_spec(wildcards):
    """Source and targets of a transfer, the required confidence at which images are taken, and the seed of the noise."""
    return as_param(
        {
            "models": models(wildcards.dataset),
            "source": wildcards.model,
            "required_confidence": config["attacks"][wildcards.attack]["confidence"],
            "seed": int(wildcards.seed),
        }
    )


def targeted_spec(wildcards):
    """The settings of the attack that it is based on, with a target for each image, and the number of images."""
    targeted = config["targeted"]
    own = {
        "target": "given",
        "alpha": config["datasets"][wildcards.dataset]["alpha"],
        "max_iterations": targeted["max_iterations"],
    }
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, toward each class",
            "attack": config["attacks"][targeted["attack"]] | own,
            "images_per_class": targeted["images_per_class"],
            "seed": int(wildcards.seed),
        }
    )


def report_table_spec(wildcards):
    """The order of the models, and the required confidence of the report's attack."""
    confidence = config["attacks"]["report"]["confidence"]
    return as_param({"models": models(wildcards.dataset), "required_confidence": confidence})


def targeted_table_spec(wildcards):
    """The order of the models, and the names of the classes."""
    return as_param({"models": models(wildcards.dataset), "classes": config["datasets"][wildcards.dataset]["classes"]})


def report_figure_spec(wildcards):
    """A figure about the images that the report's attack made."""
    name = wildcards.dataset
    return figure_spec(name, attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))


def targeted_figure_spec(wildcards):
    """The heat map of the targeted attack on one model."""
    name, targeted = wildcards.dataset, config["targeted"]
    settings = config["attacks"][targeted["attack"]]
    told = attack_in_words(name, targeted["attack"], "the target class", targeted["max_iterations"])
    words, confidence = (told, noise_in_words(name)), settings["confidence"]
    return figure_spec(name, *words, model=wildcards.model, required_confidence=confidence)
