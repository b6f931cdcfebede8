"""Lists the files that rules read, where they depend on the configuration.

Functions of the study and of a job's wildcards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from robustness.analysis.references import references_of
from robustness.config.threat_models import NORM_OF_STEPS
from robustness.workflow.dataset import STUDIED_ATTACK, Dataset
from robustness.workflow.params import Wildcards
from robustness.workflow.study import Study
from robustness.workflow.sweep import small_name, trained_at

Files = str | Callable[[Study, Wildcards], list[str]]
"""What an input of a rule consists of: a path in the dataset's folder, or what a function finds."""


def of(study: Study, wildcards: Wildcards) -> Dataset:
    """Return the dataset of a job."""
    return study.datasets[wildcards.dataset]


# ---- data and models ------------------------------------------------------------------------------------------------


def source(study: Study, wildcards: Wildcards) -> str | list[str]:
    """Return what data are prepared from: the manifest of downloaded files, the user's own images, or nothing."""
    dataset = of(study, wildcards)
    return dataset.download if dataset.is_downloaded else dataset.source.get("path", [])


def manifest_option(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the option that hands a job the manifest of downloaded files, for sources that have such."""
    dataset = of(study, wildcards)
    return ["--manifest", dataset.download] if dataset.is_downloaded else []


def given_weights(study: Study, wildcards: Wildcards) -> str:
    """Return the file of weights of a model that comes with them."""
    return str(of(study, wildcards).entries[wildcards.model]["weights"])


def histories(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the training histories of all models and seeds of a dataset that are trained here."""
    dataset = of(study, wildcards)
    return dataset.of_networks("models/{model}/seed{seed}/history.csv", dataset.trained)


def cards(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the cards of the models and seeds that `histories` are of, which name both."""
    return [str(Path(path).with_name("model.json")) for path in histories(study, wildcards)]


def predictions(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the predictions of all of a dataset's models and seeds."""
    return of(study, wildcards).of_every_network("models/{model}/seed{seed}/predictions.parquet")


# ---- attacks and measures -------------------------------------------------------------------------------------------


def attack_records(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the records of an attack's shards on one model, in the order of the images."""
    dataset, attack = of(study, wildcards), study.attacks[wildcards.attack]
    folder = f"{dataset.path}/attacks/{attack.name}/{wildcards.model}/seed{wildcards.seed}"
    shards = dataset.shards if attack.alpha is None else dataset.swept_shards
    return [f"{folder}/{shard}.parquet" for shard in shards]


def attack_images(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the images that `attack_records` belong to."""
    return _images(attack_records(study, wildcards))


def attack_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of one attack on all of a dataset's models and seeds."""
    return of(study, wildcards).measures([wildcards.attack])


def original_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of the paper's attack on all models and seeds of a dataset."""
    return of(study, wildcards).measures([STUDIED_ATTACK])


def all_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of all attacks, models and seeds of a dataset."""
    return of(study, wildcards).measures(study.config["attacks"])


def bound_records(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the records of AutoAttack on all of a dataset's models, seeds and ranges of images."""
    return of(study, wildcards).bound_records


def own_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of all attacks of ours, for all models and seeds of a dataset."""
    return of(study, wildcards).measures(study.own_attacks)


def compared_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of our compared attacks, then of comparators, for all models and seeds of a dataset."""
    return of(study, wildcards).measures([*study.compared_attacks, *study.comparators])


def example_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of one attack on every model, with the first seed: what examples are chosen from."""
    return [f"{folder}/measures.parquet" for folder in _first_attacked(study, wildcards)]


def example_images(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the adversarial images that `example_measures` were taken on, model by model."""
    shards = of(study, wildcards).shards
    return [f"{folder}/{shard}.safetensors" for folder in _first_attacked(study, wildcards) for shard in shards]


def _first_attacked(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the folders of one attack on every model, with the first seed."""
    dataset = of(study, wildcards)
    folder, seed = f"{dataset.path}/attacks/{wildcards.attack}", dataset.seeds[0]
    return [f"{folder}/{model}/seed{seed}" for model in dataset.models]


def _images(records: list[str]) -> list[str]:
    """Return the files of images next to files of records."""
    return [path.replace(".parquet", ".safetensors") for path in records]


# ---- trust checks and judges ----------------------------------------------------------------------------------------


def checked_images(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the adversarial images of the checked attacks on one model, attack by attack."""
    dataset, network = of(study, wildcards), f"{wildcards.model}/seed{wildcards.seed}"
    folders = [f"{dataset.path}/attacks/{attack}/{network}" for attack in study.checked_attacks]
    return [f"{folder}/{shard}.safetensors" for folder in folders for shard in dataset.shards]


def checked_bounds(study: Study, wildcards: Wildcards) -> list[str]:
    """Return AutoAttack's records of one model, where it looks in the norm in which the paper's attack steps."""
    dataset = of(study, wildcards)
    norm = NORM_OF_STEPS[study.studied_attack["direction"]]
    return dataset.bound_shards_of(wildcards.model, wildcards.seed) if norm in dataset.budgets else []


def measured_for_trust(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the attacks whose measures a model's checks read: all of ours where `checked_bounds` has records."""
    return study.own_attacks if checked_bounds(study, wildcards) else study.checked_attacks


def checked_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures on one model of the attacks of `measured_for_trust`."""
    folder, network = f"{of(study, wildcards).path}/attacks", f"{wildcards.model}/seed{wildcards.seed}"
    return [f"{folder}/{attack}/{network}/measures.parquet" for attack in measured_for_trust(study, wildcards)]


def trust_checks(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the checks of all of a dataset's models and seeds."""
    return of(study, wildcards).of_every_network("trust/{model}/seed{seed}.csv")


def judges(study: Study, wildcards: Wildcards) -> list[tuple[str, int]]:
    """Return model and seed of every network of the dataset but the attacked one."""
    dataset = of(study, wildcards)
    itself = wildcards.model, dataset.seed_of(wildcards.model, wildcards.seed)
    return [network for network in dataset.networks if network != itself]


def judges_weights(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the weights of `judges`."""
    folder = f"{of(study, wildcards).path}/models"
    return [f"{folder}/{model}/seed{seed}/weights.safetensors" for model, seed in judges(study, wildcards)]


def piloted_weights(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the weights of all of a dataset's models with the first seed: another seed attacks nothing again."""
    dataset = of(study, wildcards)
    return [f"{dataset.path}/models/{model}/seed{dataset.seeds[0]}/weights.safetensors" for model in dataset.models]


def same_seed_weights(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the weights of all of a dataset's models with one seed."""
    dataset = of(study, wildcards)
    return [f"{dataset.path}/models/{model}/seed{wildcards.seed}/weights.safetensors" for model in dataset.models]


def judged(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the judges' answers to the paper's attack on all of a dataset's models and seeds."""
    return of(study, wildcards).of_every_network(f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/judged.parquet")


def transferred(study: Study, wildcards: Wildcards) -> list[str]:
    """Return what the changes of the paper's attack on each of a dataset's models and seeds do to the others."""
    return of(study, wildcards).of_every_network(f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/transferred.parquet")


def targeted_records(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the records of the targeted attack on all of a dataset's models and seeds."""
    return of(study, wildcards).of_every_network("targeted/{model}/seed{seed}/records.parquet")


# ---- claims, the sweep and references -------------------------------------------------------------------------------


def claim_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of each attack that answers claims, on all models and seeds of each claimed dataset."""
    return [path for attack in study.claim_attacks for dataset in study.claimed for path in dataset.measures([attack])]


def claim_predictions(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the predictions of all models and seeds of each claimed dataset."""
    name = "models/{model}/seed{seed}/predictions.parquet"
    return [path for dataset in study.claimed for path in dataset.of_every_network(name)]


def claim_judged(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the judges' answers on all models and seeds of each claimed dataset that has judges."""
    name = f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/judged.parquet"
    return [path for dataset in study.claimed if dataset.has_judges for path in dataset.of_every_network(name)]


def claim_trust(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the table of trust checks of each claimed dataset."""
    return [f"{dataset.path}/tables/trust.csv" for dataset in study.claimed]


def swept_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of the paper's attack on each of a dataset's models at one swept value, with one seed."""
    dataset = of(study, wildcards)
    if wildcards.parameter == "alpha":
        folder = f"{dataset.path}/attacks/{dataset.with_alpha(float(wildcards.value)).name}"
    else:
        folder = f"{study.results}/{small_name(dataset.name)}/attacks/{STUDIED_ATTACK}"
    models = swept_models(study, wildcards)
    return [f"{folder}/{model}/seed{dataset.seeds[0]}/measures.parquet" for model in models]


def swept_models(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the names that a dataset's models have in the files of one swept value."""
    dataset = of(study, wildcards)
    if wildcards.parameter == "alpha":
        return dataset.models
    return [trained_at(name, model, float(wildcards.value)) for name, model in dataset.entries.items()]


def swept_verdicts(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the verdicts at each value of each swept parameter of a dataset."""
    dataset = of(study, wildcards)
    return [
        f"{dataset.path}/sensitivity/verdicts/{parameter}={value}.csv"
        for parameter, values in dataset.sweep.values.items()
        for value in values
    ]


def has_references(study: Study, dataset: Dataset) -> bool:
    """Return whether others measured models like a dataset's models; their goal was any wrong class."""
    return bool(references_of(dataset.name) and dataset.clean and study.untargeted_attacks)


def referenced_measures(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measures of our untargeted attacks for a dataset's clean models and all seeds."""
    dataset = of(study, wildcards)
    return dataset.measures(study.untargeted_attacks, dataset.clean)
