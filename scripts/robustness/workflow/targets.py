"""Lists the files that targets consist of: tables, figures and pages of a dataset, and what is asked for by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from robustness.text import listed
from robustness.workflow.dataset import STUDIED_ATTACK, Dataset
from robustness.workflow.figures import FIGURES, Figure
from robustness.workflow.study import Study
from robustness.workflow.tables import TABLES


def everything(study: Study, dataset: Dataset) -> list[str]:
    """Return the tables, figures and pages of a dataset."""
    return tables(study, dataset) + figures(dataset) + pages(dataset)


def tables(study: Study, dataset: Dataset) -> list[str]:
    """Return the tables of a dataset."""
    found = [table.file for table in TABLES if table.of(study, dataset)]
    return [f"{dataset.path}/{name}" for name in ("tables/models.csv", *found)]


def figures(dataset: Dataset) -> list[str]:
    """Return the figures of a dataset, each as SVG and PNG."""
    return [path for figure in FIGURES for path in pictures(dataset, figure)]


def pictures(dataset: Dataset, figure: Figure) -> list[str]:
    """Return what a dataset has of a figure, as SVG and PNG."""
    return [f"{dataset.path}/figures/{name}.{suffix}" for name in figure.of(dataset) for suffix in ("svg", "png")]


def part(study: Study, dataset: Dataset, name: str) -> list[str]:
    """Return what a dataset has of the table and of the figure of one name."""
    found = [f"{dataset.path}/{table.file}" for table in TABLES if table.name == name and table.of(study, dataset)]
    return found + [path for figure in FIGURES if figure.name == name for path in pictures(dataset, figure)]


def pages(dataset: Dataset) -> list[str]:
    """Return the pages of a dataset."""
    return [f"{dataset.path}/trust.html"]


def trust(dataset: Dataset) -> list[str]:
    """Return what `results/<dataset>/trust` makes: the checks as table and page, and a file if all have passed."""
    return [f"{dataset.path}/tables/trust.csv", *pages(dataset), f"{dataset.path}/trust/passed.txt"]


def speeds(dataset: Dataset) -> list[str]:
    """Return the tables of times of a dataset, one for each model."""
    return [f"{dataset.path}/speed/{model}.csv" for model in dataset.models]


def calibrations(study: Study) -> list[str]:
    """Return the noise levels that give the published accuracy, of all studied datasets."""
    return [f"{dataset.path}/calibration/{model}.json" for dataset in study.studied for model in dataset.calibrated]


def run_time(study: Study) -> list[str]:
    """Return the table and the figure of the times that the jobs took."""
    return [f"{study.results}/run_time/run_time.{suffix}" for suffix in ("csv", "svg", "png")]


def manifests(study: Study) -> list[str]:
    """Return the manifests of all downloads: of each studied dataset whose source has files to fetch."""
    return [dataset.download for dataset in study.studied if dataset.is_downloaded]


def stamped(dataset: Dataset) -> list[str]:
    """Return files that say what was read of a dataset, and how its models were trained, attacked and measured."""
    names = (
        "models/{model}/seed{seed}/model.json",
        f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/{dataset.shards[0]}.parquet",
        f"attacks/{STUDIED_ATTACK}/{{model}}/seed{{seed}}/measures.parquet",
    )
    counts = f"{dataset.path}/data/counts.json"
    return [counts, *(path for name in names for path in dataset.of_every_network(name))]


def nearest(study: Study, names: Iterable[str], asked: str) -> str:
    """Say which targets are like one that nothing makes; `names` are the names of rules without wildcards."""
    known = [*names, *(path for dataset in study.studied for path in everything(study, dataset))]
    if asked in known:  # Snakemake takes ./ and the slash off before it says what it cannot make
        return f"Ask for it without a slash at its end and without ./ before it: {asked}"
    alike = difflib.get_close_matches(asked, known, n=3, cutoff=0.75)
    guess = f"Did you mean {listed(alike, 'or')}? " if alike else ""
    datasets = listed(dataset.name for dataset in study.studied)
    return (
        f"{guess}This configuration studies {datasets}, and its results are in {study.results}/; for others, name "
        "their file, after the targets: snakemake TARGET --configfile FILE. `snakemake --list-target-rules` (or "
        "`make targets`) lists what can be asked for."
    )
