"""The report as one page that opens offline: no request, light and dark, phone and paper, readable without scripts."""

from __future__ import annotations

import math
from typing import Any

from bench.report import plots
from bench.report.board import board
from bench.report.cells import count, number, percent, unit
from bench.report.details import Details
from bench.report.page import Script, environment, policy, script, shipped
from bench.report.report import Part, Report


def to_html(report: Report) -> str:
    """The page as text. Every name is escaped: a model called ``<script>`` shows as that."""
    templates = environment()
    templates.filters |= {"percent": percent, "number": number, "count": count, "unit": unit}
    templates.globals |= {"board_of": board, "class_blocks": class_blocks, "apart_of": apart_of}
    scripts = _scripts(report)
    page = templates.get_template("page.html.j2")
    return page.render(report=report, scripts=scripts, policy=policy(scripts))


def _scripts(report: Report) -> list[Script]:
    """The scripts of the page in the order they run: a page without tables needs none."""
    if not any(len(part.frame) for part in report.parts):
        return []
    return [_tables(), shipped("board.js")]


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


def apart_of(part: Part) -> list[tuple[str, list[dict[str, Any]], int]]:
    """Trials that are never ranked, by status, with the number of their configurations."""
    return [
        (str(status), [{str(name): value for name, value in one.items()} for one in trials.to_dict("records")], labels)
        for status, trials in part.apart.groupby("status", sort=True)
        if (labels := trials["label"].nunique())
    ]


def class_blocks(part: Part) -> list[dict[str, Any]]:
    """What the figures per class of each shown configuration are drawn from."""
    return [_details(one) for one in part.details]


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
