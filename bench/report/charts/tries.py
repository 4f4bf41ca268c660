"""What does trying more settings bring, and which level is ahead when each has had as many tries?"""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.names import label_expression, width
from bench.report.charts.theme import DASHES, LEGEND_NAME, SERIES, WIDTH
from bench.report.report import Comparison

TITLE = "Expected best against number of tries"
MOST_LEVELS = 6
"""Per axis, those with the most tries."""

LEAST_TRIES = 3
"""Of two settings a line says nothing that the table does not."""

THIRD = 110
"""Pixels of a name in a legend of three columns."""

EVERYTHING = "all configurations"


def tries(comparison: Comparison) -> Figure | LeftOut:
    """A panel per axis, a line per level, from `part.analysis.tries`."""
    found = comparison.analysis.tries
    found = found[found.groupby("axis")["n_trials"].transform("max") >= LEAST_TRIES]
    if not len(found):
        return LeftOut(TITLE, "fewer than three configurations have a validation figure", "tries")
    shown = [(str(axis), _largest(rows)) for axis, rows in found.groupby("axis", sort=False)]
    panels = [
        _panel(rows, f"by {axis}" if axis else EVERYTHING, last=number == len(shown) - 1)
        for number, (axis, rows) in enumerate(shown)
    ]
    cut = any(rows["value"].nunique() > MOST_LEVELS for _, rows in found.groupby("axis"))
    caption = " ".join(
        [
            "Expected test accuracy of the setting that validation chooses among so many, drawn at random from those "
            "that were tried. Compare levels at the same number of tries: a level with more has had more chances. "
            "Lines end where a level's settings do; what further settings would bring is not known.",
            f"Of axes with more than {MOST_LEVELS} levels those with the most tries are drawn." * cut,
        ]
    )
    chart = alt.vconcat(*panels, spacing=14).resolve_scale(color="independent", strokeDash="independent")
    return Figure("tries", TITLE, caption.strip(), chart, "tries")


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    counts = rows.groupby("value", sort=False)["n_trials"].max().nlargest(MOST_LEVELS)
    return rows[rows["value"].isin(set(counts.index))]


def _panel(rows: pd.DataFrame, title: str, last: bool) -> alt.Chart:
    levels = list(dict.fromkeys(rows["value"]))
    several = len(levels) > 1
    data = rows.assign(validation=100 * rows["validation"], test=100 * rows["test"])
    ticks = alt.Axis(values=_ticks(int(data["n_trials"].max())), format="d", grid=False)
    columns = 3 if max(map(width, levels)) <= THIRD else 1
    labels = label_expression(levels, LEGEND_NAME)
    legend = (
        alt.Legend(title=None, columns=columns, labelExpr=labels, symbolType="stroke", symbolSize=300)
        if several
        else None
    )
    chart: alt.Chart = (
        alt.Chart(values(data[["value", "n_trials", "validation", "test"]]))
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18) if data["n_trials"].max() <= 40 else False)
        .encode(
            x=alt.X("n_trials:Q", title="settings tried" if last else None, axis=ticks),
            y=alt.Y("test:Q", title="test accuracy in %", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "value:N", scale=alt.Scale(domain=levels, range=list(SERIES[: len(levels)])), legend=legend
            ),
            strokeDash=alt.StrokeDash(
                "value:N",
                scale=alt.Scale(domain=levels, range=[list(one) for one in DASHES[: len(levels)]]),
                legend=legend,
            ),
            tooltip=[
                alt.Tooltip("value:N"),
                alt.Tooltip("n_trials:Q"),
                alt.Tooltip("test:Q", title="expected test accuracy in %", format=".2f"),
                alt.Tooltip("validation:Q", title="on validation", format=".2f"),
            ],
        )
        .properties(width=WIDTH, height=130, title=title)
    )
    return chart


def _ticks(most: int) -> list[int]:
    """At most eight whole numbers from 1 on."""
    step = -(-most // 8)
    return [1, *range(step * 2 if step == 1 else step, most + 1, step)]
