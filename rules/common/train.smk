# Inputs and specs of rules/train.smk.


def given_weights(wildcards):
    """The file of weights of a model that comes with them."""
    return model_entries(wildcards.dataset)[wildcards.model]["weights"]


def import_spec(wildcards):
    """A given model's architecture."""
    from robustness.config import model_entry

    model = model_entries(wildcards.dataset)[wildcards.model]
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}",
            "architecture": without_title(model_entry.architecture(config, model)[1]),
            "classes": len(config["datasets"][wildcards.dataset]["classes"]),
        }
    )


def training_spec(wildcards):
    """One model's architecture, training settings and, where it trains on noisy data, the augmentation."""
    from robustness.config import model_entry

    dataset = config["datasets"][wildcards.dataset]
    model = dataset["models"][wildcards.model]
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}",
            "architecture": without_title(model_entry.architecture(config, model)[1]),
            "classes": len(dataset["classes"]),
            "training": config["training"] | model.get("training", {}),
            "augmentation": model.get("augmentation", dataset["augmentation"]) if model["data"] == "noisy" else None,
            "seed": int(wildcards.seed),
        }
    )


def models_spec(wildcards):
    """Every model's architecture, and the shape of the dataset's images."""
    from robustness.config import model_entry

    dataset = config["datasets"][wildcards.dataset]
    return as_param(
        {
            "architectures": architectures_of(wildcards.dataset),
            "models": [[name, model_entry.architecture(config, model)[0]] for name, model in dataset["models"].items()],
            "image": dataset["image_size"],
            "classes": len(dataset["classes"]),
        }
    )
