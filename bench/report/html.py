"""The report as one page that opens offline: no request, light and dark, phone and paper, readable without scripts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from bench.report.charts.drawing import library, page_svg, specification, svg_of
from bench.report.document import Chart, Section, Table
from bench.report.number_format import count, number, percent, unit
from bench.report.page import Script, environment, policy, script, shipped
from bench.report.report import Report

MAX_ROWS = 1000
"""Rows of a table that a page displays in full: more would take seconds to open."""

MAX_OPEN = 30
"""Rows of a table that is open in a page; a longer one is folded."""


@dataclass(frozen=True)
class DrawnChart:
    """A chart in the page: the image displayed first, its width and the interactive view's specification."""

    chart: Chart
    image: Markup
    width: float
    spec: dict[str, Any]


def to_html(report: Report, most: int = MAX_ROWS) -> str:
    """The page as text. Every name is escaped: a model called ``<script>`` is displayed as that.

    Of a table with more than `most` rows it has the first ones in full, and says so.
    """
    templates = environment()
    templates.filters |= {"percent": percent, "number": number, "count": count, "unit": unit, "order": _order}
    drawn = {
        (index, section.name): list(_draw(section, f"part-{index}"))
        for index, sections in enumerate(report.sections, 1)
        for section in sections
    }
    scripts = _scripts(report)
    if any(drawn.values()):
        scripts += [script(library()), shipped("charts.js")]
    templates.globals |= {
        "drawn": drawn,
        "omitted": _omitted,
        "max_rows": most,
        "max_open": MAX_OPEN,
        "commands": list(_commands(report, most)),
        "too_many": any(
            len(_board(sections).leading(most)) < len(_board(sections).rows) for sections in report.sections
        ),
        "leading": partial(_leading, most),
    }
    page = templates.get_template("page.html.j2")
    return page.render(report=report, scripts=scripts, policy=policy(scripts))


def _draw(section: Section, anchor: str) -> Iterator[DrawnChart]:
    """The section's charts; `anchor` is the comparison's id, which makes ids within the images unique."""
    for chart in section.charts:
        if chart.on_page:
            spec = specification(chart, background="transparent", titled=False)
            image, width = page_svg(svg_of(spec), f"{anchor}-{chart.name}", chart.title)
            yield DrawnChart(chart, Markup(image), width, spec)


def _omitted(sections: tuple[Section, ...]) -> str:
    """The charts that would say nothing, with the reasons."""
    charts = [chart for section in sections for chart in section.drawn if not isinstance(chart, Chart)]
    texts = [f"{chart.title[0].lower()}{chart.title[1:]} ({chart.reason})" for chart in charts if chart.on_page]
    return "; ".join(texts)


def _leading(most: int, table: Table) -> tuple[list[int], list[int]]:
    """The positions of the rows displayed in full, and of the others."""
    positions = table.leading(most)
    return positions, sorted(set(range(len(table.rows))) - set(positions))


def _order(value: float) -> str:
    return "" if math.isnan(value) else f"{value!r}"


def _board(sections: tuple[Section, ...]) -> Table:
    """The table that has controls."""
    return next(table for section in sections for table in section.tables if table.controls)


def _commands(report: Report, most: int) -> Iterator[tuple[str, str]]:
    """Label and command of each row displayed in full that can be reproduced."""
    for sections in report.sections:
        table = _board(sections)
        rows = (table.rows[position] for position in table.leading(most))
        yield from ((row["label"], row["command"]) for row in rows if row["command"])


def _scripts(report: Report) -> list[Script]:
    """The scripts of the page in the order they run: a page without tables needs none."""
    if not any(len(comparison.frame) for comparison in report.comparisons):
        return []
    return [_datatables(), shipped("leaderboard.js"), shipped("classes.js"), shipped("gallery.js")]


def _datatables() -> Script:
    """DataTables (https://datatables.net, MIT) with jQuery and its extensions, as itables ships them.

    They come as a module that exports; within a page nobody can import it, so jQuery, which carries DataTables, is
    put where the scripts after it find it.
    """
    import re
    from importlib.resources import files

    text = (files("itables") / "html" / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"\bexport\s*\{([^}]*)\}", text)
    name = exported and re.search(r"([\w$]+) as jQuery\b", exported[1])
    if not exported or not name:
        raise RuntimeError("itables' dt_bundle.js no longer exports jQuery")
    return script(f"{text[: exported.start()]}globalThis.jQuery={name[1]}{text[exported.end() :]}")
