# Inputs and specs of rules/measure.smk.


def predictions(wildcards):
    """The predictions of all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, "models/{model}/seed{seed}/predictions.parquet")


def all_measures(wildcards):
    """The measures of all attacks, models and seeds of a dataset."""
    return measures_of(wildcards.dataset, config["attacks"])


def compared_measures(wildcards):
    """The measures of `compared_attacks`, then those of `comparators`, for all models and seeds of a dataset."""
    return measures_of(wildcards.dataset, [*compared_attacks(), *comparators()])


def example_measures(wildcards):
    """The measures of one attack on every model, with the first seed: what examples are chosen from."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{{model}}/seed{config['seeds'][0]}/measures.parquet",
        model=models(wildcards.dataset),
    )


def example_images(wildcards):
    """The adversarial images that `example_measures` were taken on, model by model."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{{model}}/seed{config['seeds'][0]}/"
        "{shard}.safetensors",
        model=models(wildcards.dataset),
        shard=shards(wildcards.dataset),
    )


def measure_spec(wildcards):
    """The threshold above which a pixel counts as changed."""
    return as_param({"changed_pixel_threshold": config["datasets"][wildcards.dataset]["changed_pixel_threshold"]})


def accuracy_spec(wildcards):
    """The order of the models, and the accuracy that the report gives for each."""
    entries = config["datasets"][wildcards.dataset]["models"]
    published = {name: model.get("published_accuracy") for name, model in entries.items()}
    return as_param({"models": list(entries), "published_accuracy": published})


def robustness_spec(wildcards):
    """The order of attacks and models."""
    return as_param({"attacks": list(config["attacks"]), "models": models(wildcards.dataset)})


def comparison_spec(wildcards):
    """The order of attacks and models, and the method of each comparator, which decides its norm."""
    return as_param(
        {
            "attacks": compared_attacks(),
            "comparators": [[name, config["attacks"][name]["method"]] for name in comparators()],
            "models": models(wildcards.dataset),
        }
    )


def examples_spec(wildcards):
    """The classes of which an example is shown, and the order of the models."""
    dataset = config["datasets"][wildcards.dataset]
    return as_param(
        {
            "classes": dataset["classes"],
            "example_classes": dataset["example_classes"],
            "models": list(dataset["models"]),
            "required_confidence": config["attacks"][wildcards.attack]["confidence"],
        }
    )
