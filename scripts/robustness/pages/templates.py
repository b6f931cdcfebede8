"""Fills the Jinja templates of pages: values are escaped for HTML, and a name that a template is not given is an error.

Reads the template and what it includes, from its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def rendered(template: Path, filters: Mapping[str, Callable[..., str]], **values: Any) -> str:
    """Return the page that a template makes from `values`; `filters` are the functions that it calls by name."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= filters
    return environment.get_template(template.name).render(**values)


def unbroken(text: str) -> str:
    """Keep quantities in a text from being split at the end of a line."""
    return text.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")
