"""The report as one page that opens offline: no script, no request, light and dark, phone and paper."""

from __future__ import annotations

import math
from typing import Any

from bench.report import plots
from bench.report.cells import headings, number, percent, rows
from bench.report.details import Details
from bench.report.page import environment
from bench.report.report import Part, Report
from bench.suite.labels import SEPARATOR
from bench.suite.metrics import METRICS


def to_html(report: Report) -> str:
    """The page as text. Every name is escaped: a model called ``<script>`` shows as that."""
    templates = environment()
    templates.filters["percent"] = percent
    page = templates.get_template("page.html.j2")
    return page.render(report=report, parts=[_part(part) for part in report.parts], separator=SEPARATOR)


def _part(part: Part) -> dict[str, Any]:
    shown = rows(part.frame)
    limits = plots.scale(shown)
    return {
        "section": part.section,
        "verdict": part.verdict,
        "rows": [(row, plots.whisker(row.numbers, limits) if limits else None) for row in shown],
        "headings": headings(shown, part.metrics),
        "metric": METRICS[part.metrics[0]].heading,
        "ends": [number(end, part.metrics[0]) for end in limits or ()],
        "limits": limits,
        "details": [_details(one) for one in part.details],
        "apart": [
            (status, trials.to_dict("records"), trials["label"].nunique())
            for status, trials in part.apart.groupby("status", sort=True)
        ],
    }


def _details(one: Details) -> dict[str, Any]:
    figures = one.figures
    return {
        "one": one,
        "classes": list(
            zip(one.classes, figures.precision, figures.recall, figures.f1, figures.support.tolist(), strict=True)
        ),
        "matrix": [
            (name, [(count, _shade(count, sum(counts))) for count in counts])
            for name, counts in zip(one.classes, one.matrix.tolist(), strict=True)
        ],
        "curves": plots.curves(one),
        "box": (plots.WIDTH, plots.HEIGHT, plots.LEFT, plots.RIGHT, plots.BOTTOM),
    }


def _shade(count: int, total: int) -> float:
    """Strength of a cell's colour in [0, 1]: the root of its share of the row, so that small errors show."""
    return round(math.sqrt(count / total), 3) if total else 0.0
