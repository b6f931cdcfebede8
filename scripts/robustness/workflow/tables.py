"""Declares each table of a dataset once: its files and settings, its caption, and which datasets have it.

`rules/tables.smk` makes a rule from each; `robustness/products/tables/<name>.py` reads the files and makes it. The
table of models is not among them: the program that traces the architectures writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from robustness.workflow import inputs, table_specs
from robustness.workflow.dataset import Dataset
from robustness.workflow.inputs import Files
from robustness.workflow.specs import SpecOf
from robustness.workflow.study import Study


def always(study: Study, dataset: Dataset) -> bool:
    """Return True: every dataset has the table."""
    return True


@dataclass(frozen=True)
class Table:
    """A table of a dataset.

    `does` says what its rule does, `inputs` which files each option of its program names, `spec` which settings shape
    it. `of` says whether a dataset has it. `caption` is a file in report/, and the name of the table's own file;
    `label` is what Snakemake's report calls it.
    """

    name: str
    does: str
    inputs: Mapping[str, Files]
    spec: SpecOf
    caption: str
    label: str
    of: Callable[[Study, Dataset], bool] = field(default=always)

    @property
    def rule(self) -> str:
        """The name of its rule."""
        return f"tabulate_{self.name}"

    @property
    def file(self) -> str:
        """The path of its file in a dataset's folder."""
        return f"tables/{self.caption}.csv"


TABLES = (
    Table(
        "accuracy",
        "Compare every model's test accuracy with the paper's (its Tables 1 and 2).",
        inputs={"predictions": inputs.predictions},
        spec=table_specs.accuracy,
        caption="accuracy",
        label="accuracy (paper, Tables 1 and 2)",
    ),
    Table(
        "robustness",
        "Say for every attack and model how the attacks ended and how much change they needed.",
        inputs={"measures": inputs.all_measures},
        spec=table_specs.robustness,
        caption="robustness",
        label="robustness, every measure",
    ),
    Table(
        "robust_accuracy",
        "Say for every model and threat model how many images withstand AutoAttack and all attacks of ours.",
        inputs={"bounds": inputs.bound_records, "measures": inputs.own_measures},
        spec=table_specs.robust_accuracy,
        caption="robust_accuracy",
        label="robust accuracy under AutoAttack",
        of=lambda study, dataset: bool(dataset.budgets),
    ),
    Table(
        "rank_agreement",
        "Say whether required confidences, and measures of change, rank the models alike.",
        inputs={"measures": inputs.original_measures},
        spec=table_specs.rank_agreement,
        caption="rank_agreement",
        label="rank agreement of confidences and measures",
    ),
    Table(
        "trust",
        "Put the checks of all models and seeds into one table, whether they passed or not.",
        inputs={"checks": inputs.trust_checks},
        spec=table_specs.nothing,
        caption="trust",
        label="trust checks",
    ),
    Table(
        "comparison",
        "Say how near our attacks come to the smallest change that a library's attacks find.",
        inputs={"measures": inputs.compared_measures},
        spec=table_specs.comparison,
        caption="comparison",
        label="our attacks compared with a library's",
        of=lambda study, dataset: bool(study.compared_attacks),
    ),
    Table(
        "references",
        "Compare what others measured on undefended models with our measurements.",
        inputs={"measures": inputs.referenced_measures},
        spec=table_specs.references,
        caption="references",
        label="outside references",
        of=inputs.has_references,
    ),
    Table(
        "sensitivity",
        "Put the verdicts at all swept values into one table.",
        inputs={"verdicts": inputs.swept_verdicts},
        spec=table_specs.sensitivity,
        caption="sensitivity",
        label="verdicts over α and σ",
        of=lambda study, dataset: bool(dataset.sweep.values),
    ),
    Table(
        "believability",
        "Say for every model how often judges see the new class in its adversarial images, and in noise.",
        inputs={"judged": inputs.judged, "measures": inputs.original_measures},
        spec=table_specs.of_the_original_attack,
        caption="believability",
        label="believability",
        of=lambda study, dataset: dataset.has_judges,
    ),
    Table(
        "transfer",
        "Say for every pair of models whether what fools one fools the other.",
        inputs={"transferred": inputs.transferred, "measures": inputs.original_measures},
        spec=table_specs.of_the_original_attack,
        caption="transfer",
        label="transfer, models × models",
        of=lambda study, dataset: len(dataset.models) > 1,
    ),
    Table(
        "targets",
        "Say for every model what it took to turn images of each class into each other class.",
        inputs={"records": inputs.targeted_records},
        spec=table_specs.targeted,
        caption="targeted",
        label="targeted attack, class × class",
        of=lambda study, dataset: study.config["targeted"] is not None,
    ),
)
"""All tables except the one of models and the one of run times, which belongs to no dataset."""
