"""How do charts look? Altair, colours and sizes, names that fit, and the style of each top configuration.

Altair is imported when a chart is drawn: it takes a second, which tables need not wait for.

Colours are Okabe and Ito's (2008, Color Universal Design), which people with any form of colour blindness
can distinguish; a shape or a dash always repeats what the colour says. Pages map each of them to a lighter one on a
dark page by CSS (`templates/charts.css` selects ``[fill="#0072b2"]``), so that a specification has one set of colours.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.report.comparison import Comparison


def _lazy(name: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}")
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


if TYPE_CHECKING:
    import altair

    alt = altair
else:
    alt = _lazy("altair")

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
"""Pixels of a name next to an axis, and in a legend that has a line for each."""

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
        "labelLimit": 0,  # `bench.report.charts.style` cuts: Vega cuts the end off, and makes names equal
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

CUT = "…"
NARROW, BROAD = frozenset("ijlI.,:;'|![]()ftr· /"), frozenset("mwMW%@")


def width(text: str) -> float:
    """About how many pixels a text is wide in the charts' type, Arial of 12 pixels: a little too many."""
    return sum(map(_pixels, text))


def _pixels(character: str) -> float:
    if character in NARROW:
        return 4.0
    if character in BROAD:
        return 11.0
    if unicodedata.east_asian_width(character) in "WF":
        return 13.0
    return 9.0 if character.isupper() else 7.0


def fitted(names: Iterable[str], pixels: float) -> dict[str, str]:
    """Each name as it is displayed in so many pixels; what is cut keeps the part in which it differs."""
    fitting = {name: _middle(name, pixels) for name in names}
    for same in _clashing(fitting):
        fitting |= {name: _around(name, _first_difference(same), pixels) for name in same}
    # Others differ in several places, of which the first was displayed.
    for number, name in enumerate((name for same in _clashing(fitting) for name in same), 1):
        mark = f" ({number})"
        fitting[name] = _middle(name, pixels - width(mark)) + mark
    return fitting


def label_expression(names: Sequence[str], pixels: float) -> Any:
    """A `labelExpr` for an axis or a legend of these names; `alt.Undefined` where all fit."""
    cut = {name: text for name, text in fitted(names, pixels).items() if name != text}
    return f"{json.dumps(cut)}[datum.label] || datum.label" if cut else alt.Undefined


def _clashing(fitting: dict[str, str]) -> list[list[str]]:
    """The names that are displayed alike."""
    by_text: dict[str, list[str]] = defaultdict(list)
    for name, text in fitting.items():
        by_text[text].append(name)
    return [names for names in by_text.values() if len(names) > 1]


def _first_difference(names: list[str]) -> int:
    columns = enumerate(zip(*names, strict=False))
    return next((position for position, characters in columns if len(set(characters)) > 1), min(map(len, names)))


def _middle(name: str, pixels: float) -> str:
    """The beginning and the end, equally long."""
    return _longest(
        name, pixels, lambda length: f"{name[: length - length // 2]}{CUT}{name[len(name) - length // 2 :]}"
    )


def _around(name: str, position: int, pixels: float) -> str:
    """The beginning, what stands around a place, and the end; a third each."""

    def text(length: int) -> str:
        third = length // 3
        start = min(max(position - third // 3, third), max(len(name) - 2 * third, third))
        end = min(start + third, len(name) - third)
        gaps = (CUT if start > third else "", CUT if end < len(name) - third else "")
        return f"{name[:third]}{gaps[0]}{name[start:end]}{gaps[1]}{name[len(name) - third :]}"

    return _longest(name, pixels, text)


def _longest(name: str, pixels: float, text: Callable[[int], str]) -> str:
    """The name if it fits, else `text` with as many characters of it as fit."""
    if width(name) <= pixels:
        return name
    return next((text(length) for length in range(len(name) - 1, 3, -1) if width(text(length)) <= pixels), text(3))


MARKS = "“Selected” is on validation; “best set”: not significantly different from the best."


@dataclass(frozen=True)
class Series:
    """A configuration with a style: its label in tables, its name in legends, and how it is drawn."""

    label: str
    name: str
    colour: str
    shape: str
    dash: list[int]


def top_series(comparison: Comparison) -> tuple[Series, ...]:
    """The top configurations in order, the selected one first; then the other complete ones where they are few."""
    frame = comparison.frame
    complete = frame[(frame["kind"] == "trained") & (frame["status"] == "complete")]
    labels = list(comparison.analysis.top)
    if len(complete) <= len(SERIES):
        labels = list(dict.fromkeys([*labels, *complete["label"]]))
    selected = set(complete.loc[complete["selected"], "label"])
    best_set = set(complete.loc[complete["in_best_set"].fillna(False), "label"])
    best_set = best_set if len(best_set) > 1 else set()
    return tuple(
        Series(
            label, label + _remark(label in selected, label in best_set and len(best_set) > 1), colour, shape, [*dash]
        )
        for label, colour, shape, dash in zip(labels, SERIES, SHAPES, DASHES, strict=False)
    )


def _remark(selected: bool, in_best_set: bool) -> str:
    remarks = ["selected"] * selected + ["best set"] * in_best_set
    return f" ({', '.join(remarks)})" if remarks else ""


def colour(field: str, series: tuple[Series, ...], symbol: str | None = None) -> alt.Color:
    """A scale from names to colours; `symbol` is ``stroke`` where the legend has lines."""
    names = [styled.name for styled in series]
    scale = alt.Scale(domain=names, range=[styled.colour for styled in series])
    return alt.Color(f"{field}:N", scale=scale, legend=legend(names, symbol))


def shape(field: str, series: tuple[Series, ...]) -> alt.Shape:
    """A scale from names to shapes; its legend merges with that of the colours."""
    names = [styled.name for styled in series]
    scale = alt.Scale(domain=names, range=[styled.shape for styled in series])
    return alt.Shape(f"{field}:N", scale=scale, legend=legend(names))


def dash(field: str, series: tuple[Series, ...]) -> alt.StrokeDash:
    """A scale from names to dashes; its legend merges with that of the colours."""
    names = [styled.name for styled in series]
    scale = alt.Scale(domain=names, range=[styled.dash for styled in series])
    return alt.StrokeDash(f"{field}:N", scale=scale, legend=legend(names, "stroke"))


def legend(names: Sequence[str], symbol: str | None = None) -> alt.Legend:
    """A line for each name, which is cut in the middle where it is too long."""
    labels = label_expression(names, LEGEND_NAME)
    if symbol is None:
        return alt.Legend(title=None, labelExpr=labels)
    return alt.Legend(title=None, labelExpr=labels, symbolType=symbol, symbolSize=300)
