"""What the pages share: one offline file each, every name escaped, no script but those named by their hash."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.suite.labels import SEPARATOR


@dataclass(frozen=True)
class Script:
    """A script that stands in the page itself; all are modules, so they run in order once the page is read."""

    text: str

    @property
    def source(self) -> str:
        """Its entry in the content security policy: a browser runs this text and no other."""
        return f"'sha256-{base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode('ascii')}'"

    @property
    def tag(self) -> Markup:
        return Markup(f'<script type="module">{self.text}</script>')


def script(text: str) -> Script:
    """A script from its source; an end tag within one of its strings would end the element, so it is broken up."""
    return Script(re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE))


def shipped(name: str) -> Script:
    """A script that lies beside the templates."""
    return script((files("bench.report") / "templates" / name).read_text("utf-8"))


def policy(scripts: Iterable[Script]) -> str:
    """The content security policy: no request at all, and no script but these."""
    allowed = " ".join(one.source for one in scripts) or "'none'"
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"script-src {allowed}"
    )


def data(value: Any, name: str) -> Markup:
    """A value for the page's scripts, as JSON in an element that no browser runs; `name` is its id."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Within a script element only "<" can begin anything else.
    return Markup(f'<script type="application/json" id="{escape(name)}">') + Markup(
        text.replace("<", "\\u003c") + "</script>"
    )


def environment() -> Environment:
    """Where templates come from; a model called ``<script>`` shows as that, and a missing value is an error."""
    made = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"separator": SEPARATOR, "data": data, "outline": outline}
    return made


@dataclass(frozen=True)
class Outline:
    """A part's body with an id on each of its headings, and those headings as (id, text) for a table of contents."""

    body: Markup
    entries: tuple[tuple[str, Markup], ...]


def outline(body: Markup, prefix: str) -> Outline:
    """Number the `h3` of a part's body, ``part-1-2`` for the second with the prefix ``part-1``, unless it has an id."""
    entries: list[tuple[str, Markup]] = []

    def numbered(match: re.Match[str]) -> str:
        given = re.search(r'\bid="([^"]+)"', match["attributes"])
        name = given[1] if given else f"{prefix}-{len(entries) + 1}"
        entries.append((name, Markup(re.sub("<[^>]*>", "", match["text"]).strip())))
        return match[0] if given else f'<h3 id="{name}"{match["attributes"]}>{match["text"]}</h3>'

    marked = re.sub(r"<h3(?P<attributes>[^>]*)>(?P<text>.*?)</h3>", numbered, str(body), flags=re.DOTALL)
    return Outline(Markup(marked), tuple(entries))
