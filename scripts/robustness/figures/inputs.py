"""Reading what figures are drawn from: CSV tables and JSON descriptions, with a sentence where one is damaged.

Reads; writes nothing. Exists so that the figure functions themselves take data, not files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path) -> pd.DataFrame:
    """A CSV table; raises `UserError` when the file is missing, empty or not a table."""
    import pandas as pd

    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the workflow again") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file; raises `UserError` when the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the workflow again") from None
