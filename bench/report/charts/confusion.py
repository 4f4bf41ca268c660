"""Which classes are taken for which? Heat maps for papers; the page shows the same counts as tables."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.names import label_expression
from bench.report.charts.theme import AXIS_NAME, BLUE, INK, VERMILLION
from bench.report.classes.details import Details
from bench.report.report import Comparison

MATRIX, DIFFERENCE = "Confusion matrix", "Difference of two confusion matrices"

MOST_CLASSES = 30
"""Beyond these a cell is too small to be told from its neighbours on a printed page."""

CELL = 40


def matrix(comparison: Comparison) -> Figure | LeftOut:
    """Of the chosen configuration, or of the first that has its details."""
    if not comparison.details:
        return LeftOut(MATRIX, "no configuration is complete", "")
    one = next((one for one in comparison.details if one.selected), comparison.details[0])
    if len(one.classes) > MOST_CLASSES:
        return LeftOut(MATRIX, f"{len(one.classes)} classes are too many for a heat map", "")
    rows = shares(one)
    caption = (
        f"{one.label}: share of each true class (row) that was given each class (column), in %, "
        f"over {len(one.seeds)} seed{'s' * (len(one.seeds) > 1)}. The colour grows with the root of the share."
    )
    scale = alt.Scale(type="sqrt", domain=[0, 100], range=["#ffffff", BLUE], interpolate="rgb")
    tone = alt.condition("datum.share > 30", alt.value("#ffffff"), alt.value(INK))
    return Figure("confusion", MATRIX, caption, _heat(rows, one.classes, scale, tone), "")


def difference(comparison: Comparison) -> Figure | LeftOut:
    """Of the first two leaders."""
    known = {one.label: one for one in comparison.details}
    leaders = [known[label] for label in comparison.analysis.leaders if label in known][:2]
    if len(leaders) < 2:
        return LeftOut(DIFFERENCE, "there are no two leaders", "")
    one, other = leaders
    if one.classes != other.classes or len(one.classes) > MOST_CLASSES:
        return LeftOut(DIFFERENCE, "the two have other classes, or too many", "")
    rows = shares(one)
    rows["share"] -= shares(other)["share"]
    rows["text"] = ["0" if abs(share) < 0.05 else f"{share:+.1f}".replace("-", "−") for share in rows["share"]]
    most = max(float(rows["share"].abs().max()), 0.1)
    caption = (
        f"{one.label} minus {other.label}: difference of the shares of each true class, in percentage points. On the "
        "diagonal blue is better, off it orange is. Single cells differ by chance; intervals stand in the page."
    )
    scale = alt.Scale(domain=[-most, 0, most], range=[VERMILLION, "#ffffff", BLUE], interpolate="rgb")
    tone = alt.condition(f"abs(datum.share) > {0.6 * most:.3f}", alt.value("#ffffff"), alt.value(INK))
    return Figure("confusion-difference", DIFFERENCE, caption, _heat(rows, one.classes, scale, tone), "")


def shares(one: Details) -> pd.DataFrame:
    """A row per cell: true, predicted, share (percent of the true class), count, text."""
    totals = np.maximum(one.confusion.sum(axis=1), 1)
    return pd.DataFrame(
        [
            {
                "true": true,
                "predicted": predicted,
                "share": share,
                "count": int(count),
                "text": f"{share:.1f}" if count else "0",
            }
            for row, true in enumerate(one.classes)
            for predicted, count in zip(one.classes, one.confusion[row], strict=True)
            for share in [100 * count / totals[row]]
        ]
    )


def _heat(rows: pd.DataFrame, classes: tuple[str, ...], scale: alt.Scale, tone: Any) -> alt.LayerChart:
    order = list(classes)
    labels = label_expression(order, AXIS_NAME)
    base = alt.Chart(values(rows)).encode(
        x=alt.X(
            "predicted:N",
            sort=order,
            title="predicted class",
            axis=alt.Axis(labelAngle=-45, domain=False, labelExpr=labels),
        ),
        y=alt.Y("true:N", sort=order, title="true class", axis=alt.Axis(domain=False, labelExpr=labels)),
        tooltip=["true:N", "predicted:N", alt.Tooltip("share:Q", format=".2f"), "count:Q"],
    )
    layers = [
        base.mark_rect().encode(color=alt.Color("share:Q", scale=scale, legend=None)),
        base.mark_text(fontSize=10).encode(text="text:N", color=tone),
    ]
    return alt.LayerChart(
        layer=layers,
        width=alt.Step(CELL),
        height=alt.Step(CELL * 3 // 5),
    )
