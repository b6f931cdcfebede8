"""Writes CSV tables, and reads them and JSON descriptions, with a sentence where one is damaged.

The functions that draw figures take data, not files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError
from robustness.storage.atomic import read_json
from robustness.storage.format_version import check_format

if TYPE_CHECKING:
    import pandas as pd


NAMES = ("attack", "class", "dataset", "model", "source", "target")
"""Columns of names that a configuration gives: a model may be called `nan`, a class `01`."""

Row = Mapping[str, Any]
"""A row of a table: its values by the names of their columns."""


def read_rows(path: Path, text: Container[str]) -> list[Row]:
    """Read the rows of a CSV table without pandas, whose import takes as long as drawing a figure.

    Columns that `text` names stay text: a model may be called 7. In other columns numbers are numbers, True and False
    are truth values, and an empty cell is nan. Raises `UserError` when the file is missing, empty or not a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, strict=True))
        if not lines:
            raise ValueError("it is empty")
        names = lines[0]
        return [
            {name: value if name in text else _value(value) for name, value in zip(names, line, strict=True)}
            for line in lines[1:]
        ]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (csv.Error, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the workflow again") from None


def _value(written: str) -> str | float | bool:
    try:
        return int(written) if written.isdecimal() else float(written or "nan")
    except ValueError:  # no number
        return written == "True" if written in ("True", "False") else written


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows with the same columns as CSV, with six digits of what is no whole number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()} for row in rows
    )
    return text.getvalue()


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV table, with the columns of `NAMES` as text, whatever is in them.

    Raises `UserError` when the file is missing, empty or not a table.
    """
    import pandas as pd

    try:
        columns = pd.read_csv(path, nrows=0).columns
        missing = {name: ["", "nan"] for name in columns if name not in NAMES}
        return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=missing)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the workflow again") from None


def read_architectures(path: Path) -> dict[str, Any]:
    """Read the architectures that `describe_models` described, by name.

    Raises `UserError` when the file is missing, damaged or of a format that is not read.
    """
    content = read_json(path)
    # Format 1 said neither its format nor what else is in the file.
    check_format(path, content.get("provenance", {"format": 1}), oldest=2)
    return dict(content["architectures"])
