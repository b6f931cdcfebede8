"""Copy a finished study into docs/results/NAME/, with what it takes to know how it was made, and say what it found.

`make publish` runs it. It writes the page, tables, figures (SVG), the merged configuration and the times by rule. From
the tables it writes what was found, between marks in docs/results/README.md and, where it has some, in the README,
whose picture is of one run. The tests compare these lines with the tables.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "images" / "found.png"
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.claims.verdicts import FAILS, HOLDS, UNDECIDED  # noqa: E402
from robustness.config.overlays import merged  # noqa: E402
from robustness.config.validate import read_yaml  # noqa: E402
from robustness.errors import UserError  # noqa: E402
from robustness.figures import images, style  # noqa: E402
from robustness.storage.tables import Row, read_rows  # noqa: E402
from robustness.text import counted, listed, number, percent  # noqa: E402

IN_PICTURE = "default"
"""The run that the README's picture is of."""
SHOWN = ("mnist", "7", "resnet-noisy")
"""Dataset, class and model of the image in the README's picture."""
NOISE_CLAIMS = (1, 2, 3, 4, 5)
"""The claims about noisy training on MNIST, which the noise level may decide."""

CONFIDENCE = 0.9

_END = "<!-- end -->\n"
_IN_UNITS = ", with pixels in [0, 1]."


# ---- what was found -------------------------------------------------------------------------------------------------


def found(run: Path) -> str:
    """Return as Markdown what a published run found, from its tables and its configuration."""
    settings = read_yaml(run / "configuration.yaml")
    datasets = {name: settings["datasets"][name] for name in settings["study"]}
    attacked = {name: _attacked(run / name / "tables" / "robustness.csv") for name in datasets}
    seeds = len(settings["seeds"])
    points = [_fooled([row for rows in attacked.values() for row in rows], datasets, seeds)]
    points += [_changes(dataset["title"], attacked[name]) for name, dataset in datasets.items()]
    for name, dataset in datasets.items():
        rows = read_rows(run / name / "tables" / "robust_accuracy.csv", text=("model", "norm"))
        points.append(_withstood(dataset, [row for row in rows if row["norm"] == "linf"]))
    if read_rows(run / "claims.csv", text=()):
        points.append(claims_of(run))
    return "".join(f"- {point}\n" for point in points)


def by_claim(runs: Sequence[Path]) -> str:
    """Return a Markdown table: the verdicts of all runs on each of the paper's sentences.

    A run has a column about its weights and, with several seeds, one about the recipes; a run without claims has none.
    """
    head = ["", "the paper's sentence", "about"]
    lines: dict[str, list[str]] = {}
    for run in runs:
        rows = read_rows(run / "claims.csv", text=("claim", "dataset", "sentence", "weights_verdict", "verdict"))
        if not rows:
            continue
        settings = read_yaml(run / "configuration.yaml")
        titles = {name: dataset["title"] for name, dataset in settings["datasets"].items()}
        columns = {"weights_verdict": "weights"} | ({"verdict": "recipes"} if len(settings["seeds"]) > 1 else {})
        head += [f"{run.name}: {word}" for word in columns.values()]
        for row in rows:
            about = listed(titles.get(name, name) for name in str(row["dataset"]).split(", "))
            claim = str(row["claim"])
            line = lines.setdefault(claim, [claim, " ".join(str(row["sentence"]).split()), about])
            line += [str(row[column]) if row["images"] else "not in this run" for column in columns]
    return _table([head, ["---"] * len(head), *lines.values()])


def published() -> list[Path]:
    """Return the folders of all published runs, the default scale's first."""
    runs = sorted(path.parent for path in RESULTS.glob("*/claims.csv"))
    return sorted(runs, key=lambda run: run.name != "default")


def by_noise(run: Path) -> str:
    """Return a Markdown table: the verdicts, at each noise level, on the claims that the level may decide."""
    path = run / "mnist" / "tables" / "sensitivity.csv"
    rows = [
        row for row in read_rows(path, text=("parameter", "claim", "weights_verdict")) if row["parameter"] == "sigma"
    ]
    levels = sorted({row["value"] for row in rows})
    verdicts = {(int(row["claim"]), row["value"]): str(row["weights_verdict"]) for row in rows}
    lines = [["claim", *(f"σ = {level:g}" for level in levels)], ["---"] * (len(levels) + 1)]
    lines += [[str(claim), *(verdicts[claim, level] for level in levels)] for claim in NOISE_CLAIMS]
    return _table(lines)


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _attacked(path: Path) -> list[Row]:
    rows = read_rows(path, text=("attack", "model"))
    return [row for row in rows if row["attack"] == "original" and row["required_confidence"] == CONFIDENCE]


def _fooled(rows: Sequence[Row], datasets: Mapping[str, Mapping[str, Any]], seeds: int) -> str:
    first = listed(sorted({f"{dataset['attacked_images']:,}" for dataset in datasets.values()}), "or")
    success, attacked = (sum(int(row[column]) for row in rows) for column in ("success", "attacked"))
    least = min(row["success"] / row["attacked"] for row in rows)
    of_each = f", and at least {percent(least)} of each model's images" if len(rows) > 1 else ""
    return (
        f"**The paper's attack fooled {success:,} of {attacked:,} images**{of_each}. It attacks each of the first "
        f"{first} test images that a model classifies correctly{f', in {seeds} trainings of it' if seeds > 1 else ''}."
    )


def _changes(title: str, rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return (
            f"**{title}:** `{rows[0]['model']}` needed a mean change per pixel of {_with_interval(rows[0])}{_IN_UNITS}"
        )
    least, most = (choose(rows, key=lambda row: row["mean_change"]) for choose in (min, max))
    return (
        f"**{title}:** `{least['model']}` needed the smallest mean change per pixel, {_with_interval(least, rows)}, "
        f"and `{most['model']}` the largest, {_with_interval(most, rows)}{_IN_UNITS}"
    )


def _with_interval(row: Row, rows: Sequence[Row] = ()) -> str:
    """Return a mean change with its interval, and the models among `rows` whose intervals overlap with it.

    It is "at least" so large where images were not fooled: they need more than the change that they are counted with.
    """
    low, high = row["mean_change_low"], row["mean_change_high"]
    near = [each for each in rows if each["mean_change_low"] <= high and low <= each["mean_change_high"]]
    names = [f"`{each['model']}`" for each in near if each["model"] != row["model"]]
    apart = f"; not told from {listed(names)}" if names else ""
    least = "at least " if row["censored"] else ""
    return f"{least}{number(row['mean_change'])} ({number(low)} to {number(high)}{apart})"


def _withstood(dataset: Mapping[str, Any], rows: Sequence[Row]) -> str:
    budgets = sorted({row["budget"] for row in rows})
    stated = dataset["threat_models"]["linf"]  # as 8/255
    parts = []
    for place in (0, -1):
        at = [row for row in rows if row["budget"] == budgets[place]]
        most = max(at, key=lambda row: row["robust_accuracy"])
        best = [f"`{row['model']}`" for row in at if row["robust_accuracy"] == most["robust_accuracy"]]
        ends = " to ".join(percent(most[f"robust_{end}"]) for end in ("low", "high"))
        share = percent(most["robust_accuracy"])
        which = "" if len(at) == 1 else f" ({listed(best) if len(best) < len(at) else 'every model'})"
        parts.append(f"{share} ({ends}) at L∞ ≤ {stated[place]}{which}")
    of = ", of the best model at each budget" if len({row["model"] for row in rows}) > 1 else ""
    return (
        f"**Robust accuracy on {dataset['title']}{of}:** {listed(parts)}, of "
        f"{counted(rows[0]['images'], 'image')}, under AutoAttack and our attacks."
    )


def claims_of(run: Path) -> str:
    """Return the sentence that counts a run's verdicts on the paper's claims."""
    rows = read_rows(run / "claims.csv", text=("claim", "sentence", "verdict", "weights_verdict"))
    seeds = len(read_yaml(run / "configuration.yaml")["seeds"])
    tested = [row for row in rows if row["images"]]
    about = f", of which {len(tested)} are about this run's images" if len(tested) < len(rows) else ""

    def counts(column: str) -> str:
        verdicts = Counter(row[column] for row in tested)
        return listed(f"*{verdict}* for {verdicts[verdict]}" for verdict in (HOLDS, FAILS, UNDECIDED))

    undecided = sum(row["verdict"] == UNDECIDED for row in tested)
    recipes = (
        f"About the recipes, from {seeds} trainings of each, it is {counts('verdict')}."
        if seeds > 1
        else f"About the recipes, which need several seeds, it is *undecided* for {undecided}."
    )
    weights = counts("weights_verdict")
    return f"**The paper's claims:** of {len(rows)}{about}, the verdict about these networks is {weights}. {recipes}"


def pages_about(run: Path) -> list[Path]:
    """Return the pages that say what a run found: the page of all results, and the README if it marks the run."""
    marked = f" in {run.name}: written by make publish -->" in README.read_text(encoding="utf-8")
    return [RESULTS / "README.md", *([README] if marked else [])]


def written(page: Path, run: Path) -> str:
    """Return a page's text with what a run found between the marks that name it; raises `UserError` without one."""
    text = page.read_text(encoding="utf-8")
    blocks = {
        f"found in {run.name}": lambda: found(run),
        f"claims in {run.name}": lambda: f"{claims_of(run)}\n",
        f"noise in {run.name}": lambda: by_noise(run),
        "claims of all": lambda: by_claim(published()),
    }
    if not any(_mark(kind) in text for kind in blocks if kind.endswith(run.name)):
        raise UserError(
            f"{page} lacks the lines {_mark(f'found in {run.name}').strip()} and {_END.strip()}: put them back"
        )
    for kind, block in blocks.items():
        if _mark(kind) in text:
            before, _, after = text.partition(_mark(kind))
            text = before + _mark(kind) + block() + _END + after.partition(_END)[2]
    return text


def _mark(kind: str) -> str:
    return f"<!-- {kind}: written by make publish -->\n"


# ---- the page -------------------------------------------------------------------------------------------------------


def rounded(svg: str) -> str:
    """Return a figure whose paths are rounded to a tenth of a point; the other numbers stay.

    A line to where the path already is goes, and so does the letter of a line that follows a line.
    """

    def path(found: re.Match[str]) -> str:
        short = re.sub(r"\d+\.\d{2,}", lambda digits: f"{float(digits[0]):.1f}", found[0])
        short = re.sub(r"(\nL [\d. -]+)\1+", r"\1", short)
        # Only after M and L: after a curve, numbers without a letter are another curve's.
        lines = re.compile(r"^[ML] [^A-Z\n]*(?:\nL [^A-Z\n]*)+", re.MULTILINE)
        return lines.sub(lambda several: several[0].replace(" \nL ", " "), short)

    return re.sub(r'(?<= d=")[^"]*', path, svg)


def smaller(page: str) -> str:
    """Return a page whose figures are `rounded`."""

    def drawn(found: re.Match[str]) -> str:
        return found[1] + b64encode(rounded(b64decode(found[2]).decode()).encode()).decode()

    return re.sub(r"(data:image/svg\+xml;base64,)([\w+/=]+)", drawn, page)


# ---- the picture ----------------------------------------------------------------------------------------------------


def picture(results: Path) -> bytes:
    """Return a PNG: an image, what the attack made of it, and the difference, next to the chart of the mean changes."""
    from PIL import Image

    dataset, label, model = SHOWN
    chart = Image.open(results / dataset / "figures" / "mean_change.png").convert("RGB")
    data = images.read_examples(results / dataset / "attacks" / "original" / "examples.safetensors")
    with style.theme():
        figure = style.blank(1.5, style.COLUMN_WIDTH * chart.height / chart.width)
        _draw(figure.subplots(3, 1), data, data.rows(label)[0], data.models.index(model))
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=chart.width / style.COLUMN_WIDTH, facecolor="white")
    left = Image.open(drawn).convert("RGB")
    both = Image.new("RGB", (left.width + chart.width, max(left.height, chart.height)), "white")
    both.paste(left, (0, 0))
    both.paste(chart, (left.width, 0))
    both.thumbnail((1200, 1200))
    written = io.BytesIO()
    both.quantize(128).save(written, format="png", optimize=True)
    return written.getvalue()


def _draw(panels: Sequence[Axes], data: images.Examples, row: int, column: int) -> None:
    before, after = data.original[row], data.adversarial[row, column]
    answer = f"{data.label_after[row, column]} ({percent(float(data.confidence_after[row, column]), 3)})"
    titles = (f"original: {data.label[row]}", f"adversarial: {answer}", "difference")
    images.picture(panels[0], before)
    images.picture(panels[1], after)
    limit = float(abs(after - before).max())
    panels[2].imshow((after - before)[0], cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="none")
    panels[2].set_xlabel(f"model: {data.models[column]}", fontsize=style.SMALL_SIZE)
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=style.TEXT_SIZE)
        axes.set_xticks([])
        axes.set_yticks([])


# ---- the copy -------------------------------------------------------------------------------------------------------


def copied(results: Path, run: Path, settings: Mapping[str, Any]) -> None:
    """Copy a study's page, claims, tables, figures and times into the folder `run`, which it replaces.

    Raises `UserError` for a study that is not whole.
    """
    folders = [Path(name) / kind for name in settings["study"] for kind in ("tables", "figures")]
    needed = [*map(Path, ("study.html", "claims.csv", "run_time/run_time.csv")), *folders]
    if missing := [str(path) for path in needed if not (results / path).exists()]:
        raise UserError(
            f"{results} lacks {listed(missing)}: let the run end, then ask Snakemake for {results}/run_time"
        )
    shutil.rmtree(run, ignore_errors=True)
    tables = [path for folder in folders for path in sorted((results / folder).glob("*.csv"))]
    tables += [path for name in settings["study"] for path in sorted((results / name / "calibration").glob("*.json"))]
    figures = [path for folder in folders for path in sorted((results / folder).glob("*.svg"))]
    for path in [results / "claims.csv", results / "run_time" / "run_time.csv", *tables]:
        to = run / path.relative_to(results)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
    for path in figures:
        to = run / path.relative_to(results)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(rounded(path.read_text(encoding="utf-8")), encoding="utf-8")
    page = (results / "study.html").read_text(encoding="utf-8")
    (run / "study.html").write_text(smaller(page), encoding="utf-8")
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True, width=120)
    (run / "configuration.yaml").write_text(text, encoding="utf-8")


def main() -> None:
    """Copy the files, draw the picture and write the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="the run's folder in docs/results")
    parser.add_argument("results", type=Path, help="the folder of a finished study")
    parser.add_argument("overlays", type=Path, nargs="*", help="the files given with --configfile, in their order")
    options = parser.parse_args()
    run = RESULTS / options.name
    try:
        copied(options.results, run, merged(ROOT, map(read_yaml, options.overlays)))
        if options.name == IN_PICTURE:
            PICTURE.write_bytes(picture(options.results))
        for page in pages_about(run):
            page.write_text(written(page, run), encoding="utf-8")
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
