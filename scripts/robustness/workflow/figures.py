"""Declares each figure of a dataset once: its files and settings, its caption, and which datasets have it.

`rules/figures.smk` makes a rule from each; `robustness/products/figures/<name>.py` reads the files and draws it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from robustness.workflow import figure_specs, inputs
from robustness.workflow.dataset import STUDIED_ATTACK, Dataset
from robustness.workflow.inputs import Files
from robustness.workflow.specs import SpecOf
from robustness.workflow.study import one_of

BARS = ("mean_change", "pixels_changed")
"""The measures that have bars."""
ROBUSTNESS_CURVES = ("linf", "l2", "mean_change", "confidence")
"""The measures that have curves; `confidence` means the L2 norm at all confidences side by side."""

TRUST = "tables/trust.csv"
"""The table that every figure about robustness reads: which models failed a check."""
EXAMPLES = f"attacks/{STUDIED_ATTACK}/examples.safetensors"
NETWORKS = "tables/architectures.json"


def always(dataset: Dataset) -> Iterable[str]:
    """Return the one, empty value of a figure without a wildcard."""
    return [""]


def where(condition: Callable[[Dataset], bool]) -> Callable[[Dataset], Iterable[str]]:
    """Return the `values` of a figure without a wildcard that only some datasets have."""
    return lambda dataset: [""] if condition(dataset) else []


@dataclass(frozen=True)
class Figure:
    """A figure of a dataset, or several that differ in the value of a wildcard.

    `does` says what its rule does, `inputs` which files each option of its program names, `spec` which settings shape
    it. `values` gives, for a dataset, the values of the wildcard that files are named after (behind `prefix`), none
    where it has no such figure. `caption` is a file in report/; `label` and `shows` are what Snakemake's report says.
    """

    name: str
    does: str
    inputs: Mapping[str, Files]
    spec: SpecOf
    caption: str
    label: str
    shows: str
    wildcard: str = ""
    values: Callable[[Dataset], Iterable[str]] = field(default=always)
    prefix: str | None = None

    @property
    def rule(self) -> str:
        """The name of its rule."""
        return f"plot_{self.name}"

    @property
    def job(self) -> str:
        """The path of a job's log in the folder of logs, without the suffix."""
        return f"{self.rule}/{{{self.wildcard}}}" if self.wildcard else self.rule

    @property
    def file(self) -> str:
        """The name of its files, without the suffix, with the wildcard in braces."""
        return self._named(f"{{{self.wildcard}}}" if self.wildcard else "")

    def constraints(self, datasets: Iterable[Dataset]) -> dict[str, str]:
        """Return regular expressions for the wildcards of its files: datasets that have it, and their values."""
        values = {dataset.name: list(self.values(dataset)) for dataset in datasets}
        found = {"dataset": one_of(name for name, has in values.items() if has)}
        if self.wildcard:
            found[self.wildcard] = one_of(dict.fromkeys(value for has in values.values() for value in has))
        return found

    def of(self, dataset: Dataset) -> list[str]:
        """Return the names of the files that a dataset has of it, without the suffix."""
        return [self._named(value) for value in self.values(dataset)]

    def _named(self, value: str) -> str:
        return f"{self.prefix}{value}" if self.prefix is not None else "_".join(filter(None, (self.name, value)))


FIGURES = (
    Figure(
        "architecture",
        "Draw the networks from their own layers (paper, Fig. 2).",
        inputs={"architectures": NETWORKS},
        spec=figure_specs.networks,
        caption="architecture",
        label="architecture",
        shows="the networks (paper, Fig. 2)",
    ),
    Figure(
        "robust_accuracy",
        "Draw the robust accuracy over the budget, a line per model, a panel per norm.",
        inputs={"table": "tables/robust_accuracy.csv", "trust": TRUST},
        spec=figure_specs.robust_accuracy,
        caption="robust_accuracy",
        label="robust accuracy",
        shows="share of images that withstand AutoAttack and our attacks, by the change allowed",
        values=where(lambda dataset: bool(dataset.budgets)),
    ),
    Figure(
        "bars",
        "Draw one measure of robustness, a bar per model (paper, Fig. 6, 7, 12, 13).",
        inputs={"table": "tables/robustness.csv", "trust": TRUST},
        spec=figure_specs.bars,
        caption="bars",
        label="{measure}",
        shows="robustness (paper, Fig. 6, 7, 12, 13)",
        wildcard="measure",
        values=lambda dataset: BARS,
        prefix="",
    ),
    Figure(
        "training_curves",
        "Draw loss and accuracy over the epochs of every training.",
        inputs={"histories": inputs.histories, "cards": inputs.cards},
        spec=figure_specs.training_curves,
        caption="training_curves",
        label="training curves",
        shows="loss and accuracy per epoch",
        values=where(lambda dataset: bool(dataset.trained)),
    ),
    Figure(
        "training_noise",
        "Draw what models trained on noisy data see (paper, Fig. 1).",
        inputs={"samples": "data/augmented.safetensors"},
        spec=figure_specs.training_noise,
        caption="training_noise",
        label="training noise",
        shows="noisy training data (paper, Fig. 1)",
        values=where(lambda dataset: "noisy" in dataset.kinds_of_data),
    ),
    Figure(
        "robustness_curves",
        "Draw the share of images fooled against the change allowed, a line per model.",
        inputs={"measures": inputs.original_measures, "trust": TRUST},
        spec=figure_specs.robustness_curves,
        caption="robustness_curves",
        label="robustness curves: {curves}",
        shows="share of images fooled by the change allowed",
        wildcard="curves",
        values=lambda dataset: ROBUSTNESS_CURVES,
    ),
    Figure(
        "skip_connection",
        "Draw a residual block from its own layers (paper, Fig. 3).",
        inputs={"architectures": NETWORKS},
        spec=figure_specs.networks,
        caption="skip_connection",
        label="skip connection",
        shows="a residual block (paper, Fig. 3)",
        values=where(lambda dataset: "resnet" in (each["family"] for each in dataset.architectures.values())),
    ),
    Figure(
        "examples",
        "Draw one image and what the attack made of it on each model (paper, Fig. 4, 5, 8, 10).",
        inputs={"examples": EXAMPLES, "trust": TRUST},
        spec=figure_specs.pictures,
        caption="examples",
        label="examples: {label}",
        shows="attacked images (paper, Fig. 4, 5, 8, 10)",
        wildcard="label",
        values=lambda dataset: dataset.entry["example_classes"],
    ),
    Figure(
        "differences",
        "Draw what the attack added to one image on each model (paper, Fig. 9, 11).",
        inputs={"examples": EXAMPLES, "trust": TRUST},
        spec=figure_specs.pictures,
        caption="differences",
        label="differences: {label}",
        shows="what was added (paper, Fig. 9, 11)",
        wildcard="label",
        values=lambda dataset: dataset.entry["example_classes"],
    ),
    Figure(
        "sensitivity",
        "Draw each claim's verdict over the swept values, and where it reverses.",
        inputs={"table": "tables/sensitivity.csv", "trust": TRUST},
        spec=figure_specs.sensitivity,
        caption="sensitivity",
        label="sensitivity",
        shows="verdicts over α and σ",
        values=where(lambda dataset: bool(dataset.sweep.values)),
    ),
    Figure(
        "believability",
        "Draw what judges answer to each model's adversarial images, and to noise of the same size.",
        inputs={"table": "tables/believability.csv", "trust": TRUST},
        spec=figure_specs.of_the_original_attack,
        caption="believability",
        label="believability",
        shows="what other networks see in the adversarial images",
        values=where(lambda dataset: dataset.has_judges),
    ),
    Figure(
        "transfer",
        "Draw for every pair of models whether what fools one fools the other.",
        inputs={"table": "tables/transfer.csv", "trust": TRUST},
        spec=figure_specs.of_the_original_attack,
        caption="transfer",
        label="transfer",
        shows="whether what fools one model fools another",
        values=where(lambda dataset: len(dataset.models) > 1),
    ),
    Figure(
        "targets",
        "Draw what it took to turn images of each class into each other class, on one model.",
        inputs={"table": "tables/targeted.csv", "trust": TRUST},
        spec=figure_specs.targeted,
        caption="targeted",
        label="targeted: {model}",
        shows="change needed from class to class",
        wildcard="model",
        values=lambda dataset: dataset.models if dataset.config["targeted"] else (),
        prefix="targeted_",
    ),
)
"""All figures except the one of run times, which belongs to no dataset."""
