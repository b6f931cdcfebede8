"""Converts the captions in report/*.rst to HTML: the study's page shows the same words as Snakemake's report.

A caption is a Jinja template, as Snakemake
fills it, in the little of reStructuredText that captions use: paragraphs, **bold**, *italic*, `code` and backslashes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

_INLINE = re.compile(
    r"\\(?P<literal>.)"
    r"|\*\*(?P<b>(?:\\.|[^\\])+?)\*\*"
    r"|\*(?P<i>(?:\\.|[^\\*])+?)\*"
    r"|`(?P<code>(?:\\.|[^\\`])+?)`",
    re.DOTALL,
)
_MARKS = re.compile(r"([\\*`|])")


@dataclass(frozen=True)
class Caption:
    """A caption in parts: its first, bold words; what follows them.

    The last paragraph, which names scale and settings, is left out: the page says these once, at its top.
    """

    title: Markup
    text: Markup

    @property
    def whole(self) -> Markup:
        """The title, bold, and the text."""
        from markupsafe import Markup

        return Markup("<b>{}</b>{}").format(self.title, self.text)


def caption(template: str, config: Mapping[str, Any], **wildcards: str) -> Caption:
    """Return the caption that `template` gives for a configuration and the wildcards of a rule.

    Texts of the configuration appear as they are: neither HTML nor asterisks in a title are taken for markup.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=False, finalize=_as_it_is)
    filled = environment.from_string(template).render(snakemake={"config": config, "wildcards": wildcards})
    first, *others = [" ".join(part.split()) for part in re.split(r"\n\s*\n", filled.strip())]
    bold = re.match(r"\*\*(?:\\.|[^\\])+?\*\*", first)
    title, rest = (first[2 : bold.end() - 2], first[bold.end() :]) if bold else ("", first)
    return Caption(title=to_html(title), text=to_html(" ".join([rest, *others[:-1]])))


def to_html(text: str) -> Markup:
    """Convert one paragraph of a caption to escaped HTML."""
    from markupsafe import Markup, escape

    parts, end = [], 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[end : match.start()]))
        kind = str(match.lastgroup)
        inner = match[kind]
        parts.append(escape(inner) if kind == "literal" else Markup(f"<{kind}>{{}}</{kind}>").format(to_html(inner)))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def _as_it_is(value: Any) -> Any:
    """Put a backslash before each character of a value that would be markup."""
    return _MARKS.sub(r"\\\1", value) if isinstance(value, str) else value
