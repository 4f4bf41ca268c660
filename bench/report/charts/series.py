"""Which configurations get a colour, a shape and a dash, the same in every chart of a comparison?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.charts.fit_names import label_expression
from bench.report.charts.lazy_altair import alt
from bench.report.charts.theme import DASHES, LEGEND_NAME, SERIES, SHAPES
from bench.report.comparison import Comparison

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
