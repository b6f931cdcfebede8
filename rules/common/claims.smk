# Inputs and specs of rules/claims.smk.


def claim_attacks():
    """The attacks that claims are answered from: the report's, then the others of ours that take any wrong class."""
    return ["report", *(name for name in untargeted_attacks() if name != "report")]


def claim_measures(wildcards):
    """The measures of each of `claim_attacks` on all models and seeds of each of `claim_datasets`."""
    return [
        path for attack in claim_attacks() for dataset in claim_datasets() for path in measures_of(dataset, [attack])
    ]


def claim_predictions(wildcards):
    """The predictions of all models and seeds of each of `claim_datasets`."""
    name = "models/{model}/seed{seed}/predictions.parquet"
    return [path for dataset in claim_datasets() for path in of_every_network(dataset, name)]


def judged_datasets():
    """Those of `claim_datasets` that have judges."""
    return [dataset for dataset in claim_datasets() if has_judges(dataset)]


def claim_judged(wildcards):
    """The judges' answers to the report's attack on all models and seeds of each of `judged_datasets`."""
    name = "attacks/report/{model}/seed{seed}/judged.parquet"
    return [path for dataset in judged_datasets() for path in of_every_network(dataset, name)]


def claim_trust(wildcards):
    """The table of trust checks of each of `claim_datasets`."""
    return [f"{RESULTS}/{dataset}/tables/trust.csv" for dataset in claim_datasets()]


def claims_spec(wildcards):
    """The attacks with their confidence, the datasets with their models and step, and which of them have judges."""
    return as_param(
        {
            "attacks": [[name, config["attacks"][name]["confidence"]] for name in claim_attacks()],
            "datasets": [
                {"name": dataset, "models": models(dataset), "alpha": config["datasets"][dataset]["alpha"]}
                for dataset in claim_datasets()
            ],
            "judged": judged_datasets(),
        }
    )


def claims_page_spec(wildcards):
    """What the page of claims says of this configuration, scale, datasets, seeds and attack; a digest of its templates."""
    datasets = [
        {
            "name": name,
            "title": config["datasets"][name]["title"],
            "settings": [attack_in_words(name, "report"), noise_in_words(name), training_in_words(name)],
        }
        for name in claim_datasets()
    ]
    texts = digest_of([page_template("claims"), page_template("parts")])
    return as_param({"scale": config["scale"], "seeds": len(config["seeds"]), "datasets": datasets, "texts": texts})


def robustness_curves_spec(wildcards):
    """Curves of one measure at the report's confidence, or of the L2 norm at all confidences side by side."""
    name, attack = wildcards.dataset, config["attacks"]["report"]
    words = (attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))
    levels = {attack["confidence"], *(0.0 if each == "argmax" else each for each in attack["other_confidences"])}
    if wildcards.curves == "confidence":
        panels = [{"measure": "l2", "required_confidence": level} for level in sorted(levels)]
    else:
        panels = [{"measure": wildcards.curves, "required_confidence": attack["confidence"]}]
    return figure_spec(name, *words, panels=panels)


def rank_agreement_spec(wildcards):
    """The order of the models."""
    return as_param({"models": models(wildcards.dataset)})
