"""Makes the specs of pages: what they say about the configuration, and a digest of their templates.

Functions of the study and of a job's wildcards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robustness.workflow import sentences, targets
from robustness.workflow.code_inputs import digest_of, page_template
from robustness.workflow.dataset import Dataset
from robustness.workflow.figure_specs import figure, how_attacked
from robustness.workflow.inputs import of
from robustness.workflow.params import Wildcards
from robustness.workflow.specs import Spec
from robustness.workflow.study import Study


def trust(study: Study, wildcards: Wildcards) -> Spec:
    """Return the names and titles of the models, and what the page of trust checks says of the settings."""
    dataset = of(study, wildcards)
    own = {
        "images": study.config["trust"]["images"],
        "scale": study.config["scale"],
        "template": digest_of([page_template(study.root, name) for name in ("trust", "parts")]),
    }
    return figure(study, dataset, *how_attacked(dataset), **own)


def claims(study: Study, wildcards: Wildcards) -> Spec:
    """Return what the page of claims says about this configuration: scale, datasets, seeds and attack."""
    templates = [page_template(study.root, name) for name in ("claims", "parts")]
    return {
        "scale": study.config["scale"],
        "seeds": len(study.seeds),
        "papers_claims": study.judges_paper,
        "datasets": [
            {"name": dataset.name, "title": dataset.entry["title"], "settings": _settings(dataset)}
            for dataset in study.claimed
        ],
        "texts": digest_of(templates),
    }


def whole_study(study: Study, command: str) -> Spec:
    """Return all that the study's page says about the configuration, with the `command` that makes these results.

    Also the names of what it shows.
    """
    shown = ("scale", "seeds", "study", "training", "architectures", "attacks", "autoattack", "claims", "sensitivity")
    folder = page_template(study.root, "study").parent
    texts = sorted([*folder.glob("*.rst"), *folder.glob("study.*"), folder / "parts.html.j2"])
    return {
        "scale": study.config["scale"],
        "seeds": study.seeds,
        "command": command,
        "config": {key: study.config[key] for key in (*shown, "targeted", "trust")}
        | {"datasets": {dataset.name: {**dataset.entry, "alpha": dataset.alpha} for dataset in study.studied}}
        | {"sources": {dataset.entry["source"]: dataset.source for dataset in study.studied}},
        "papers_claims": study.judges_paper,
        "datasets": [_shown(study, dataset) for dataset in study.studied],
        "texts": digest_of(texts),
    }


def _settings(dataset: Dataset) -> list[str]:
    """Return the sentences about the paper's attack, changed training data and the training."""
    return [sentences.attack(dataset), sentences.changed_data(dataset), sentences.training(dataset)]


def _shown(study: Study, dataset: Dataset) -> dict[str, Any]:
    """Return what the study's page shows of a dataset."""
    return {
        "name": dataset.name,
        "title": dataset.entry["title"],
        "words": _settings(dataset) + ([sentences.bounded(dataset)] if dataset.budgets else []),
        "models": dataset.drawn_models(),
        "tables": [Path(path).stem for path in targets.tables(study, dataset)],
        "figures": [Path(path).stem for path in targets.figures(dataset) if path.endswith(".svg")],
        "shard": dataset.shards[0],
    }
