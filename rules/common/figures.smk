# Inputs and specs of rules/figures.smk.


def histories(wildcards):
    """The training histories of all models and seeds of a dataset that are trained here."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/models/{{model}}/seed{{seed}}/history.csv",
        model=trained(wildcards.dataset),
        seed=config["seeds"],
    )


def history_models(wildcards):
    """The model that each of `histories` belongs to."""
    return [model for model in trained(wildcards.dataset) for _ in config["seeds"]]


def bars_spec(wildcards):
    """A bar chart of one measure of the report's attack."""
    name = wildcards.dataset
    words = (attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))
    confidence = config["attacks"]["report"]["confidence"]
    return figure_spec(name, *words, attack="report", required_confidence=confidence, measure=wildcards.measure)


def pictures_spec(wildcards):
    """One class's example images, and what the report's attack made of them."""
    name = wildcards.dataset
    seeds, images = config["seeds"], config["datasets"][name]["attacked_images"]
    shown = (
        f"One of {counted(images, 'attacked test image')}; weights of seed {seeds[0]} ({counted(len(seeds), 'seed')})."
    )
    words = (attack_in_words(name, "report"), noise_in_words(name), shown)
    return figure_spec(name, *words, **{"class": wildcards.label})


def curves_spec(wildcards):
    """The training curves of the models that are trained here."""
    name = wildcards.dataset
    means = "Training values are means over an epoch's batches, on noisy images where a model trains on those."
    given = [model for model in models(name) if model not in trained(name)]
    untrained = f"Not trained here: {', '.join(given)}." if given else ""
    words = (means, noise_in_words(name), training_in_words(name), untrained)
    return figure_spec(name, *words, only=trained(name))


def noise_spec(wildcards):
    """Examples of the noisy training data."""
    name = wildcards.dataset
    return figure_spec(name, training_in_words(name), augmentation=config["datasets"][name]["augmentation"])


def architecture_spec(wildcards):
    """The networks themselves."""
    return figure_spec(wildcards.dataset)
