"""The report as one page that opens offline: no request, light and dark, phone and paper, readable without scripts."""

from __future__ import annotations

from typing import Any

from bench.report.board import board
from bench.report.cells import count, number, percent, unit
from bench.report.classes import class_report as class_view
from bench.report.classes import gallery_view
from bench.report.findings.table import MOST_OPEN
from bench.report.findings.tables import claims
from bench.report.glance import glance
from bench.report.leading import ELSEWHERE, MOST, leading
from bench.report.page import Script, environment, policy, script, shipped
from bench.report.report import Comparison, Report


def to_html(report: Report, most: int = MOST) -> str:
    """The page as text. Every name is escaped: a model called ``<script>`` shows as that.

    Of a table with more than `most` rows it has the first ones in full, and says so.
    """
    # Altair takes a second to import, which other forms of the report need not wait for.
    from bench.report.charts import library
    from bench.report.charts.page import page_charts

    templates = environment()
    templates.filters |= {"percent": percent, "number": number, "count": count, "unit": unit}
    templates.globals |= {
        "claims_of": claims,
        "board_of": lambda comparison: board(comparison, most),
        "glance_of": glance,
        "class_view": class_view,
        "gallery_view": gallery_view,
        "apart_of": apart_of,
        "most_open": MOST_OPEN,
        "most": most,
        "elsewhere": ELSEWHERE,
        "leading": lambda frame: leading(frame, most),
        "many": any(len(leading(comparison.frame, most)) < len(comparison.frame) for comparison in report.comparisons),
    }
    charts = {
        f"part-{number}": page_charts(comparison, f"part-{number}")
        for number, comparison in enumerate(report.comparisons, 1)
    }
    templates.globals |= {"charts_of": charts.__getitem__}
    scripts = _scripts(report)
    if any(one.shown for one in charts.values()):
        scripts += [script(library()), shipped("charts.js")]
    page = templates.get_template("page.html.j2")
    return page.render(report=report, scripts=scripts, policy=policy(scripts))


def _scripts(report: Report) -> list[Script]:
    """The scripts of the page in the order they run: a page without tables needs none."""
    if not any(len(comparison.frame) for comparison in report.comparisons):
        return []
    return [_tables(), shipped("board.js"), shipped("classes.js"), shipped("gallery.js")]


def _tables() -> Script:
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


def apart_of(comparison: Comparison) -> list[tuple[str, list[dict[str, Any]], int]]:
    """Trials that are never ranked, by status, with the number of their configurations."""
    return [
        (str(status), [{str(name): value for name, value in one.items()} for one in trials.to_dict("records")], labels)
        for status, trials in comparison.not_ranked.groupby("status", sort=True)
        if (labels := trials["label"].nunique())
    ]
