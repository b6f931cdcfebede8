"""The files that targets consist of: tables, figures and pages of a dataset, and what is asked for by name."""

from __future__ import annotations

from pathlib import PurePath

from robustness.workflow.dataset import STUDIED_ATTACK, Dataset
from robustness.workflow.inputs import has_references
from robustness.workflow.study import Study

ROBUSTNESS_CURVES = ("linf", "l2", "mean_change", "confidence")


def everything(study: Study, dataset: Dataset) -> list[str]:
    """Return the tables, figures and pages of a dataset."""
    return tables(study, dataset) + figures(dataset) + pages(dataset)


def tables(study: Study, dataset: Dataset) -> list[str]:
    """Return the tables of a dataset."""
    names = ["models", "accuracy", "robustness", "rank_agreement", "trust"]
    names += ["comparison"] if study.compared_attacks else []
    names += ["references"] if has_references(study, dataset) else []
    names += ["sensitivity"] if dataset.sweep.values else []
    return [f"{dataset.path}/tables/{name}.csv" for name in names] + _of_other_networks(dataset, "tables")


def figures(dataset: Dataset) -> list[str]:
    """Return the figures of a dataset, each as SVG and PNG."""
    names = ["architecture", "mean_change", "pixels_changed"]
    names += ["training_curves"] if dataset.trained else []
    names += ["training_noise"] if "augmentation" in dataset.entry else []
    names += [f"robustness_curves_{curves}" for curves in ROBUSTNESS_CURVES]
    if any(architecture["family"] == "resnet" for architecture in dataset.architectures.values()):
        names.append("skip_connection")
    for label in dataset.entry["example_classes"]:
        names += [f"examples_{label}", f"differences_{label}"]
    names += ["sensitivity"] if dataset.sweep.values else []
    return pictures(dataset, *names) + _of_other_networks(dataset, "figures")


def pictures(dataset: Dataset, *names: str) -> list[str]:
    """Return figures of a dataset by their names, each as SVG and PNG."""
    return [f"{dataset.path}/figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")]


def pages(dataset: Dataset) -> list[str]:
    """Return the pages of a dataset."""
    return [f"{dataset.path}/trust.html"]


def trust(dataset: Dataset) -> list[str]:
    """Return what `results/<dataset>/trust` makes: the checks as table and page, and a file if all have passed."""
    return [f"{dataset.path}/tables/trust.csv", *pages(dataset), f"{dataset.path}/trust/passed.txt"]


def sensitivity(dataset: Dataset) -> list[str]:
    """Return the table and the figure of what is swept for a dataset; none where nothing is."""
    parts = [f"{dataset.path}/tables/sensitivity.csv", *pictures(dataset, "sensitivity")]
    return parts if dataset.sweep.values else []


def believability(dataset: Dataset) -> list[str]:
    """Return the table and the figure of believability; none where there is no judge."""
    parts = [f"{dataset.path}/tables/believability.csv", *pictures(dataset, "believability")]
    return parts if dataset.has_judges else []


def transfers(dataset: Dataset) -> list[str]:
    """Return the table and the figure of transfer; none where there is one model."""
    parts = [f"{dataset.path}/tables/transfer.csv", *pictures(dataset, "transfer")]
    return parts if len(dataset.models) > 1 else []


def targeted(dataset: Dataset) -> list[str]:
    """Return the table and the figures of the targeted attack."""
    names = [f"targeted_{model}" for model in dataset.models]
    return [f"{dataset.path}/tables/targeted.csv", *pictures(dataset, *names)]


def _of_other_networks(dataset: Dataset, folder: str) -> list[str]:
    """Return what `believability`, `transfers` and `targeted` have in one folder of a dataset."""
    paths = believability(dataset) + transfers(dataset) + targeted(dataset)
    return [path for path in paths if PurePath(path).parent.name == folder]


def speeds(dataset: Dataset) -> list[str]:
    """Return the tables of times of a dataset, one for each model."""
    return [f"{dataset.path}/speed/{model}.csv" for model in dataset.models]


def run_time(study: Study) -> list[str]:
    """Return the table and the figure of the times that the jobs took."""
    return [f"{study.results}/run_time/run_time.{suffix}" for suffix in ("csv", "svg", "png")]


def manifests(study: Study) -> list[str]:
    """Return the manifests of all downloads: of each studied dataset whose source has files to fetch."""
    return [dataset.download for dataset in study.studied if dataset.is_downloaded]


def stamped(dataset: Dataset) -> list[str]:
    """Return files that say with which packages and device a dataset's models were trained, attacked and measured."""
    names = (
        "models/{model}/seed{seed}/model.json",
        f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/{dataset.shards[0]}.parquet",
        f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/measures.parquet",
    )
    return [path for name in names for path in dataset.of_every_network(name)]
