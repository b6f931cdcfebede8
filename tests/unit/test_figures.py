"""The figures, drawn from made-up inputs: what they say, that nothing is cut off, and that they are reproducible."""

from __future__ import annotations

import argparse
import ast
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise, permutations, product
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_study import made_study
from matplotlib.colors import to_hex
from matplotlib.text import Text

from robustness.errors import UserError
from robustness.figures import (
    bars,
    believability,
    heatmaps,
    images,
    robust_accuracy,
    robustness_curves,
    sensitivity,
    style,
    training_curves,
)
from robustness.figures.networks import architecture, operations, skip_connection
from robustness.pages.trust_page import trust_page
from robustness.products.figures import training_curves as training_curves_product
from robustness.runtime.job_ends import SENTENCE_STATUS
from robustness.storage import code_digest
from robustness.storage import tables as inputs
from robustness.storage.format_version import FORMAT
from robustness.storage.identity import Identity
from robustness.storage.records import write_records
from robustness.storage.tensors import write_tensors
from robustness.trust import questions
from robustness.workflow import figure_specs
from robustness.workflow.dataset import COLOURS

SCRIPTS = Path(__file__).parents[2] / "scripts"
NAMES = ["basic-clean", "basic-noisy", "resnet-clean", "resnet-noisy"]
TITLES = ["Basic classifier", "Basic classifier, noisy", "ResNet", "ResNet, noisy"]
LONG = "A residual network with quite an unreasonably long title that somebody put into the configuration"
ENDED = ["success", "default_state", "cap", "skipped"]


@pytest.fixture
def spec():
    return {
        "dataset": {
            "name": "mnist",
            "title": "MNIST",
            "classes": [str(digit) for digit in range(10)],
            "changed_pixel_threshold": 0.1,
            "image_size": [1, 28, 28],
        },
        "models": [
            {"name": name, "title": title, "architecture": name.split("-")[0], "data": name.split("-")[1]}
            for name, title in zip(NAMES, TITLES, strict=True)
        ],
        "architectures": ["basic", "resnet", "deep_resnet"],
        "scale": {"name": "default", "title": "narrowed networks, fewer images"},
        "footnote": ["Scale default: narrowed networks, fewer images.", "Noise: Gaussian, σ = 0.5."],
        "attack": "original",
        "required_confidence": 0.9,
        "measure": "mean_change",
        "class": "7",
        "augmentation": {"kind": "gaussian_noise", "sigma": 0.5},
    }


@pytest.fixture
def table():
    rows = []
    for place, name in enumerate(NAMES):
        value = [0.142, 0.231, 0.031, 0.046][place]
        row = {"attack": "original", "model": name, "required_confidence": 0.9, "seeds": 1}
        row |= {"attacked": 490, "skipped": 10, "success": 490, "default_state": 0, "cap": 0}
        for measure, factor in (("mean_change", 1), ("pixels_changed", 1000)):
            row |= {measure: factor * value, f"{measure}_low": 0.9 * factor * value}
            row |= {f"{measure}_high": 1.1 * factor * value}
        rows.append(row)
    rows[1] |= {"success": 12, "default_state": 470, "cap": 8}
    return pd.DataFrame(rows)


def rows(table: pd.DataFrame) -> list[inputs.Row]:
    """A table as figures take it."""
    return table.to_dict("records")


def made_up_examples(channels: int = 1, size: int = 28) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    original = rng.random((1, channels, size, size), dtype=np.float32)
    noise = rng.choice([-1, 0, 1], (1, 4, channels, size, size)) * np.array([0.2, 0.3, 0.01, 0.0])[:, None, None, None]
    return {
        "original": original,
        "adversarial": np.clip(original[:, None] + noise, 0, 1).astype(np.float32),
        "label": np.array([7]),
        "label_before": np.array([[7, 7, 7, 2]]),
        "label_after": np.array([[3, 7, 7, 2]]),
        "confidence_after": np.array([[0.93, 0.55, 0.61, 0.7]], np.float32),
    }


DESCRIBED = {"classes": ["7"], "models": NAMES, "ended": [ENDED], "image": [17]}


@pytest.fixture
def examples():
    return images.Examples(**made_up_examples(), **DESCRIBED)


@pytest.fixture
def networks():
    def operation(name, kind, label, shape, parameters=0):
        return {"name": name, "type": kind, "label": label, "shape": shape, "parameters": parameters}

    start = operation("input", "Input", "input", [1, 28, 28])
    perceptron = [start, operation("0", "Flatten", "flatten", [784]), operation("1", "Linear", "dense 50", [50], 39250)]
    perceptron += [operation("2", "ReLU", "ReLU", [50]), operation("3", "Linear", "dense 10", [10], 510)]
    residual = [start, operation("conv", "Conv2d", "3×3 conv, 8", [8, 28, 28], 80)]
    for stage, (filters, side) in enumerate([(8, 28), (16, 14)]):
        for block in range(2):
            shortcut = [("shortcut", "Conv2d", f"1×1 conv, {filters}")] if stage and not block else []
            parts = [*shortcut, ("conv1", "Conv2d", f"3×3 conv, {filters}"), ("relu1", "ReLU", "ReLU")]
            parts += [("norm1", "BatchNorm2d", "batch norm"), ("conv2", "Conv2d", f"3×3 conv, {filters}")]
            parts += [("add", "Add", "add"), ("relu2", "ReLU", "ReLU"), ("norm2", "BatchNorm2d", "batch norm")]
            for part, kind, label in parts:
                residual.append(operation(f"stages.{stage}.{block}.{part}", kind, label, [filters, side, side], 144))
    residual += [operation("pool", "AvgPool2d", "average pool 4×4", [16, 1, 1])]
    residual += [operation("flatten", "Flatten", "flatten", [16]), operation("dense", "Linear", "dense 10", [10], 170)]
    totals = {"parameters": 39760, "layers": 5, "skip_connections": 0, "gflops": 0.00008}
    deep = {"parameters": 20402188, "layers": 123, "skip_connections": 4, "gflops": 1.87}
    return {
        "basic": {"title": "Basic classifier", "family": "perceptron", "operations": perceptron, **totals},
        "resnet": {"title": "ResNet", "family": "resnet", "operations": residual, **deep},
    }


@pytest.fixture
def histories():
    epochs = np.arange(1, 5)
    columns = {"epoch": epochs, "train_loss": 1 / epochs, "validation_loss": 1.1 / epochs}
    columns |= {"train_accuracy": 1 - 0.3 / epochs, "validation_accuracy": 1 - 0.4 / epochs}
    return [(name, pd.DataFrame(columns)) for name in NAMES]


@pytest.fixture
def swept():
    """Verdicts on two claims over three steps and two levels of noise."""
    asks = {
        1: "On MNIST the noisy one needs more than twice as much: 'a huge margin' is read so.",
        5: "All are fooled.",
    }
    found = {"alpha": ["holds", "holds", "does not hold"], "sigma": ["undecided", "holds"]}
    columns = {"estimate": 1.234, "low": 0.9, "high": np.inf, "unit": "times the mean change, a ÷ b", "attacked": 100}
    return pd.DataFrame(
        [
            {"parameter": name, "value": 0.01 * (place + 1), "claim": claim, "asks": asks[claim], "censored": place}
            | {"configured": place == 1, "weights_verdict": found[name][place] if claim == 1 else "holds"}
            | {"changes": claim == 1 and place > 0 and found[name][place] != found[name][place - 1]}
            | columns
            for name in found
            for claim in asks
            for place in range(len(found[name]))
        ]
    )


@pytest.fixture
def believed():
    rows = []
    for place, name in enumerate(NAMES):
        row = {"model": name, "index": 0.1 * place, "low": 0.1 * place - 0.04, "high": 0.1 * place + 0.05, "p": 0.01}
        row |= {"new_label": 0.1 * place + 0.1, "original": 0.4, "neither": 0.5 - 0.1 * place, "new_label_noise": 0.1}
        row |= {"original_noise": 0.8, "ssim": 0.7, "images": 90, "censored": 3 * place, "judges": 3, "seeds": 1}
        rows.append(row)
    return pd.DataFrame(rows)


def made_up_transfer(names: list[str]) -> pd.DataFrame:
    rows = []
    for (place, source), (column, target), norm in product(enumerate(names), enumerate(names), ("linf", "l2")):
        fooled = 1.0 if source == target else 0.2 + 0.1 * abs(place - column) / len(names)
        row = {"source": source, "target": target, "norm": norm, "size": 0.35, "fooled": fooled, "images": 80 + column}
        row |= {"fooled_low": fooled - 0.1, "fooled_high": min(1, fooled + 0.1), "same_mistake": 0.5 * fooled}
        rows.append(row | {"fooled_by_noise": 0.03, "censored": 2 * place, "seeds": 1})
    return pd.DataFrame(rows)


def made_up_targets(classes: int, models: list[str] = NAMES) -> pd.DataFrame:
    """Five images of each pair of classes, on each model needing more; from 1 to 0 none gets there, to 2 two do not."""
    rows = []
    for place, model in enumerate(models):
        for label, target in permutations(range(classes), 2):
            failed = {(1, 0): 5, (1, 2): 2}.get((label, target), 0)
            row = {"model": model, "class": str(label), "target": str(target), "required_confidence": 0.9, "images": 5}
            median = np.inf if failed > 2 else 0.01 * (1 + place) * (1 + label)
            rows.append(row | {"success": 5 - failed, "median_mean_change": median, "seeds": 1})
    return pd.DataFrame(rows)


@pytest.fixture
def trust_table(tmp_path):
    """A table in which two models failed checks, one of them two."""
    failing = {("basic-noisy", "half_step"), ("basic-noisy", "beats_noise"), ("resnet-clean", "unbounded")}
    checks = [
        questions.Row(name, 0, check, 0.5, 0.1, (name, check) not in failing, 50, "Of 50 images, 25 did.")
        for name in NAMES
        for check in questions.QUESTIONS
    ]
    (tmp_path / "trust.csv").write_text(questions.as_csv(checks), encoding="utf-8")
    return tmp_path / "trust.csv"


@pytest.fixture
def measures():
    """Two seeds of each model at two confidences; of the second model two images are not fooled, and one is skipped."""
    rng = np.random.default_rng(2)
    models = {}
    for place, name in enumerate(NAMES):
        seeds = []
        for _ in range(2):
            change = (0.1 + 0.1 * place) * rng.lognormal(0, 0.4, 40)
            columns = {"image": np.arange(40), "linf": change, "l2": 9 * change, "mean_change": change / 2}
            ended = np.array(["success"] * 40, object)
            if place == 1:
                ended[:3] = ["cap", "default_state", "skipped"]
            easy = pd.DataFrame(columns | {"ended": "success", "required_confidence": 0.0})
            seeds.append(pd.concat([easy, pd.DataFrame(columns | {"ended": ended, "required_confidence": 0.9})]))
        models[name] = seeds
    return models


@pytest.fixture
def bounded():
    """Robust accuracies by two norms, of which the first two models end alike."""
    rows = []
    for place, name in enumerate(NAMES):
        for norm, budgets in (("linf", (2 / 255, 8 / 255)), ("l2", (0.25, 0.5, 1.0))):
            for number, budget in enumerate(budgets):
                robust = max(0.0, 0.8 - 0.3 * (number + 1) + 0.1 * (place // 2))
                shares = {"clean": 0.9, "robust": robust, "ours": robust + 0.05}
                row = {"model": name, "norm": norm, "budget": budget, "seeds": 1, "images": 50}
                for share, value in shares.items():
                    row |= {f"{share}_accuracy": value, f"{share}_low": value - 0.04, f"{share}_high": value + 0.04}
                rows.append(row)
    return pd.DataFrame(rows)


PANELS = {"linf": [("linf", 0.9)], "mean_change": [("mean_change", 0.9)], "confidence": [("l2", 0.0), ("l2", 0.9)]}


def with_panels(spec, name):
    return spec | {"panels": [{"measure": of, "required_confidence": level} for of, level in PANELS[name]]}


@pytest.fixture
def every_figure(spec, table, examples, networks, histories, swept, believed, measures, bounded):
    """A function that draws every figure anew, by name."""

    def draw():
        noise = np.random.default_rng(1).random((2, 5, 1, 28, 28), dtype=np.float32)
        return {
            "mean_change": bars.robustness_bars(rows(table), spec),
            "pixels_changed": bars.robustness_bars(rows(table), spec | {"measure": "pixels_changed"}),
            "examples": images.examples(examples, spec),
            "differences": images.differences(examples, spec),
            "training_noise": images.training_noise(noise[:, 0], noise, spec),
            "architecture": architecture.architecture(networks, spec),
            "skip_connection": skip_connection.skip_connection(networks, spec),
            "curves": training_curves.training_curves(histories, spec),
            "sensitivity": sensitivity.over_values(rows(swept), spec),
            "believability": believability.judges_answers(rows(believed), spec),
            "robust_accuracy": robust_accuracy.robust_accuracy(rows(bounded), spec | {"norms": ["linf", "l2"]}),
            "transfer": heatmaps.transfer_matrices(rows(made_up_transfer(NAMES)), spec),
            "targeted": heatmaps.targeted_matrix(rows(made_up_targets(10)), spec | {"model": "resnet-noisy"}),
            **{
                f"robustness_curves_{name}": robustness_curves.robustness_curves(measures, with_panels(spec, name))
                for name in PANELS
            },
        }

    return draw


DRAWN = {}
"""What `drawn` gives, once it was made."""


@pytest.fixture
def drawn(every_figure, tmp_path_factory):
    """Every figure, and the folder that it was saved in: drawn once for all tests, which only look at them."""
    if not DRAWN:
        folder = tmp_path_factory.mktemp("drawn")
        DRAWN.update(figures=every_figure(), folder=folder)
        for name, figure in DRAWN["figures"].items():
            style.save(figure, folder / f"{name}.svg", folder / f"{name}.png")
    return DRAWN["figures"], DRAWN["folder"]


def words(figure) -> str:
    """All that a figure says, line breaks as blanks."""
    found = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    return " ".join(found).replace("\n", " ").replace("\u00a0", " ")


def beyond(figure) -> list[Text]:
    """Labels of ticks outside the view: matplotlib makes them and does not draw them."""
    hidden = []
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        hidden += [tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
    return hidden


def test_no_texts_overlap_in_any_figure(drawn):
    for name, figure in drawn[0].items():
        with style.theme():
            figure.draw_without_rendering()
            hidden = beyond(figure)
            shown = [text for text in figure.findobj(Text) if text.get_visible() and text not in hidden]
            texts = [text for text in shown if text.get_text().strip()]
            boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts]
        for (one, box), (other, another) in combinations(boxes, 2):
            assert not box.overlaps(another), f"{name}: '{one}' overlaps '{other}'"


def test_no_figure_has_ink_at_the_edge_of_the_file_even_with_long_titles(every_figure, spec, tmp_path):
    spec["models"][2]["title"] = LONG
    spec["dataset"]["title"] = LONG
    for name, figure in every_figure().items():
        style.save(figure, tmp_path / f"{name}.svg", tmp_path / f"{name}.png")
        pixels = mpl.image.imread(tmp_path / f"{name}.png")[..., :3]
        edges = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()])
        assert edges.min() == 1.0, f"{name} is cut off at an edge"


def test_svg_and_png_show_the_same_area(table, spec, tmp_path):
    style.save(bars.robustness_bars(rows(table), spec), tmp_path / "a.svg", tmp_path / "a.png")
    wide, high = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', (tmp_path / "a.svg").read_text())[0])
    pixels = mpl.image.imread(tmp_path / "a.png")
    assert pixels.shape[:2] == pytest.approx((high / 72 * 220, wide / 72 * 220), abs=1)


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(["a", "model", "W" * 40, "i" * 60, "“seven”", "x"]), min_size=1).map(" ".join),
    st.sampled_from([0.3, 1.0, 3.0]),
)
def test_lines_are_as_full_as_they_can_be_and_no_wider(text, width):
    lines = style.wrap(text, width, 8).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(style.text_width(line, 8) <= width for line in lines)
    for line, following in pairwise(lines):
        assert style.text_width(f"{line} {following.split(' ')[0]}", 8) > width


def test_the_same_input_gives_the_same_bytes_and_drawing_leaves_the_global_settings_alone(
    drawn, every_figure, tmp_path
):
    before = dict(mpl.rcParams)
    figures = every_figure()
    assert dict(mpl.rcParams) == before
    for name, figure in figures.items():
        style.save(figure, tmp_path / f"{name}.svg", tmp_path / f"{name}.png")
    assert dict(mpl.rcParams) == before
    assert {path.name for path in drawn[1].iterdir()} == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (drawn[1] / path.name).read_bytes(), path.name


def test_svg_keeps_text_as_text_and_every_figure_states_its_settings(drawn):
    figures, folder = drawn
    for name, figure in figures.items():
        svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
        assert "MNIST: " in svg
        assert "Scale default:" in words(figure)
        assert "Scale" in svg


def test_bars_write_values_units_and_how_many_were_fooled(table, spec):
    said = words(bars.robustness_bars(rows(table), spec))
    assert "mean change per pixel (|x′ − x|, pixels in [0, 1])" in said
    for expected in ("0.142", "12 of 490 fooled", "95 % interval"):
        assert expected in said
    assert "Basic classifier, noisy: 470 ended in the default state and 8 ended at the cap" in said
    spec["dataset"]["image_size"] = [3, 32, 32]
    assert "Σ over channels" in words(bars.robustness_bars(rows(table), spec))
    pixels = words(bars.robustness_bars(rows(table), spec | {"measure": "pixels_changed"}))
    assert "pixels changed by more than 0.1 (of 1,024)" in pixels


def test_bars_say_so_where_every_image_was_fooled(table, spec):
    table[["success", "default_state", "cap"]] = [490, 0, 0]
    said = words(bars.robustness_bars(rows(table), spec))
    assert "Every attacked image was fooled." in said
    assert "not fooled" not in said


def test_robustness_curves_say_how_many_images_were_not_fooled_and_mark_where_they_begin(measures, spec):
    figure = robustness_curves.robustness_curves(measures, with_panels(spec, "linf"))
    said = words(figure)
    assert "Attacked and not fooled: Basic classifier 0 of 80; Basic classifier, noisy 4 of 78; ResNet 0 of 80" in said
    assert "Ring: the smallest change" in said
    assert "over seeds, then images" in said
    rings = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    reached = min(
        table.loc[table["ended"].isin(["cap", "default_state"]), "linf"].min() for table in measures[NAMES[1]]
    )
    assert [line.get_xdata()[0] for line in rings] == [pytest.approx(reached)]


def test_a_robustness_curve_ends_at_the_share_fooled_and_not_at_one(measures, spec):
    axes = robustness_curves.robustness_curves(measures, with_panels(spec, "linf")).axes[0]
    ends = [line.get_ydata()[-1] for line in axes.get_lines() if line.get_marker() != "o"]
    shares = []
    for name in NAMES:
        tables = [table[table["required_confidence"] == 0.9] for table in measures[name]]
        fooled = [(table["ended"] == "success") & (table["linf"] <= axes.get_xlim()[1]) for table in tables]
        tried = [(table["ended"] != "skipped").sum() for table in tables]
        shares.append(np.mean([one.sum() / of for one, of in zip(fooled, tried, strict=True)]))
    assert ends == pytest.approx(shares)
    assert ends[1] <= 37 / 39  # two were never fooled


def test_a_single_hard_image_does_not_squeeze_the_curves_of_all_others_and_is_counted(spec):
    linf = np.append(np.linspace(0.01, 0.1, 99), 5.0)
    one = {"image": np.arange(100), "required_confidence": np.full(100, 0.9), "ended": np.full(100, "success")}
    figure = robustness_curves.robustness_curves(
        {name: [one | {"linf": linf}] for name in NAMES}, with_panels(spec, "linf")
    )
    assert figure.axes[0].get_xlim() == (0, pytest.approx(0.102))
    said = words(figure)
    assert "The axis ends where 99 % of the models' fooled images are shown; 4 needed more, up to 5." in said
    models = {name: [one | {"linf": np.full(100, 0.1)}] for name in NAMES}
    assert "The axis ends" not in words(robustness_curves.robustness_curves(models, with_panels(spec, "linf")))


def test_a_measure_that_is_at_its_end_on_every_model_says_so_and_gives_shares(table, spec):
    shown = spec | {"measure": "pixels_changed"}
    full = table.assign(pixels_changed=780.0, pixels_changed_low=779.0, pixels_changed_high=781.0)
    said = words(bars.robustness_bars(rows(full), shown))
    assert "Pixels changed is saturated: on every model the attack changed 99.5 % or more of the pixels" in said
    assert "780 (99.5 %)" in said
    assert "saturated" not in words(bars.robustness_bars(rows(table), shown))
    full.loc[full["model"] == NAMES[0], ["pixels_changed_low", "pixels_changed"]] = 300.0
    assert "saturated" not in words(bars.robustness_bars(rows(full), shown))
    assert "saturated" not in words(bars.robustness_bars(rows(full), spec | {"measure": "mean_change"}))


def test_confidences_stand_side_by_side_on_one_scale(measures, spec):
    figure = robustness_curves.robustness_curves(measures, with_panels(spec, "confidence"))
    easy, hard = figure.axes[:2]
    assert (easy.get_title(loc="left"), hard.get_title(loc="left")) == ("any wrong class", "probability 0.9")
    assert easy.get_xlim() == hard.get_xlim()
    assert easy.get_ylim() == hard.get_ylim()
    assert "panel by panel: Basic classifier 0 and 0 of 80; Basic classifier, noisy 0 and 4 of 80" in words(figure)


def test_robustness_curves_of_images_that_were_all_fooled_or_never_are_drawn(measures, spec):
    alone = {name: [table.assign(ended="success") for table in tables[:1]] for name, tables in measures.items()}
    said = words(robustness_curves.robustness_curves(alone, with_panels(spec, "linf")))
    assert "Ring" not in said
    assert "over images." in said
    never = {name: [table.assign(ended="cap") for table in tables] for name, tables in measures.items()}
    assert "ResNet 80 of 80" in words(robustness_curves.robustness_curves(never, with_panels(spec, "linf")))


def test_a_confidence_that_was_not_recorded_is_named(measures, spec):
    panels = {"panels": [{"measure": "l2", "required_confidence": 0.99}]}
    with pytest.raises(UserError, match=r"no measures of model 'basic-clean' at confidence 0\.99"):
        robustness_curves.robustness_curves(measures, spec | panels)


def test_a_model_that_could_not_be_attacked_has_no_bar_and_says_so(table, spec):
    table.loc[3, ["attacked", "success"]] = 0
    table.loc[3, ["mean_change", "mean_change_low", "mean_change_high"]] = np.nan
    assert "no image was classified correctly" in words(bars.robustness_bars(rows(table), spec))


def test_a_bar_without_an_interval_has_its_value_and_no_whisker(table, spec):
    table[["mean_change_low", "mean_change_high"]] = np.nan
    figure = bars.robustness_bars(rows(table), spec)
    assert f"{table.loc[0, 'mean_change']:.3g}" in words(figure)
    assert not any(type(each).__name__ == "ErrorbarContainer" for each in figure.axes[0].containers)


def test_bars_are_those_of_their_required_confidence(table, spec, tmp_path):
    easy = table.assign(required_confidence=0.0, success=77, mean_change=0.001, mean_change_low=0, mean_change_high=1)
    # Through a file, as the rule has it: 0.0 and 0.9 are found again.
    pd.concat([easy, table]).to_csv(tmp_path / "robustness.csv", index=False, float_format="%.6g")
    both = inputs.read_rows(tmp_path / "robustness.csv", text=("attack", "model"))
    assert words(bars.robustness_bars(both, spec)) == words(bars.robustness_bars(rows(table), spec))
    assert "0.142" in words(bars.robustness_bars(both, spec))
    said = words(bars.robustness_bars(both, spec | {"required_confidence": 0.0}))
    assert "0.142" not in said
    assert "77 of 490 fooled" in said


def test_bars_of_a_confidence_that_the_table_lacks_or_has_twice_are_refused(table, spec):
    with pytest.raises(UserError, match=r"no row for model 'basic-clean' under attack 'original' at confidence 0\.5"):
        bars.robustness_bars(rows(table), spec | {"required_confidence": 0.5})
    with pytest.raises(UserError, match=r"2 rows for model 'basic-clean' .* needs one: delete the table"):
        bars.robustness_bars(rows(pd.concat([table, table])), spec)


def test_a_model_missing_in_an_input_is_named(table, spec, examples, networks, histories):
    with pytest.raises(UserError, match=r"no row for model 'resnet-noisy' under attack 'original' at confidence 0\.9"):
        bars.robustness_bars(rows(table.iloc[:3]), spec)
    with pytest.raises(UserError, match="training history"):
        training_curves.training_curves(histories[:3], spec)
    with pytest.raises(UserError, match="lacks 'resnet'"):
        architecture.architecture({"basic": networks["basic"]}, spec)
    spec["models"][0]["name"] = "unheard-of"
    with pytest.raises(UserError, match="lack model 'unheard-of'"):
        images.examples(examples, spec)


def test_a_model_has_the_same_colour_in_every_figure_and_dataset(table, spec, examples, histories):
    looks = style.looks(spec)
    filled = [to_hex(patch.get_facecolor()) for patch in bars.robustness_bars(rows(table), spec).axes[0].patches]
    framed = [
        to_hex(axes.spines["left"].get_edgecolor()) for axes in images.examples(examples, spec).axes[1 : 1 + len(NAMES)]
    ]
    lines = [
        to_hex(line.get_color()) for line in training_curves.training_curves(histories, spec).legends[0].get_lines()[:4]
    ]
    assert filled == [looks[name].fill.lower() for name in NAMES]
    assert framed == lines == [looks[name].edge.lower() for name in NAMES]
    assert style.looks(spec | {"models": spec["models"][2:]})["resnet-clean"] == looks["resnet-clean"]


def test_adversarial_models_have_hatches_dashes_and_frames_of_their_own(spec, examples):
    spec["models"][1] |= {"data": "adversarial"}
    adversarial, noisy = (style.looks(spec)[name] for name in (NAMES[1], NAMES[3]))
    assert adversarial.hatch != noisy.hatch
    assert adversarial.dashes != noisy.dashes
    assert "Frames of dashes and dots: trained on adversarial data." in words(images.examples(examples, spec))


def test_clean_and_noisy_differ_without_colour(spec):
    clean, noisy = (style.looks(spec)[name] for name in NAMES[:2])
    assert (clean.hatch, clean.dashed) == ("", False)
    assert noisy.hatch
    assert noisy.dashed


def test_two_models_of_one_title_are_refused(spec):
    spec["models"][1]["title"] = "Basic classifier"
    with pytest.raises(UserError, match="two models are titled 'Basic classifier'"):
        style.checked(spec)


def test_a_figure_names_the_models_that_failed_a_trust_check_and_why(table, spec, examples, trust_table):
    marked = style.with_trust(spec, trust_table)
    told = (
        "† Not trustworthy: Basic classifier, noisy (the step decides the change, noise does as well); "
        "ResNet (unlimited change does not fool it)."
    )
    for figure in (bars.robustness_bars(rows(table), marked), images.examples(examples, marked)):
        (warning,) = [text for text in figure.texts if "Not trustworthy" in text.get_text()]
        assert told in words(figure)
        assert warning.get_color() == style.WARNING
        assert "Scale default" not in warning.get_text()
        titles = [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]
        for title, failed in zip(TITLES, [False, True, True, False], strict=True):
            assert (f"{title}\u00a0†" in titles) == failed
            assert (title in titles) != failed


def test_nothing_is_said_of_trust_where_every_check_passed(spec, trust_table):
    passed = trust_table.read_text(encoding="utf-8").replace("false", "true")
    trust_table.write_text(passed, encoding="utf-8")
    assert style.with_trust(spec, trust_table) == spec


def test_the_mark_of_a_model_does_not_change_its_look(spec, trust_table):
    assert style.looks(style.with_trust(spec, trust_table)) == style.looks(spec)


def test_models_that_share_colour_and_data_differ_in_hatches_and_dashes() -> None:
    same = {"architecture": "resnet", "data": "clean"}
    overlay = {"datasets": {"mnist": {"models": {f"more{number}": same for number in range(3)}}}}
    spec = figure_specs.figure(made := made_study(**overlay), made.datasets["mnist"])
    looks = style.looks(spec)
    assert len(set(looks.values())) == len(looks) == 7
    assert len({(look.edge, look.dashes) for look in looks.values()}) == 7
    only = figure_specs.figure(made, made.datasets["mnist"], only=["more1"])
    assert style.looks(only)["more1"] == looks["more1"]
    assert images._frames(spec["models"]) == ""  # dashes then say nothing about the data
    assert all("alike" not in model for model in made_study().datasets["mnist"].drawn_models())
    assert len(style.HUES) == COLOURS


def test_an_index_without_bounds_is_on_the_axis_and_has_none_written(spec, believed) -> None:
    believed.loc[0, ["index", "low", "high"]] = 0.8, math.nan, math.nan
    figure = believability.judges_answers(rows(believed), spec)
    axes = figure.axes[-1]
    assert axes.get_xlim()[1] > 0.8
    assert not any("nan" in text.get_text() for text in axes.texts)


@pytest.mark.parametrize("count", [4, 11])
def test_all_points_of_robust_accuracy_are_on_the_axis_however_many_models(spec, bounded, count) -> None:
    models = [spec["models"][0] | {"name": f"m{n}", "title": f"Model number {n}"} for n in range(count)]
    row = bounded[bounded["model"] == spec["models"][0]["name"]]
    table = pd.concat([row.assign(model=model["name"]) for model in models])
    figure = robust_accuracy.robust_accuracy(rows(table), spec | {"models": models, "norms": ["linf"]})
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    for line in axes.lines:
        if line.get_marker() in ("o", "D"):
            assert low < min(line.get_xdata()) <= max(line.get_xdata()) < high


def test_one_epoch_is_a_point(spec, histories) -> None:
    once = [(name, table.head(1)) for name, table in histories]
    figure = training_curves.training_curves(once, spec)
    for axes in figure.axes:
        points = [line for line in axes.lines if line.get_marker() in ("o", "D")]
        assert len(points) == 2 * len(once)
        assert axes.get_xticks().tolist() == [1]


def test_a_warning_overlaps_nothing_and_is_not_cut_off(spec, table, examples, networks, histories, trust_table):
    marked = style.with_trust(spec, trust_table)
    for figure in (bars.robustness_bars(rows(table), marked), images.differences(examples, marked)):
        with style.theme():
            figure.draw_without_rendering()
            boxes = [text.get_window_extent() for text in figure.texts]
        assert len(boxes) == 4  # the title, the warning, the sentences, the settings
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_the_page_of_checks_shows_each_with_its_verdict_and_needs_no_other_file(spec, trust_table):
    template = SCRIPTS.parent / "report" / "trust.html.j2"
    rows = questions.read(trust_table)
    of_page = spec | {"images": 50, "scale": {"name": "small", "title": "a trial", "demonstration": False}}
    page = trust_page(rows, of_page, template)
    unfolded = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert page.count('class="why"') == sum(row.passed for row in rows)
    assert 'class="why"' not in unfolded  # what passed is folded
    assert unfolded.count("✗ Not trustworthy") == 3
    assert "A demonstration" not in page
    assert "A demonstration" in trust_page(
        rows, of_page | {"scale": of_page["scale"] | {"demonstration": True}}, template
    )
    assert "2 of 4 models failed a check." in page
    twice = [replace(row, seed=seed) for row in rows for seed in (0, 1)]
    assert "4 of 8 trained networks failed a check." in trust_page(twice, of_page, template)
    assert questions.QUESTIONS["half_step"].failed.split("'")[0] in page
    assert not re.search(r'(?:src|href)="[^#]|url\(|@import|<script', page)
    spec["models"][0]["title"] = "<b>Bold</b>"
    assert "<b>Bold" not in trust_page(rows, of_page, template)
    with pytest.raises(UserError, match="lacks model 'resnet-noisy'"):
        trust_page([row for row in rows if row.model != "resnet-noisy"], of_page, template)


def test_examples_say_honestly_how_each_attack_ended(examples, spec):
    said = words(images.examples(examples, spec))
    for expected in ("3 (0.93)", "still 7 (0.55): default state", "still 7 (0.61): cap", "2: wrong from the start"):
        assert expected in said
    assert "test image 17" in said


def test_a_class_without_an_example_is_named(examples, spec):
    with pytest.raises(UserError, match="no example of class '4'"):
        images.examples(examples, spec | {"class": "4"})


def test_gray_differences_share_one_symmetric_scale(examples, spec):
    figure = images.differences(examples, spec)
    limits = {axes.images[0].get_clim() for axes in figure.axes[: len(NAMES)]}
    assert len(limits) == 1
    low, high = limits.pop()
    assert -low == high == pytest.approx(0.3, abs=1e-6)
    assert "L∞ = 0.300" in words(figure)


def test_colour_differences_state_their_factor_and_stay_within_range(spec):
    figure = images.differences(images.Examples(**made_up_examples(3, 32), **DESCRIBED), spec)
    assert "0.5 + 1 · (x′ − x)" in words(figure)
    small = made_up_examples(3, 32)
    small["adversarial"] = small["original"][:, None] + (small["adversarial"] - small["original"][:, None]) / 50
    assert "0.5 + 50 · (x′ − x)" in words(images.differences(images.Examples(**small, **DESCRIBED), spec))


def test_an_attack_that_changed_nothing_is_drawn(spec):
    still = made_up_examples()
    still["adversarial"] = np.repeat(still["original"][:, None], 4, axis=1)
    assert "L∞ = 0.000" in words(images.differences(images.Examples(**still, **DESCRIBED), spec))


def test_believability_shows_the_index_the_judges_and_what_was_not_judged(believed, spec):
    said = words(believability.judges_answers(rows(believed), spec))
    for expected in ("0.30 (0.26 to 0.35)", "the 3 other networks", "90 judged, SSIM 0.70", "over images"):
        assert expected in said
    assert "not fooled have no new label to judge (Basic classifier, noisy: 3; ResNet: 6; ResNet, noisy: 9)" in said
    assert "over seeds, then images" in words(believability.judges_answers(rows(believed.assign(seeds=2)), spec))
    assert "the other network of" in words(believability.judges_answers(rows(believed.assign(judges=1)), spec))
    assert "the other networks of" in words(believability.judges_answers(rows(believed.assign(judges=0)), spec))


def test_a_model_without_a_judged_image_has_no_answers_and_says_so(believed, spec):
    believed.loc[0, ["images", "censored"]] = [0, 70]
    believed.loc[0, ["index", "low", "high", "new_label", "original", "neither", "new_label_noise", "ssim"]] = np.nan
    figure = believability.judges_answers(rows(believed), spec)
    assert "no image was fooled" in words(figure)
    assert "Basic classifier: 70" in words(figure)
    alike = believed.assign(index=0.0, low=-1e-17, high=0.0)
    low, high = believability.judges_answers(rows(alike), spec).axes[1].get_xlim()
    assert low < 0 < 0.1 < high
    with pytest.raises(UserError, match="0 rows for model 'basic-clean' and needs one"):
        believability.judges_answers(rows(believed.iloc[1:]), spec)


def test_robust_accuracy_falls_from_the_clean_accuracy_in_each_models_own_colour(bounded, spec):
    figure = robust_accuracy.robust_accuracy(rows(bounded), spec | {"norms": ["linf", "l2"]})
    looks = style.looks(spec)
    for axes, budgets in zip(figure.axes, ((2 / 255, 8 / 255), (0.25, 0.5, 1.0)), strict=True):
        lines = [line for line in axes.get_lines() if line.get_linewidth() == 1.5 and line.get_marker() == "None"]
        assert [line.get_color() for line in lines] == [looks[name].edge for name in NAMES]
        for name, line in zip(NAMES, lines, strict=True):
            where, heights = line.get_data()
            assert heights[0] == 0.9
            assert list(np.diff(where)) == pytest.approx(list(np.diff([0, *budgets])))
            assert line.is_dashed() == looks[name].dashed
        dotted = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
        assert all(line.get_ydata()[-1] > lines[place].get_ydata()[-1] for place, line in enumerate(dotted))
        assert len(dotted) == len(NAMES)
    said = words(figure)
    for expected in ("in 1/255", "0.25", "L∞ norm of the change allowed", "L2 norm", "over images", *TITLES):
        assert expected in said
    alone = robust_accuracy.robust_accuracy(rows(bounded.assign(seeds=2)), spec | {"norms": ["l2"]})
    assert len(alone.axes) == 1
    assert "over seeds, then images" in words(alone)


def test_labels_of_robust_accuracies_that_end_together_do_not_overlap(bounded, spec):
    bounded[["robust_accuracy", "robust_low"]] = 0.0
    figure = robust_accuracy.robust_accuracy(rows(bounded), spec | {"norms": ["linf"]})
    (axes,) = figure.axes
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert len(boxes) == len(NAMES)
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_budgets_close_to_each_other_or_to_0_are_not_written_over_each_other(bounded, spec):
    some = bounded[bounded["norm"] == "linf"].groupby("model").head(1)
    budgets = [each / 255 for each in (0.5, 1, 2, 4, 8)]
    close = pd.concat([some.assign(budget=budget) for budget in budgets])
    for both in (close, pd.concat([close, close.assign(norm="l2")])):
        figure = robust_accuracy.robust_accuracy(rows(both), spec | {"norms": list(dict.fromkeys(both["norm"]))})
        figure.canvas.draw()
        for axes in figure.axes:
            labels = [label for label in axes.get_xticklabels() if label.get_text()]
            assert [label.get_text() for label in labels] == ["0", "1", "2", "4", "8"]
            boxes = [label.get_window_extent() for label in labels]
            assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_model_without_robust_accuracies_is_named(bounded, spec):
    with pytest.raises(UserError, match="no rows of model 'basic-clean' for the norm linf"):
        robust_accuracy.robust_accuracy(rows(bounded[bounded["model"] != "basic-clean"]), spec | {"norms": ["linf"]})


def test_a_transfer_without_a_change_says_so(spec):
    said = words(heatmaps.transfer_matrices(rows(made_up_transfer(NAMES).assign(size=float("nan"))), spec))
    assert "L2 norm: no change to show" in said
    assert "nan" not in said


def test_transfer_shows_shares_intervals_mistakes_and_noise_at_both_sizes(spec):
    table = made_up_transfer(NAMES)
    table.loc[table["norm"] == "l2", "size"] = 5.2
    said = words(heatmaps.transfer_matrices(rows(table), spec))
    for expected in (
        "L∞ norm 0.35",
        "L2 norm 5.2",
        "100 %",
        "12 to 32 %",
        "same 11 %",
        "random signs",
        "80 to 83 images",
    ):
        assert expected in said
    assert "(Basic classifier, noisy: 2; ResNet: 4; ResNet, noisy: 6)" in said
    with pytest.raises(UserError, match="0 rows from 'basic-clean' to 'basic-clean' at norm linf"):
        heatmaps.transfer_matrices(rows(table.iloc[1:]), spec)


@pytest.mark.parametrize("count", [2, 8])
def test_transfer_is_drawn_for_few_models_and_for_many(spec, count, tmp_path):
    names = [f"model{place}" for place in range(count)]
    spec["models"] = [spec["models"][0] | {"name": name, "title": f"Deep ResNet {name}, noisy"} for name in names]
    table = made_up_transfer(names)
    table.loc[table["source"] == "model0", ["images", "fooled", "fooled_low", "fooled_high", "fooled_by_noise"]] = [
        0
    ] + [np.nan] * 4
    figure = heatmaps.transfer_matrices(rows(table), spec)
    style.save(figure, tmp_path / "a.svg", tmp_path / "a.png")
    assert words(figure).count("no image") == 2 * count
    assert len([axes for axes in figure.axes if axes.images]) == 2


def test_a_targeted_heat_map_marks_what_did_not_become_the_target(spec):
    said = words(heatmaps.targeted_matrix(rows(made_up_targets(10)), spec | {"model": "resnet-noisy"}))
    for expected in ("0 of 5", ".080 3 of 5", "443 of 450 attacks on 90 pairs", "from class to class, ResNet, noisy"):
        assert expected in said


def test_a_targeted_heat_map_says_how_many_became_the_target_without_the_required_probability(spec):
    sure, unsure = made_up_targets(10), made_up_targets(10).assign(required_confidence=0.0, success=5)
    said = words(heatmaps.targeted_matrix(rows(pd.concat([unsure, sure])), spec | {"model": "resnet-noisy"}))
    assert "443 of 450 attacks" in said
    assert "7 more were taken for the target" in said
    assert "more were taken" not in words(heatmaps.targeted_matrix(rows(sure), spec | {"model": "resnet-noisy"}))


def test_targeted_heat_maps_of_a_dataset_share_one_scale_and_take_one_required_confidence(spec):
    low = made_up_targets(10).assign(required_confidence=0.0, median_mean_change=9.0)
    both = pd.concat([low, made_up_targets(10)])
    drawn = [heatmaps.targeted_matrix(rows(both), spec | {"model": name}) for name in NAMES]
    (limits,) = {figure.axes[0].images[0].get_clim() for figure in drawn}
    assert limits == pytest.approx((0, 0.4))


@pytest.mark.parametrize("count", [2, 3, 30, 120])
def test_a_targeted_heat_map_is_drawn_for_any_number_of_classes(spec, count, tmp_path):
    spec["dataset"]["classes"] = [f"class-{place}" for place in range(count)]
    table = made_up_targets(count, ["resnet-noisy"])
    for name in ("class", "target"):
        table[name] = "class-" + table[name]
    figure = heatmaps.targeted_matrix(rows(table), spec | {"model": "resnet-noisy"})
    style.save(figure, tmp_path / "a.svg", tmp_path / "a.png")
    assert max(figure.get_size_inches()) <= style.PAGE_WIDTH
    assert ("with a dot" in words(figure)) == (count > 20)


def test_a_targeted_heat_map_of_drawn_targets_says_so(spec):
    spec["dataset"]["classes"] = [str(place) for place in range(30)]
    table = made_up_targets(30, ["resnet-noisy"])
    some = table[(table["target"].astype(int) - table["class"].astype(int)) % 30 <= 9]
    wanted = "toward 9 others, which were drawn"
    assert wanted in words(heatmaps.targeted_matrix(rows(some), spec | {"model": "resnet-noisy"}))
    assert wanted not in words(heatmaps.targeted_matrix(rows(table), spec | {"model": "resnet-noisy"}))


def test_a_targeted_heat_map_of_a_model_that_was_always_wrong_is_empty_and_says_so(spec):
    figure = heatmaps.targeted_matrix(rows(made_up_targets(10, NAMES[:1])), spec | {"model": "resnet-noisy"})
    assert "0 of 0 attacks on 0 pairs" in words(figure)


def test_augmentations_are_worded():
    assert "σ = 0.5" in images.augmentation_sentence({"kind": "gaussian_noise", "sigma": 0.5})
    affine = {"kind": "affine", "rotation": 15, "shift": 0.1, "shear": 10, "zoom": 0.1, "flip": True}
    assert "±15°, shift up to ±10 %" in images.augmentation_sentence(affine)
    assert "flip" not in images.augmentation_sentence(affine | {"flip": False})
    with pytest.raises(UserError, match="'blur'"):
        images.augmentation_sentence({"kind": "blur"})


def test_the_architecture_figure_tells_stages_and_totals_of_the_networks(networks, spec):
    said = words(architecture.architecture(networks, spec))
    assert "20,402,188 trainable parameters, 123 layers" in said
    for expected in ("stage 2: 2 blocks, 16 filters, stride 2", "784 values"):
        assert expected in said
    assert "no skip connections" in said
    assert "1.87 GFLOP" in said


def test_steps_join_activations_and_mark_blocks_that_convert_their_shortcut(networks):
    steps = operations.steps(networks["resnet"]["operations"])
    assert [step.label for step in steps if step.kind == "AvgPool2d"] == ["average pool 4×4 → flatten"]
    assert [step.blocks for step in steps if step.kind == "stage"] == [[False, False], [True, False]]
    assert steps[-1].label == "softmax"


def own_operations(*layers):
    """Operations of an own network: name, type, and the types of the modules around it, less the network's."""
    first = {"name": "input", "type": "Input", "label": "input", "shape": [1, 28, 28], "parameters": 0, "inside": []}
    return [first] + [
        {"name": f"network.{name}", "type": kind, "label": kind, "shape": [8, 7, 7], "inside": ["Net", *inside]}
        for name, kind, *inside in layers
    ]


def test_an_own_network_is_drawn_as_its_modules_those_alike_as_one():
    blocks = [(f"body.{n}.{part}", "Conv2d", "Sequential", "Block") for n in range(4) for part in ("a", "b", "c", "d")]
    layers = [("stem", "Conv2d"), ("norm", "BatchNorm2d"), ("act", "ReLU"), *blocks, ("drop", "Dropout")]
    steps = operations.own_steps(own_operations(*layers, ("head", "Linear")))
    said = [step.label for step in steps]
    assert said == ["input", "Conv2d → BatchNorm2d → ReLU", "body.0–3: 4 × Block", "Linear", "softmax"]


def test_an_own_network_of_few_layers_is_drawn_layer_by_layer():
    steps = operations.own_steps(own_operations(("a.x", "Conv2d", "Sequential"), ("a.y", "GELU", "Sequential")))
    assert [step.label for step in steps] == ["input", "Conv2d → GELU", "softmax"]


def test_no_own_network_has_too_many_boxes():
    layers = [(f"m{n}.{k}", "Conv2d", f"Kind{n}") for n in range(8) for k in range(5)]
    steps = operations.own_steps(own_operations(*layers))
    assert [step.label for step in steps[1:-1]] == [f"m{n}: Kind{n}" for n in range(8)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_any_number_of_networks_is_drawn_in_rows(networks, spec, count):
    entries = [{"name": f"n{n}", "title": f"Own {n}", "architecture": f"n{n}", "data": "clean"} for n in range(count)]
    operations = own_operations(("stem", "Conv2d"), ("head", "Linear"))
    own = {"family": "factory", "operations": operations, "layers": 3, "skip_connections": None}
    described = {f"n{n}": own | {"title": f"Own {n} {LONG}", "parameters": n, "gflops": 0.1} for n in range(count)}
    shown = spec | {"models": entries, "architectures": [entry["architecture"] for entry in entries]}
    figure = architecture.architecture(described, shown)
    said = words(figure)
    assert all(f"{n} trainable parameters" in said for n in range(count))
    assert "skip connection" not in said


def test_the_skip_connection_figure_shows_an_identity_and_a_converting_block(networks, spec):
    said = words(skip_connection.skip_connection(networks, spec))
    assert "stage 1, block 1; 3 of 4 blocks" in said
    assert "stage 2, block 1 (28×28 → 14×14); 1 of 4 blocks" in said
    assert "Shortcut: 1×1 conv, 16" in said
    with pytest.raises(UserError, match="no residual network"):
        skip_connection.skip_connection(networks, spec | {"models": spec["models"][:2]})


def test_verdicts_are_told_by_shape_and_colour_and_their_changes_by_a_bar(swept, spec):
    figure = sensitivity.over_values(rows(swept), spec)
    alpha, sigma = figure.axes
    marks = [line for line in alpha.lines if line.get_marker() != "None"]
    bars_drawn = [line for line in alpha.lines if line.get_marker() == "None"]
    looks = {(line.get_marker(), line.get_color()) for line in marks}
    assert looks == {
        (sensitivity.MARKS[name].shape, sensitivity.MARKS[name].colour) for name in ("holds", "does not hold")
    }
    assert len(marks) == 6
    assert [line.get_xdata()[0] for line in bars_drawn] == [1.5]  # between the second value and the third
    assert len({(mark.shape, mark.colour) for mark in sensitivity.MARKS.values()}) == 3
    assert len([line for line in sigma.lines if line.get_marker() == "None"]) == 1


def test_the_configured_value_is_marked_and_the_numbers_are_readable(swept, spec):
    figure = sensitivity.over_values(rows(swept), spec)
    weights = [label.get_fontweight() for label in figure.axes[0].get_xticklabels()]
    assert weights == ["normal", "bold", "normal"]
    said = words(figure)
    for expected in ("1.2", "[0.90, ∞]", "The verdict reverses for claim 1.", "at most 2 of 100 (claim 1 at α = 0.03)"):
        assert expected in said
    assert "a huge margin" not in said  # how it is read stands in the table
    swept["censored"] = 0
    assert "Every attacked image was fooled." in words(sensitivity.over_values(rows(swept), spec))


def test_a_sweep_of_one_parameter_has_one_panel(swept, spec):
    figure = sensitivity.over_values(rows(swept[swept["parameter"] == "alpha"]), spec)
    assert len(figure.axes) == 1
    assert "σ" not in figure.axes[0].get_xlabel()


def test_a_damaged_table_of_sensitivity_is_refused(swept, spec):
    with pytest.raises(UserError, match="a verdict 'perhaps': delete it"):
        sensitivity.over_values(rows(swept.assign(weights_verdict="perhaps")), spec)
    with pytest.raises(UserError, match="no verdicts"):
        sensitivity.over_values(rows(swept.iloc[:0]), spec)


SLOW = {"torch", "torchvision", "scipy", "statsmodels", "seaborn", "pandas"}
"""What a figure, which a cluster starts cold, does not wait for."""


def slow_packages(told: str) -> set[str]:
    """The packages of `SLOW` among what `python -X importtime` tells."""
    return SLOW & set(re.findall(r"\| +(\w+)", told))


def test_a_figure_script_writes_both_files_and_imports_no_slow_package(spec, table, tmp_path, trust_table):
    table.to_csv(tmp_path / "robustness.csv", index=False)
    command = [sys.executable, "-X", "importtime", SCRIPTS / "plot.py", "bars"]
    command += ["--table", tmp_path / "robustness.csv"]
    command += [
        "--trust",
        trust_table,
        "--spec",
        json.dumps(spec),
        "--svg",
        tmp_path / "bars.svg",
        "--png",
        tmp_path / "bars.png",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "bars.svg").stat().st_size > 0
    assert (tmp_path / "bars.png").stat().st_size > 0
    assert "matplotlib" in done.stderr
    assert not slow_packages(done.stderr)


def test_the_script_of_robustness_curves_hands_each_model_its_seeds(spec, measures, tmp_path, trust_table):
    paths = []
    for name, tables in measures.items():
        for seed, each in enumerate(tables):
            paths.append(tmp_path / f"{name}-{seed}.parquet")
            write_records(paths[-1], each.to_dict("list"), Identity("mnist", name, "original", seed).header({}))
    command = [sys.executable, "-X", "importtime", SCRIPTS / "plot.py", "robustness_curves", "--measures", *paths]
    command += [
        "--trust",
        trust_table,
        "--spec",
        json.dumps(with_panels(spec, "linf")),
        "--svg",
        tmp_path / "a.svg",
        "--png",
        tmp_path / "a.png",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert slow_packages(done.stderr) <= {"scipy"}  # for Student's t, which several seeds need
    svg = " ".join((tmp_path / "a.svg").read_text(encoding="utf-8").split())
    assert re.search(r"noisy\W*4 of 78", svg)


def test_robustness_curves_of_one_seed_import_no_slow_package(spec, measures, tmp_path, trust_table):
    paths = [tmp_path / f"{name}.parquet" for name in NAMES]
    for path, (name, (alone, _)) in zip(paths, measures.items(), strict=True):
        write_records(path, alone.to_dict("list"), Identity("mnist", name, "original", 0).header({}))
    command = [sys.executable, "-X", "importtime", SCRIPTS / "plot.py", "robustness_curves", "--measures", *paths]
    command += ["--trust", trust_table, "--spec", json.dumps(with_panels(spec, "linf"))]
    command += ["--svg", tmp_path / "a.svg", "--png", tmp_path / "a.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "pyarrow" in done.stderr
    assert not slow_packages(done.stderr)


def test_training_curves_find_each_history_by_the_card_next_to_it(monkeypatch, spec, tmp_path):
    spec = spec | {"models": spec["models"][:2]}
    paths = {}
    for name in NAMES[:2]:
        paths[name] = tmp_path / name / "seed0"
        paths[name].mkdir(parents=True)
        (paths[name] / "history.csv").write_text(f"model\n{name}\n", encoding="utf-8")
        card = Identity("mnist", name, seed=0).header({"format": FORMAT})
        (paths[name] / "model.json").write_text(json.dumps(card), encoding="utf-8")
    given = [paths[name] / "history.csv" for name in NAMES[:2]]
    cards = [path.with_name("model.json") for path in reversed(given)]
    drawn = []
    monkeypatch.setattr(training_curves, "training_curves", lambda histories, spec: drawn.extend(histories))
    training_curves_product.draw(argparse.Namespace(spec=spec, histories=given, cards=cards))
    assert [(model, table["model"].tolist()) for model, table in drawn] == [(name, [name]) for name in NAMES[:2]]
    with pytest.raises(UserError, match="name different folders: give the two files of each training"):
        training_curves_product.draw(argparse.Namespace(spec=spec, histories=given, cards=cards[:1]))


@pytest.mark.parametrize("package", ["figures", "products/figures"])
def test_no_figure_but_training_curves_needs_a_slow_package(package):
    allowed = {"figures/training_curves.py": {"pandas", "seaborn"}}
    for path in (SCRIPTS / "robustness" / package).rglob("*.py"):
        found = {name.split(".")[0] for _, name in code_digest.imports(path)} & SLOW
        assert found == allowed.get(f"{package}/{path.name}", set()), path.name


def test_rows_are_read_with_numbers_truth_values_and_text_as_they_were_written(tmp_path):
    table = pd.DataFrame({"model": ["07", 'a, "b"'], "value": [1, -2.5], "many": [3, 40], "changes": [True, False]})
    table = table.assign(low=[np.nan, np.inf], why=["none", "1"])
    table.to_csv(tmp_path / "table.csv", index=False)
    first, second = inputs.read_rows(tmp_path / "table.csv", text=("model", "why"))
    assert math.isnan(first.pop("low"))
    assert first == {"model": "07", "value": 1, "many": 3, "changes": True, "why": "none"}
    assert second == {"model": 'a, "b"', "value": -2.5, "many": 40, "changes": False, "low": math.inf, "why": "1"}
    assert isinstance(first["many"], int)


@pytest.mark.parametrize(("content", "why"), [(b"", "it is empty"), (b"a,b\n1\n", "shorter"), (b"a\n\xff\n", "utf-8")])
def test_a_table_that_is_missing_or_damaged_is_named(content, why, tmp_path):
    with pytest.raises(UserError, match="does not exist: run the workflow"):
        inputs.read_rows(tmp_path / "table.csv", text=())
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(UserError, match=rf"table\.csv is damaged \(.*{why}.*\): delete it"):
        inputs.read_rows(tmp_path / "table.csv", text=())


def test_a_figure_script_fails_with_a_sentence_when_its_input_is_missing(spec, tmp_path, trust_table):
    command = [sys.executable, SCRIPTS / "plot.py", "examples", "--examples", tmp_path / "none.safetensors"]
    command += [
        "--trust",
        trust_table,
        "--spec",
        json.dumps(spec),
        "--svg",
        tmp_path / "a.svg",
        "--png",
        tmp_path / "a.png",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == SENTENCE_STATUS
    assert "none.safetensors does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_examples_are_read_back_from_their_file(tmp_path):
    write_tensors(tmp_path / "examples.safetensors", made_up_examples(), DESCRIBED)
    read = images.read_examples(tmp_path / "examples.safetensors")
    assert read.models == NAMES
    assert read.ended == [ENDED]
    assert np.array_equal(read.label_after, [[3, 7, 7, 2]])


@pytest.mark.parametrize("path", sorted((SCRIPTS / "robustness" / "figures").glob("*.py")), ids=lambda path: path.stem)
def test_no_figure_module_imports_a_slow_library_when_it_is_imported(path):
    top = ast.parse(path.read_text(encoding="utf-8")).body
    at_import = [node for node in top if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or alias.name for node in at_import for alias in node.names}
    assert not {name.split(".")[0] for name in names} & {"torch", "torchvision", "matplotlib", "seaborn", "pandas"}
