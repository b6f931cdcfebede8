# Names that rules share: the configuration's datasets, models, networks and attacks, which of them are of a kind, what is
# swept, and the files that belong to them.
import json
import re


def as_param(spec):
    """A spec as a rule's param. One string: Snakemake compares params as a set, in which swapped values look equal."""
    return json.dumps(spec, sort_keys=True)


def one_of(names):
    """A regular expression for a wildcard that is one of `names`; without names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def models(dataset):
    """The names of a dataset's models, in the order of the configuration."""
    return list(config["datasets"][dataset]["models"])


def model_entries(dataset):
    """The entries of a dataset's models, by name."""
    return config["datasets"][dataset]["models"]


def trained(dataset):
    """The names of a dataset's models that are trained here, and do not come with their weights."""
    from robustness.config import model_entry

    return [name for name, model in model_entries(dataset).items() if not model_entry.is_given(model)]


def clean_models(dataset):
    """The names of a dataset's models that no noise defends; of those that come with their weights nobody knows."""
    return [name for name in trained(dataset) if model_entries(dataset)[name]["data"] == "clean"]


def networks(dataset):
    """Model and seed of every network of a dataset; a model that comes with its weights is the same for each seed."""
    return [
        [model, seed]
        for model in models(dataset)
        for seed in (config["seeds"] if model in trained(dataset) else config["seeds"][:1])
    ]


def has_judges(dataset):
    """Whether a dataset has a second network that can judge what fooled the first."""
    return len(networks(dataset)) > 1


def of_every_network(dataset, name):
    """One file for each model and seed of a dataset; `name` holds `{model}` and `{seed}`."""
    return expand(f"{RESULTS}/{dataset}/{name}", model=models(dataset), seed=config["seeds"])


def measures_of(dataset, attacks):
    """The measures of some attacks on all models and seeds of a dataset, attack by attack."""
    names = [f"attacks/{attack}/{{model}}/seed{{seed}}/measures.parquet" for attack in attacks]
    return [path for name in names for path in of_every_network(dataset, name)]


def report_measures(wildcards):
    """The measures of the report's attack on all models and seeds of a dataset."""
    return measures_of(wildcards.dataset, ["report"])


def dataset_of(kind):
    """A regular expression for `dataset` in the path of a model that is `trained` or `given`; it looks at the model.

    Two rules make weights, and which one makes a model's is a matter of dataset and model together.
    """
    pairs = [
        f"{dataset}/models/{model}"
        for dataset in config["datasets"]
        for model in models(dataset)
        if (model in trained(dataset)) == (kind == "trained")
    ]
    return f"(?=(?:{one_of(pairs)})/)(?:{one_of(config['datasets'])})"


def small(dataset):
    """The name of the small dataset whose models are trained with other noise levels: a folder in that of `dataset`."""
    return f"{dataset}/sensitivity"


def large(dataset):
    """The dataset that a small one belongs to; any other as it is."""
    return dataset.partition("/")[0]


def claim_datasets():
    """The datasets that the report's claims are about, as far as they are studied."""
    from robustness.config.cross_checks import CLAIMED

    return [dataset for dataset in config["study"] if dataset in CLAIMED]


def source_of(dataset):
    """The entry of `sources:` that a dataset names."""
    return config["sources"][config["datasets"][dataset]["source"]]


def without_title(entry):
    """A configured entry less its title, which is for figures and changes no computation."""
    return {key: value for key, value in entry.items() if key != "title"}


def architectures_of(dataset):
    """The architectures of a dataset's models, by name: those of `architectures:` in their order, then own ones."""
    from robustness.config import model_entry

    entries = dict(model_entry.architecture(config, model) for model in model_entries(dataset).values())
    return {name: entries[name] for name in model_entry.architectures(config) if name in entries}


def comparators():
    """The names of the attacks that come from a library."""
    return [name for name, attack in config["attacks"].items() if "library" in attack]


def own_attacks():
    """The names of the attacks that are ours."""
    return [name for name in config["attacks"] if name not in comparators()]


def untargeted_attacks():
    """The names of our attacks that take any wrong class."""
    return [name for name in own_attacks() if config["attacks"][name]["target"] is None]


def compared_attacks():
    """The names of our attacks that the comparators are compared with: those that, as they do, take any wrong class."""
    return untargeted_attacks() if comparators() else []


def attack_settings(dataset, attack):
    """An attack's settings with its step: the dataset's, or the one that its name says, as in `report-alpha=0.005`.

    A class that it aims at is given by its number.
    """
    name, _, alpha = attack.partition("-alpha=")
    entry = config["datasets"][dataset]
    settings = config["attacks"][name] | {"alpha": float(alpha) if alpha else entry["alpha"]}
    if settings["target"] in entry["classes"]:
        settings["target"] = entry["classes"].index(settings["target"])
    return settings


def attacked_images(dataset, attack):
    """How many test images an attack is let loose on: fewer where its step is swept."""
    return swept_images(dataset) if "-alpha=" in attack else config["datasets"][dataset]["attacked_images"]


def shards(dataset, attack="report"):
    """The ranges of test images that make up an attack: `<start>-<stop>`, so that more images only add ranges."""
    total, size = attacked_images(dataset, attack), config["shard_images"]
    return [f"{start}-{min(start + size, total)}" for start in range(0, total, size)]


def attack_records(wildcards):
    """The records of an attack's shards on one model, in the order of the images."""
    folder = f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{wildcards.model}/seed{wildcards.seed}"
    return [f"{folder}/{shard}.parquet" for shard in shards(wildcards.dataset, wildcards.attack)]


def attack_images(wildcards):
    """The images that `attack_records` belong to."""
    return [path.replace(".parquet", ".safetensors") for path in attack_records(wildcards)]


def sensitivity_of(dataset):
    """What is swept for a dataset; empty where nothing is."""
    return (config["sensitivity"] or {}).get(dataset) or {}


def configured_values(dataset):
    """The step, and the noise level where the noise has one, that everything but the sweep uses."""
    entry = config["datasets"][dataset]
    values = {"alpha": entry["alpha"], "sigma": entry.get("augmentation", {}).get("sigma")}
    return {parameter: float(value) for parameter, value in values.items() if value is not None}


def swept_values(dataset):
    """The values of each swept parameter, in rising order, with the configured one: `{"alpha": [0.005, 0.01]}`."""
    sweep = sensitivity_of(dataset)
    listed = {"alpha": sweep.get("alpha") or [], "sigma": (sweep.get("sigma") or {}).get("values", [])}
    return {
        parameter: sorted({float(value) for value in [*values, configured_values(dataset)[parameter]]})
        for parameter, values in listed.items()
        if values
    }


def swept_images(dataset):
    """How many test images are attacked at each value."""
    return min(sensitivity_of(dataset)["attacked_images"], config["datasets"][dataset]["attacked_images"])


def with_alpha(dataset, alpha):
    """The name of the report's attack with another step; just that of the attack for the configured one."""
    return "report" if alpha == configured_values(dataset)["alpha"] else f"report-alpha={alpha}"


def swept_attacks():
    """The names of the report's attack with all steps that are swept."""
    return [with_alpha(name, alpha) for name in config["study"] for alpha in swept_values(name).get("alpha", [])]
