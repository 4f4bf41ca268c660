"""Characters that no name may have, and how text with such characters is displayed.

These are what a terminal obeys, what turns the direction of a line or ends it unseen, and what UTF-8 or XML has no form
for: one of them in a name spoils a screen, a table's row or a chart. Line breaks and tabs are allowed in texts of
several lines only, such as a traceback.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_OF_LINES = re.compile("[\t\n]")


def control_character(text: str, *, one_line: bool = False) -> str | None:
    """The first such character in a text; with `one_line`, as for names, line breaks and tabs count too."""
    match = _CONTROL.search(text) or (_OF_LINES.search(text) if one_line else None)
    return match[0] if match else None


def escaped(text: str) -> str:
    r"""The text with each of them written out, as ``\x1b`` or ``\u202e``."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escaped_line(text: str) -> str:
    """The same for a single line, such as the name of a file: line breaks and tabs are escaped too."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")
