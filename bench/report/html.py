"""The report as one page that opens offline: no request, light and dark, phone and paper, readable without scripts."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.jsonutil import JsonObject
from bench.report.charts.drawing import library, page_svg, specification, svg_of
from bench.report.charts.style import CONFIG
from bench.report.csv_json import csv_of, with_axes
from bench.report.document import Cell, Chart, Column, Report, Section, Table
from bench.report.latex import HEAD, latex_table
from bench.report.page_layout import MAX_ROWS, DrawnChart, PageSection, arrange, brief, in_rows
from bench.report.terms import TERMS, anchor_of, term_of
from bench.suite.labels import SEPARATOR

COMMON = {"config", "$schema"}
"""Keys of specifications that are the same in all: the page has them once."""


def to_html(report: Report, most: int = MAX_ROWS, live: str = "") -> str:
    """The page as text. Every name is escaped: a model called ``<script>`` is displayed as that.

    Of a table with more than `most` rows it has the first ones in full, and says so. One that is `live` names the
    ledger's version, and asks the server it came from whether that has changed (`bench.report.serve`).
    """
    templates = environment()
    templates.filters["order"] = lambda value: "" if math.isnan(value) else f"{value!r}"
    parts = [(f"part-{number}", sections) for number, sections in enumerate(report.sections, 1)]
    parts.append(("report", report.closing))
    arranged = [
        in_rows([arrange(section, list(_draw(section.charts, anchor))) for section in sections])
        for anchor, sections in parts
    ]
    overviews = [
        next(iter(_draw([chart], f"part-{number}")), None)
        if summary.draw and isinstance(chart := summary.draw(), Chart)
        else None
        for number, summary in enumerate(report.summaries, 1)
    ]
    scripts = _scripts([section for _, sections in parts for section in sections])
    drawn = [chart for part in arranged for section in part for chart in (*section.charts, *section.more_charts)]
    with_charts = bool(drawn) or any(overviews)
    if with_charts:
        scripts += [from_module("vega", library()), shipped("charts.js")]
    tables = {
        f"{anchor}-{table.name}": _files(table)
        for anchor, sections in parts
        for section in sections
        for table in section.filled("page")
        if not table.cards
    }
    if tables or with_charts:
        scripts += [shipped("save.js")]
    if live:
        scripts += [shipped("live.js")]
    if scripts:
        scripts = [shipped("page.js"), shipped("library.js"), *scripts]
    templates.globals |= {
        "arranged": arranged,
        "overviews": overviews,
        "date": _date(report),
        "section_id": _section_id,
        "charts_config": CONFIG if with_charts else {},
        "terms": TERMS if any(arranged) else {},
        "term_of": term_of,
        "anchor_of": anchor_of,
        "meaning": lambda heading: TERMS.get(term_of(heading), ""),
        "page_data": _packed({"specs": _specs(parts, arranged, overviews), "tables": tables}) if scripts else "",
        "brief": lambda text: _with_code(brief(text)[0]),
        "leading": partial(_leading, most),
        "values": _values,
        "classes_of": _classes,
    }
    page = templates.get_template("page.html.j2")
    return page.render(report=report, scripts=scripts, policy=policy(scripts, bool(live)), live=live)


def _specs(
    parts: Sequence[tuple[str, Sequence[Section]]],
    arranged: Sequence[Sequence[PageSection]],
    overviews: Sequence[DrawnChart | None],
) -> dict[str, JsonObject]:
    """The specification of each chart, by its id in the page."""
    anchors = [anchor for anchor, _ in parts]
    drawn = [
        (anchor, chart)
        for anchor, sections in zip(anchors, arranged, strict=True)
        for section in sections
        for chart in (*section.charts, *section.more_charts)
    ]
    drawn += [(anchor, chart) for anchor, chart in zip(anchors, overviews, strict=False) if chart]
    return {f"{anchor}-{item.chart.name}": item.spec for anchor, item in drawn}


def _files(table: Table) -> dict[str, str]:
    """What a reader may save of a table; the CSV of a sortable one follows its filters, so its script makes it."""
    latex = {"tex": HEAD + latex_table(table)}
    return latex if table.controls and table.controls.sortable else {"csv": csv_of(table.frame), **latex}


def _packed(content: Any) -> Markup:
    """Data for the page's scripts, compressed: `packed` of `templates/library.js` reads them."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), mtime=0)).decode("ascii")
    return Markup(f'<script type="application/json+gzip" id="page-data">{packed}</script>')


def _isolated(text: str) -> str | Markup:
    """A name that is written from right to left, so that what stands next to it keeps its order."""
    if any(unicodedata.bidirectional(character) in ("R", "AL", "RLE", "RLO", "RLI") for character in text):
        return Markup("<bdi>{}</bdi>").format(text)
    return text


def _with_code(text: str) -> Markup:
    """A sentence whose parts between backticks are marked as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _date(report: Report) -> str:
    """When the last trial ended: ``30 November 2026``; nothing where no record says it."""
    ended = [
        record.run_info.finished
        for comparison in report.comparisons
        for configuration in comparison.group.configurations
        for record in configuration.records
        if record.run_info.finished
    ]
    last = max(ended, default="")
    try:
        day = datetime.fromisoformat(last)
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"


def _section_id(anchor: str, name: str) -> str:
    """A section's anchor: ``calibration``, and ``calibration-2`` in the second comparison."""
    number = anchor.removeprefix("part-")
    return name if number in ("1", "report") else f"{name}-{number}"


def _draw(charts: Iterable[Chart], anchor: str) -> Iterator[DrawnChart]:
    """The charts drawn; `anchor` is the comparison's id, which makes ids within the images unique."""
    for chart in charts:
        if chart.on_page:
            spec = specification(chart, background="transparent", titled=False)
            image, width = page_svg(svg_of(spec), f"{anchor}-{chart.name}", chart.title)
            yield DrawnChart(
                chart, Markup(image), width, {key: value for key, value in spec.items() if key not in COMMON}
            )


def _leading(most: int, table: Table) -> tuple[list[int], list[int]]:
    """The positions of the rows displayed in full, and of the others."""
    positions = table.leading(most)
    return positions, sorted(set(range(len(table.rows))) - set(positions))


def _classes(cell: Cell, column: Column, sortable: bool) -> str:
    """The classes of a cell; a number needs none but in the table that is sorted."""
    kind = {"text": "word", "label": "word label", "number": "number" if sortable else ""}.get(column.kind, column.kind)
    return f"{kind} {'' if cell.style in ('code', 'strong') else cell.style}".strip()


def _values(table: Table, positions: Sequence[int]) -> dict[str, Any]:
    """What the script of a table's controls reads: its data, and the rows to be saved as lines of CSV."""
    controls = table.controls
    assert controls is not None
    if controls.export_without is None:
        return dict(controls.data(positions))
    frame = with_axes(table.frame) if "config" in table.frame else table.frame
    rows = frame.iloc[list(positions)].drop(columns=list(controls.export_without))
    lines = [_csv_line(cells) for cells in csv.reader(io.StringIO(csv_of(rows)))]
    return {"csv": lines, **controls.data(positions)}


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _scripts(sections: Sequence[Section]) -> list[Script]:
    """The scripts of the tables' controls, in the order they run, after what they need."""
    controls = [table.controls for section in sections for table in section.filled("page") if table.controls]
    names = list(dict.fromkeys(control.script for control in controls))
    needed: list[Script] = [datatables()] if any(control.sortable for control in controls) else []
    return needed + [shipped(f"{name}.js") for name in names]


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


@dataclass(frozen=True)
class Library(Script):
    """A script that runs when another one asks for it by its name (`templates/library.js`).

    It stands in the page compressed, as data: two fifths of its size, which is most of a page.
    """

    name: str

    @property
    def tag(self) -> Markup:
        packed = base64.b64encode(gzip.compress(self.text.encode(), mtime=0)).decode("ascii")
        return Markup(f'<script type="application/gzip" id="library-{self.name}">{packed}</script>')


def script(text: str) -> Script:
    """A script from its source; an end tag within one of its strings would end the element, so it is broken up."""
    return Script(re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE))


def from_module(name: str, code: str) -> Library:
    """A library from a module's code, whose variables stay its own, as a module's do."""
    return Library(f'(() => {{ "use strict";{code}\n}})();', name)


def shipped(name: str) -> Script:
    """A script from the folder of the templates."""
    return script((files("bench.report") / "templates" / name).read_text("utf-8"))


def datatables() -> Library:
    """DataTables (https://datatables.net, MIT) with jQuery and its extensions, as itables ships them.

    They come as a module that exports; within a page nobody can import it, so jQuery, which carries DataTables, is
    put where the scripts after it find it.
    """
    text = (files("itables") / "html" / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"\bexport\s*\{([^}]*)\}", text)
    name = exported and re.search(r"([\w$]+) as jQuery\b", exported[1])
    if not exported or not name:
        raise RuntimeError("itables' dt_bundle.js no longer exports jQuery")
    code = f"{text[: exported.start()]}globalThis.jQuery={name[1]}{text[exported.end() :]}"
    return from_module("datatables", code)


def policy(scripts: Iterable[Script], live: bool = False) -> str:
    """The content security policy: no request at all, unless a live page asks its server, and no script but these."""
    allowed = " ".join(script.source for script in scripts) or "'none'"
    connect = "connect-src 'self'; " if live else ""
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"{connect}script-src {allowed}"
    )


def data(value: Any, name: str) -> Markup:
    """A value for the page's scripts, as JSON in an element that no browser runs; `name` is its id."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Within a script element only "<" can begin anything else.
    return Markup(f'<script type="application/json" id="{escape(name)}">') + Markup(
        text.replace("<", "\\u003c") + "</script>"
    )


def environment(package: str = "bench.report") -> Environment:
    """A package's templates; a model called ``<script>`` is displayed as that, and a missing value is an error."""
    templates = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"separator": SEPARATOR, "data": data}
    templates.filters["attribute"] = attribute
    templates.filters["isolated"] = _isolated
    templates.filters["with_code"] = _with_code
    return templates


def attribute(value: str, name: str) -> Markup:
    """An attribute of an element, with the space before it; nothing without a value."""
    return Markup(f' {name}="{escape(value)}"') if value else Markup("")
