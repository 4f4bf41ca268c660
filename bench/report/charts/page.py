"""The charts as a page shows them: SVG that suits the page's paper, and the specification of the interactive view."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from bench.report.charts import LeftOut, drawn
from bench.report.charts.draw import specification, svg_of
from bench.report.charts.figure import Figure
from bench.report.report import Comparison

SVG = "http://www.w3.org/2000/svg"
DECIMALS = re.compile(r"(\.\d)\d+")
ROUNDED = ("d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height")
REFERRING = ("clip-path", "fill", "stroke")


@dataclass(frozen=True)
class Shown:
    """A chart in the page: its figure, the image that stands there first, its width and the interactive view."""

    figure: Figure
    image: Markup
    width: float
    spec: dict[str, Any]


@dataclass(frozen=True)
class Charts:
    """A part's charts; `group` picks those of one section of the page."""

    shown: tuple[Shown, ...]
    left_out: tuple[LeftOut, ...]

    def group(self, *names: str) -> list[Shown]:
        return [one for one in self.shown if one.figure.group in names]


def page_charts(comparison: Comparison, anchor: str) -> Charts:
    """Draw every chart that the page shows; `anchor` is the part's id, which makes those within the images unique."""
    everything = drawn(comparison)
    figures = [one for one in everything if isinstance(one, Figure) and one.group]
    left_out = tuple(one for one in everything if isinstance(one, LeftOut) and one.group)
    return Charts(tuple(_shown(one, f"{anchor}-{one.name}") for one in figures), left_out)


def _shown(figure: Figure, prefix: str) -> Shown:
    spec = specification(figure, background="transparent", titled=False)
    image, width = _fitted(svg_of(spec), prefix, figure.title)
    return Shown(figure, Markup(image), width, spec)


def _fitted(text: str, prefix: str, title: str) -> tuple[str, float]:
    """Vega's SVG made ready to stand beside others: ids of its own, no more digits than a screen shows, no fixed size.

    A tenth of a pixel is kept. Paths that draw nothing and each text's own typeface go, which halves the size.
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
