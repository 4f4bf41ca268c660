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
from bench.report.charts.style import CONFIG, alt
from bench.report.document import Chart

DIGITS = 6
"""Significant digits of the numbers inside a specification."""

SCALE = 2
"""Pixels of a PNG per pixel of the chart."""

SVG = "http://www.w3.org/2000/svg"
GROUP, PATH = f"{{{SVG}}}g", f"{{{SVG}}}path"
DECIMALS = re.compile(r"(\.[1-9])\d*|\.0\d*")
ROUNDED = ("d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height")
REFERRING = ("clip-path", "fill", "stroke")
UNUSED = ("class", "font-family", "pointer-events", "aria-hidden", "role", "aria-roledescription")
DEFAULTS = {"opacity": "1", "x2": "0", "y2": "0", "transform": "translate(0,0)"}
INHERITED = ("fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight", "text-anchor")


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

    What draws nothing goes, and an attribute that all marks of a group have stands at the group, which makes it a third
    as long.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(text)
    for element in root.iter():
        for name in UNUSED:
            element.attrib.pop(name, None)
        for name, value in DEFAULTS.items():
            if element.get(name) == value:
                del element.attrib[name]
        for name in ROUNDED:
            if name in element.attrib:
                element.attrib[name] = DECIMALS.sub(r"\1", element.attrib[name])
        for name in REFERRING:
            if name in element.attrib:
                element.attrib[name] = element.attrib[name].replace("url(#", f"url(#{prefix}-")
        if "id" in element.attrib:
            element.attrib["id"] = f"{prefix}-{element.attrib['id']}"
    # In reverse, so that a group's children are done before the group.
    for element in reversed(list(root.iter())):
        _compact(element)
    width = float(root.attrib.pop("width"))
    del root.attrib["height"]
    root.attrib |= {"role": "img", "aria-label": title}
    return ElementTree.tostring(root, encoding="unicode"), width


def _compact(parent: ElementTree.Element) -> None:
    """Drop children that draw nothing, move to the group what all others inherit, open groups without attributes."""
    parent[:] = [child for child in parent if not _draws_nothing(child)]
    for name in INHERITED if parent.tag == GROUP else ():
        values = {child.get(name) for child in parent}
        if len(values) == 1 and None not in values:
            parent.set(name, values.pop() or "")
            for child in parent:
                del child.attrib[name]
    parent[:] = [
        element for child in parent for element in (child if child.tag == GROUP and not child.attrib else (child,))
    ]


def _draws_nothing(element: ElementTree.Element) -> bool:
    return (element.tag == PATH and element.get("d", "") in ("", "M0,0h0v0h0Z")) or (
        element.tag == GROUP and not len(element)
    )
