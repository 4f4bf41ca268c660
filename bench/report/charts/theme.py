"""Colours, shapes, type and sizes that all charts share.

Colours are Okabe and Ito's (2008, Color Universal Design), which people with any form of colour blindness
can distinguish; a shape or a dash always repeats what the colour says. Pages map each of them to a lighter one on a
dark page by CSS (`templates/charts.css` selects ``[fill="#0072b2"]``), so that a specification has one set of colours.
"""

from __future__ import annotations

from typing import Any

INK, SOFT, RULE = "#1c2024", "#5a6370", "#dfe3e8"
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY = "#e69f00", "#56b4e9", "#8a939e"

SERIES = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, SOFT, INK)
"""One per top configuration, the selected one first."""

SHAPES = ("diamond", "circle", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left")
DASHES = ([1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [10, 3], [4, 4], [1, 3], [12, 2, 2, 2, 2, 2])

WIDTH, HEIGHT = 380, 240
"""Of the plot inside its axes, in pixels: drawn at its own size on a phone 390 pixels wide, text stays readable."""

AXIS_NAME, LEGEND_NAME = 170, 400
"""Pixels of a name beside an axis, and in a legend that has a line for each."""

WHOLE = 440
"""About the width of a chart with its axis, for what spans it: titles and the lines of a legend."""

CONFIG: dict[str, Any] = {
    # Marks of their own in the accessibility tree repeat what the tables say, and treble the size.
    "aria": False,
    "font": "Arial, Helvetica, Liberation Sans, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": SOFT,
        "titleColor": INK,
        "gridColor": RULE,
        "domainColor": GREY,
        "tickColor": GREY,
        "labelLimit": 0,  # `bench.report.charts.fit_names` cuts: Vega cuts the end off, and makes names equal
    },
    "legend": {
        "orient": "top",
        "direction": "vertical",
        "columns": 1,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": SOFT,
        "labelLimit": 0,
        "rowPadding": 1,
        "symbolStrokeWidth": 2,
        "symbolOpacity": 1,
    },
    "header": {"labelFontSize": 12, "labelColor": INK, "titleColor": INK, "labelLimit": 0},
    "title": {"fontSize": 12, "fontWeight": "normal", "color": INK, "anchor": "start", "frame": "group"},
    "text": {"fontSize": 12, "color": INK},
}
