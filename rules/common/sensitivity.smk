# The small datasets that a sweep over noise levels adds, and the inputs and specs of rules/sensitivity.smk.


def add_small_datasets():
    """Add the small dataset of each one whose noise level is swept, so that all rules up to the measures apply to it.

    It differs in its number of images, and has each noisy model once for each level: `resnet-noisy-sigma=0.25`.
    """
    for dataset in config["study"]:
        levels = swept_values(dataset).get("sigma")
        if not levels:
            continue
        entry = config["datasets"][dataset]
        images = swept_images(dataset)
        train = min(sensitivity_of(dataset)["sigma"]["train_images"], entry["split"]["train"])
        config["datasets"][small(dataset)] = entry | {
            "split": entry["split"] | {"train": train, "test": images},
            "attacked_images": images,
            "models": {
                with_sigma(dataset, name, sigma): model | {"augmentation": entry["augmentation"] | {"sigma": sigma}}
                for name, model in entry["models"].items()
                for sigma in levels
            },
        }


def with_sigma(dataset, model, sigma):
    """The name that a model has in the small dataset at a noise level: a clean model is the same at all of them."""
    from robustness.config import model_entry

    clean = model_entry.data(model_entries(dataset)[model]) == "clean"
    return model if clean else f"{model}-sigma={sigma}"


def swept_models(wildcards):
    """The names that a dataset's models have in the files of one swept value."""
    dataset, value = wildcards.dataset, float(wildcards.value)
    if wildcards.parameter == "alpha":
        return models(dataset)
    return [with_sigma(dataset, model, value) for model in models(dataset)]


def swept_measures(wildcards):
    """The measures of the report's attack on each of `swept_models`, with the first seed."""
    if wildcards.parameter == "alpha":
        folder, attack = wildcards.dataset, with_alpha(wildcards.dataset, float(wildcards.value))
    else:
        folder, attack = small(wildcards.dataset), "report"
    files = f"{RESULTS}/{folder}/attacks/{attack}/{{model}}/seed{config['seeds'][0]}/measures.parquet"
    return expand(files, model=swept_models(wildcards))


def swept_verdicts(wildcards):
    """The verdicts at each value of each swept parameter of a dataset."""
    return [
        f"{RESULTS}/{wildcards.dataset}/sensitivity/verdicts/{parameter}={value}.csv"
        for parameter, values in swept_values(wildcards.dataset).items()
        for value in values
    ]


def swept_verdict_spec(wildcards):
    """The value that is judged, the models with their names in the files of that value, and how many images count."""
    return as_param(
        {
            "dataset": wildcards.dataset,
            "parameter": wildcards.parameter,
            "value": float(wildcards.value),
            "models": [list(names) for names in zip(models(wildcards.dataset), swept_models(wildcards))],
            "images": swept_images(wildcards.dataset),
            "required_confidence": config["attacks"]["report"]["confidence"],
        }
    )


def sensitivity_spec(wildcards):
    """The configured value of each parameter that is swept."""
    configured = configured_values(wildcards.dataset)
    return as_param({"configured": {parameter: configured[parameter] for parameter in swept_values(wildcards.dataset)}})


def sensitivity_figure_spec(wildcards):
    """The verdicts over the swept values."""
    dataset = wildcards.dataset
    swept, images = swept_values(dataset), swept_images(dataset)
    words = [f"Attack report on the first {counted(images, 'attacked test image')}; one seed ({config['seeds'][0]})."]
    if "alpha" in swept:
        words.append("Other α: the same models as in the other figures.")
    if "sigma" in swept:
        train = config["datasets"][small(dataset)]["split"]["train"]
        words.append(
            f"Other σ: models trained anew on {counted(train, 'image')}, α = {configured_values(dataset)['alpha']}."
        )
    return figure_spec(dataset, *words)


def referenced_methods(dataset):
    """The method of each comparator that one of a dataset's references used, by the comparator's name."""
    from robustness.analysis.references import references_of

    methods = {name: config["attacks"][name]["method"] for name in comparators()}
    used = {reference.method for reference in references_of(dataset)}
    return {name: method for name, method in methods.items() if method in used}


def referenced_measures(wildcards):
    """The measures of our untargeted attacks, then of `referenced_methods`, for a dataset's clean models and all seeds."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{{attack}}/{{model}}/seed{{seed}}/measures.parquet",
        attack=[*untargeted_attacks(), *referenced_methods(wildcards.dataset)],
        model=clean_models(wildcards.dataset),
        seed=config["seeds"],
    )


def references_spec(wildcards):
    """The attacks and the clean models, with the architecture by which a reference stands beside a model."""
    from robustness.config import model_entry

    entries = model_entries(wildcards.dataset)
    return as_param(
        {
            "dataset": wildcards.dataset,
            "attacks": [*untargeted_attacks(), *referenced_methods(wildcards.dataset)],
            "comparators": referenced_methods(wildcards.dataset),
            "models": [
                {"name": name, "architecture": without_title(model_entry.architecture(config, entries[name])[1])}
                for name in clean_models(wildcards.dataset)
            ],
        }
    )
