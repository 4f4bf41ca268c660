"""What does each axis do, and which go together? A dot with its intervals per level, and per pair of levels."""

from __future__ import annotations

from textwrap import wrap

import altair as alt
import pandas as pd

from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.names import fitted, label_expression
from bench.report.charts.theme import BLUE, GREY, SOFT, WHOLE
from bench.report.report import Comparison
from bench.statistics.factor_effects import MEAN

EFFECTS, INTERACTIONS = "What each setting adds", "Settings that do more, or less, together"

MOST_LEVELS = 12
"""Of an axis with more levels the largest effects are drawn."""

MOST_PAIRS = 10
ROW = 24
"""Pixels per level."""

PLOT, HALF = 210, 195
"""Pixels of the plot beside names, and of each of two names on one line."""

TITLE_WIDTH = 70
"""Characters of a panel's title on one line."""

CLEAR, UNCLEAR = "95 % interval without 0 (filled)", "with 0 (hollow)"
UNIT = "points of test accuracy"


def effects(comparison: Comparison) -> Figure | LeftOut:
    """The effect of every level of every axis, from `part.analysis.effects`."""
    found = comparison.analysis.effects
    rows = _shown(found) if len(found) else found
    if not len(rows):
        return LeftOut(EFFECTS, "no two complete configurations differ in one axis alone", "effects")
    limits = _limits(rows)
    panels = [
        _panel(group, f"{axis}, against {_against(str(against))}", limits, last=axis == rows["axis"].iloc[-1])
        for (axis, against), group in rows.groupby(["axis", "against"], sort=False)
    ]
    cut = found.groupby("axis").size().max() > MOST_LEVELS
    gone = int(rows["missing"].max())
    caption = " ".join(
        sentence
        for sentence in (
            "Difference in mean test accuracy with everything else equal, over all complete configurations that have "
            "a partner. Thick bars: 95 % on this test set; thin bars: on new images; each by itself, without "
            "allowing for how many there are. An effect holds for the settings of this grid.",
            f"Of axes with more than {MOST_LEVELS} levels the largest effects are drawn." * bool(cut),
            f"Up to {gone} combinations of the other axes lack a partner and are left out." * (gone > 0),
        )
        if sentence
    )
    chart = alt.vconcat(*panels, spacing=14).resolve_scale(color="shared", shape="shared")
    return Figure("effects", EFFECTS, caption, chart, "effects")


def interactions(comparison: Comparison) -> Figure | LeftOut:
    """The strongest two-way interactions, from `part.analysis.interactions`."""
    found = comparison.analysis.interactions
    rows = found[found["effect"].notna()].head(MOST_PAIRS)
    if not len(rows):
        return LeftOut(INTERACTIONS, "no two axes were crossed over complete configurations", "effects")
    first = list(map(_named, rows["axis"], rows["value"]))
    second = list(map(_named, rows["with_axis"], rows["with_value"]))
    cut = fitted(dict.fromkeys([*first, *second]), HALF)
    rows = rows.assign(
        value=[f"{one} × {other}" for one, other in zip(first, second, strict=True)],
        shown=[f"{cut[one]} × {cut[other]}" for one, other in zip(first, second, strict=True)],
        clear=rows["p_holm"] < 0.05,
    )
    caption = (
        f"What two settings do together beyond the sum of their effects, the strongest {len(rows)}; "
        "thick bars: 95 % on this test set; thin bars: on new images. Filled: p < 5 % after Holm's correction over all "
        "that were looked at. The largest of many look larger than they are."
    )
    panel = _panel(rows, "", _limits(rows), last=True, wide=True)
    return Figure("interactions", INTERACTIONS, caption, panel, "effects")


def _named(axis: str, level: str) -> str:
    """A level with its axis, unless it names that itself (``batch_size=64``)."""
    return level if level.startswith(f"{axis}=") else f"{axis} {level}"


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    """Levels that have an effect, the largest of each axis, in the frame's order; `clear` where 0 is ruled out."""
    rows = found[found["effect"].notna()]
    largest = rows.assign(size=rows["effect"].abs()).groupby("axis", sort=False)["size"].nlargest(MOST_LEVELS)
    rows = rows.loc[sorted(largest.index.get_level_values(-1))]
    return rows.assign(clear=(rows["low"] > 0) | (rows["high"] < 0))


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    bounds = rows[["effect", "low", "high", "this_low", "this_high"]]
    low, high = min(0.0, float(bounds.min().min())), max(0.0, float(bounds.max().max()))
    margin = 0.05 * max(high - low, 0.001)
    return 100 * (low - margin), 100 * (high + margin)


def _against(against: str) -> str:
    return "the mean of its levels" if against == MEAN else f"“{against}”"


def _panel(
    rows: pd.DataFrame, title: str, limits: tuple[float, float], last: bool, wide: bool = False
) -> alt.LayerChart:
    data = pd.DataFrame(
        {
            "value": rows["value"],
            "shown": rows.get("shown", rows["value"]),
            **{name: 100 * rows[name] for name in ("effect", "low", "high", "this_low", "this_high")},
            "p": rows["p"],
            "n_strata": rows["n_strata"],
            "clear": rows["clear"].map({True: CLEAR, False: UNCLEAR}),
        }
    )
    across = alt.Scale(domain=list(limits), nice=False)
    axis = alt.Axis(title=UNIT if last else None, format="+.2~f", labels=True, tickCount=5)
    levels = list(data["value"])
    # Names of pairs are too long to stand beside the plot of a narrow page.
    beside = None if wide else alt.Axis(labelExpr=label_expression(levels, WHOLE - PLOT), grid=True)
    up = alt.Y("value:N", sort=levels, title=None, axis=beside)
    base = alt.Chart(values(data)).encode(y=up)
    fill = alt.Scale(domain=[CLEAR, UNCLEAR], range=[BLUE, "#ffffff"])
    marks = base.mark_point(size=70, opacity=1, fillOpacity=1, stroke=BLUE, strokeWidth=1.5).encode(
        x=alt.X("effect:Q", scale=across, axis=axis),
        fill=alt.Fill("clear:N", scale=fill, legend=None),
        tooltip=[
            alt.Tooltip("value:N", title="setting"),
            alt.Tooltip("effect:Q", title=UNIT, format="+.3f"),
            alt.Tooltip("low:Q", title="95 % on new images, from", format="+.3f"),
            alt.Tooltip("high:Q", title="to", format="+.3f"),
            alt.Tooltip("p:Q", title="p", format=".2~g"),
            alt.Tooltip("n_strata:Q", title="combinations used"),
        ],
    )
    layers = [
        alt.Chart(values(pd.DataFrame({"zero": [0]}))).mark_rule(color=GREY).encode(x=alt.X("zero:Q", scale=across)),
        base.mark_rule(strokeWidth=1, color=SOFT).encode(x=alt.X("low:Q", scale=across), x2="high:Q"),
        base.mark_rule(strokeWidth=3, color=BLUE, opacity=0.6).encode(
            x=alt.X("this_low:Q", scale=across), x2="this_high:Q"
        ),
        marks,
    ]
    size = ROW
    if wide:
        size = 2 * ROW
        layers.append(base.mark_text(align="left", baseline="bottom", dy=-8).encode(x=alt.value(0), text="shown:N"))
    width = WHOLE - 40 if wide else PLOT
    return alt.LayerChart(
        layer=layers, width=width, height=alt.Step(size), title=wrap(title, TITLE_WIDTH) or alt.Undefined
    )
