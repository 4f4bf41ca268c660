"""A chart's specification as text, as SVG and as PNG: vl-convert draws them, without a browser and offline."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import vl_convert

from bench.report.charts.figure import Figure
from bench.report.charts.theme import CONFIG

SCALE = 2
"""Pixels of a PNG per pixel of the chart."""


def specification(figure: Figure, background: str = "white", titled: bool = True) -> dict[str, Any]:
    """The chart as Vega-Lite, with the theme; a page titles it in HTML and lets its own paper shine through."""
    spec: dict[str, Any] = figure.chart.to_dict(validate=False)
    title = {"title": {"text": figure.title, "fontSize": 14, "fontWeight": "bold", "offset": 12}} if titled else {}
    return {**spec, **title, "background": background, "config": CONFIG}


def svg(figure: Figure, background: str = "white", titled: bool = True) -> str:
    """The chart as SVG; every text from a suite is escaped."""
    return svg_of(specification(figure, background, titled))


def svg_of(spec: dict[str, Any]) -> str:
    """A specification as SVG."""
    return str(vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[]))


def png(figure: Figure) -> bytes:
    """The chart as an image on white paper."""
    return bytes(vl_convert.vegalite_to_png(json.dumps(specification(figure)), scale=SCALE, allowed_base_urls=[]))


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one module that sets ``window.vegaEmbed`` and asks for no file.

    It holds Vega's expression interpreter, so that ``vegaEmbed(..., {ast: true})`` works where a page forbids `eval`.
    """
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
