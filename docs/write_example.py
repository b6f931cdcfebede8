"""Copy the demo's finished page into docs/example/, and write from its tables what the README says was found.

`make example` runs it after the demo. It writes docs/example/ (the page, and the tables that numbers come from), the
README's picture, and the README's lines between two marks. The tests compare these lines with the tables.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
DEMO, EXAMPLE = ROOT / "results" / "demo", ROOT / "docs" / "example"
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "images" / "demo.png"
sys.path.insert(0, str(ROOT / "scripts"))

from robustness.claims.verdicts import FAILS, HOLDS, UNDECIDED  # noqa: E402
from robustness.errors import UserError  # noqa: E402
from robustness.figures import images, style  # noqa: E402
from robustness.storage.tables import Row, read_rows  # noqa: E402
from robustness.text import counted, listed, number, percent  # noqa: E402

DATASETS = {"mnist": "MNIST", "mnistm": "MNIST-M"}
KEPT = [
    "study.html",
    "claims.csv",
    *(f"{name}/tables/{table}.csv" for name in DATASETS for table in ("robustness", "robust_accuracy")),
]
SHOWN = ("mnist", "7", "resnet-noisy")
"""Dataset, class and model of the image in the picture."""

CONFIDENCE = 0.9
MARKS = ("<!-- found: written by make example -->\n", "<!-- end -->\n")


# ---- what was found -------------------------------------------------------------------------------------------------


def found(example: Path) -> str:
    """Return the README's list of what the demo found, from the tables in `example`."""
    attacked = {name: _attacked(example / name / "tables" / "robustness.csv") for name in DATASETS}
    points = [_fooled([row for rows in attacked.values() for row in rows])]
    points += [_changes(title, attacked[name]) for name, title in DATASETS.items()]
    points.append(_withstood(read_rows(example / "mnist/tables/robust_accuracy.csv", text=("model", "norm"))))
    points.append(_claims(read_rows(example / "claims.csv", text=("claim", "sentence", "verdict", "weights_verdict"))))
    return "".join(f"- {point}\n" for point in points)


def _attacked(path: Path) -> list[Row]:
    rows = read_rows(path, text=("attack", "model"))
    return [row for row in rows if row["attack"] == "original" and row["required_confidence"] == CONFIDENCE]


def _fooled(rows: Sequence[Row]) -> str:
    success, attacked = (sum(int(row[column]) for row in rows) for column in ("success", "attacked"))
    least = min(rows, key=lambda row: row["success"] / row["attacked"])
    return (
        f"**The paper's attack fooled {success:,} of {attacked:,} images**, and at least "
        f"{percent(least['success'] / least['attacked'])} of each model's images. It attacks those of the first 100 "
        "test images that a model classifies correctly."
    )


def _changes(title: str, rows: Sequence[Row]) -> str:
    least, most = (choose(rows, key=lambda row: row["mean_change"]) for choose in (min, max))
    return (
        f"**{title}:** `{least['model']}` needed the smallest mean change per pixel, {_with_interval(least)}, and "
        f"`{most['model']}` the largest, {_with_interval(most)}, with pixels in [0, 1]."
    )


def _with_interval(row: Row) -> str:
    value, low, high = (number(row[f"mean_change{end}"]) for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def _withstood(rows: Sequence[Row]) -> str:
    budget = min(row["budget"] for row in rows)
    most = max((row for row in rows if row["budget"] == budget), key=lambda row: row["robust_accuracy"])
    ends = " to ".join(percent(most[f"robust_{end}"]) for end in ("low", "high"))
    return (
        f"**Robust accuracy:** at L∞ ≤ {budget:g} on MNIST, {percent(most['robust_accuracy'])} ({ends}) of "
        f"{counted(most['images'], 'image')} withstand AutoAttack and our attacks on the best model, `{most['model']}`."
    )


def _claims(rows: Sequence[Row]) -> str:
    verdicts = Counter(row["weights_verdict"] for row in rows)
    counts = listed(f"*{verdict}* for {verdicts[verdict]}" for verdict in (HOLDS, FAILS, UNDECIDED))
    undecided = sum(row["verdict"] == UNDECIDED for row in rows)
    return (
        f"**The paper's claims:** of {len(rows)}, the verdict about these networks is {counts}. About the recipes, "
        f"which need several seeds, it is *undecided* for {undecided}."
    )


def with_block(text: str, block: str) -> str:
    """Return the README's text with `block` between its marks; raises `UserError` where they are missing."""
    start, end = MARKS
    if start not in text or end not in text:
        raise UserError(f"README.md lacks the lines {start.strip()} and {end.strip()}: put them back")
    return re.sub(f"{re.escape(start)}.*?{re.escape(end)}", lambda _: start + block + end, text, flags=re.DOTALL)


# ---- the page -------------------------------------------------------------------------------------------------------


def smaller(page: str) -> str:
    """Return a page in whose SVG figures the paths are rounded to a tenth of a point; the other numbers stay.

    A line to where the path already is goes, and so does the letter of a line that follows a line.
    """

    def rounded(path: re.Match[str]) -> str:
        short = re.sub(r"\d+\.\d{2,}", lambda digits: f"{float(digits[0]):.1f}", path[0])
        return re.sub(r"(\nL [\d. -]+)\1+", r"\1", short).replace(" \nL ", " ")

    def drawn(found: re.Match[str]) -> str:
        svg = re.sub(r' d="[^"]*"', rounded, b64decode(found[2]).decode())
        return found[1] + b64encode(svg.encode()).decode()

    return re.sub(r"(data:image/svg\+xml;base64,)([\w+/=]+)", drawn, page)


# ---- the picture ----------------------------------------------------------------------------------------------------


def picture(demo: Path) -> bytes:
    """Return a PNG: an image, what the attack made of it, and the difference, next to the chart of the mean changes."""
    from PIL import Image

    dataset, label, model = SHOWN
    chart = Image.open(demo / dataset / "figures" / "mean_change.png").convert("RGB")
    data = images.read_examples(demo / dataset / "attacks" / "original" / "examples.safetensors")
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


def main() -> None:
    """Copy the files, draw the picture and write the README's lines."""
    missing = [name for name in KEPT if not (DEMO / name).is_file()]
    if missing:
        sys.exit(f"results/demo lacks {listed(missing)}: run make demo first")
    for name in KEPT:
        (EXAMPLE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DEMO / name, EXAMPLE / name)
    page = EXAMPLE / "study.html"
    page.write_text(smaller(page.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_bytes(picture(DEMO))
    README.write_text(with_block(README.read_text(encoding="utf-8"), found(EXAMPLE)), encoding="utf-8")


if __name__ == "__main__":
    main()
