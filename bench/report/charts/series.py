"""Which configurations get a colour, a shape and a dash of their own, the same in every chart of a part?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from bench.report.charts.names import label_expression
from bench.report.charts.theme import DASHES, LEGEND_NAME, SERIES, SHAPES
from bench.report.report import Comparison

MARKS = "“Chosen” is by validation; “tied” cannot be told from the best."


@dataclass(frozen=True)
class Series:
    """A configuration with a style: its label in tables, what legends call it, and how it is drawn."""

    label: str
    name: str
    colour: str
    shape: str
    dash: list[int]


def series(comparison: Comparison) -> tuple[Series, ...]:
    """The part's leaders in order, the chosen one first; where all complete ones are few enough, then the others."""
    done = comparison.frame[(comparison.frame["kind"] == "trained") & (comparison.frame["status"] == "complete")]
    shown = list(comparison.analysis.leaders)
    if len(done) <= len(SERIES):
        shown = list(dict.fromkeys([*shown, *done["label"]]))
    chosen, tied = set(done.loc[done["selected"], "label"]), set(done.loc[done["in_best_set"].fillna(False), "label"])
    return tuple(
        Series(label, label + _remark(label in chosen, label in tied and len(tied) > 1), colour, shape, list(dash))
        for label, colour, shape, dash in zip(shown, SERIES, SHAPES, DASHES, strict=False)
    )


def _remark(is_chosen: bool, is_tied: bool) -> str:
    remarks = ["selected"] * is_chosen + ["in best set"] * is_tied
    return f" ({', '.join(remarks)})" if remarks else ""


def colour(field: str, shown: tuple[Series, ...], symbol: str | None = None) -> alt.Color:
    """A scale from the leaders' names to their colours; `symbol` is ``stroke`` where the legend shows lines."""
    scale = alt.Scale(domain=[one.name for one in shown], range=[one.colour for one in shown])
    return alt.Color(f"{field}:N", scale=scale, legend=legend([one.name for one in shown], symbol))


def shape(field: str, shown: tuple[Series, ...]) -> alt.Shape:
    """A scale from the leaders' names to their shapes; its legend merges with that of the colours."""
    scale = alt.Scale(domain=[one.name for one in shown], range=[one.shape for one in shown])
    return alt.Shape(f"{field}:N", scale=scale, legend=legend([one.name for one in shown]))


def dash(field: str, shown: tuple[Series, ...]) -> alt.StrokeDash:
    """A scale from the leaders' names to their dashes; its legend merges with that of the colours."""
    scale = alt.Scale(domain=[one.name for one in shown], range=[one.dash for one in shown])
    return alt.StrokeDash(f"{field}:N", scale=scale, legend=legend([one.name for one in shown], "stroke"))


def legend(names: Sequence[str], symbol: str | None = None) -> alt.Legend:
    """A line for each name, which is cut in the middle where it is too long."""
    labels = label_expression(names, LEGEND_NAME)
    if symbol is None:
        return alt.Legend(title=None, labelExpr=labels)
    return alt.Legend(title=None, labelExpr=labels, symbolType=symbol, symbolSize=300)
