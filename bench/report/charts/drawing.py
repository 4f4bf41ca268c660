"""How are charts drawn? Data and interaction of a specification; SVG and PNG without a browser; SVG fit for a page."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from bench.metrics import METRICS
from bench.report.charts.lazy_altair import alt
from bench.report.charts.theme import CONFIG
from bench.report.document import Chart

DIGITS = 6
"""Significant digits of the numbers inside a specification."""

SCALE = 2
"""Pixels of a PNG per pixel of the chart."""

SVG = "http://www.w3.org/2000/svg"
DECIMALS = re.compile(r"(\.\d)\d+")
ROUNDED = ("d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height")
REFERRING = ("clip-path", "fill", "stroke")


def chart_data(frame: pd.DataFrame) -> alt.InlineData:
    """The rows as a specification's data; what is not finite becomes null."""
    return alt.InlineData(values=[{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")])


def _plain(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if value is None or pd.isna(value) or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else float(f"{float(value):.{DIGITS}g}")


def pick(field: str) -> alt.Parameter:
    """Pick an entry of the legend, or several with the shift key; a double click picks all again."""
    return alt.selection_point(fields=[field], bind="legend")


def unless_picked(picked: alt.Parameter) -> Any:
    """The opacity of what is picked, and of everything else."""
    return alt.condition(picked, alt.value(1), alt.value(0.12))


def zoom() -> alt.Parameter:
    """The wheel with the shift key zooms, a double click resets.

    Without the key, or by dragging, a chart would stop a page from being scrolled past it.
    """
    return alt.selection_interval(bind="scales", translate=False, zoom="wheel![event.shiftKey]")


def axis_title(split: str, metric: str) -> str:
    """``test accuracy in %``, with the direction where lower is better."""
    kind = METRICS[metric]
    return f"{split} {kind.heading}{' in %' if kind.percent else ''}{', lower is better' if kind.ascending else ''}"


def in_percent(values: pd.Series[float], metric: str) -> pd.Series[float]:
    """Fractions in percent, other metrics as they are."""
    return values * 100 if METRICS[metric].percent else values


def specification(chart: Chart, background: str = "white", titled: bool = True) -> dict[str, Any]:
    """The chart as Vega-Lite, with the theme; a page titles it in HTML and has a transparent background."""
    spec: dict[str, Any] = chart.chart.to_dict(validate=False)
    title = {"title": {"text": chart.title, "fontSize": 14, "fontWeight": "bold", "offset": 12}} if titled else {}
    return {**spec, **title, "background": background, "config": CONFIG}


def svg(chart: Chart) -> str:
    """The chart as SVG on white; every text from a suite is escaped."""
    return svg_of(specification(chart))


def svg_of(spec: dict[str, Any]) -> str:
    """A specification as SVG."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[]))


def png(chart: Chart) -> bytes:
    """The chart as an image on white."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(json.dumps(specification(chart)), scale=SCALE, allowed_base_urls=[]))


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one module that sets ``window.vegaEmbed`` and asks for no file.

    It holds Vega's expression interpreter, so that ``vegaEmbed(..., {ast: true})`` works where a page forbids `eval`.
    """
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def page_svg(text: str, prefix: str, title: str) -> tuple[str, float]:
    """Vega's SVG for a page that holds others, and its width: unique ids, no fixed size, a tenth of a pixel.

    Paths that draw nothing and each text's own typeface go, which halves the size.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}path" and not child.get("d"):
                parent.remove(child)
    for element in root.iter():
        for name in ("font-family", "pointer-events", "aria-hidden", "role", "aria-roledescription"):
            element.attrib.pop(name, None)
        for name in ROUNDED:
            if name in element.attrib:
                element.attrib[name] = DECIMALS.sub(r"\1", element.attrib[name])
        for name in REFERRING:
            if name in element.attrib:
                element.attrib[name] = element.attrib[name].replace("url(#", f"url(#{prefix}-")
        if "id" in element.attrib:
            element.attrib["id"] = f"{prefix}-{element.attrib['id']}"
    width = float(root.attrib.pop("width"))
    del root.attrib["height"]
    root.attrib |= {"role": "img", "aria-label": title}
    return ElementTree.tostring(root, encoding="unicode"), width
