"""What does accuracy cost? Test figures against training time and against parameters, with the Pareto front."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from bench.metrics import METRICS
from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.live import OFF, ON, pick, zoom
from bench.report.charts.measure import axis_title, shown
from bench.report.charts.series import MARKS, Series, legend, series
from bench.report.charts.theme import GREY, HEIGHT, INK, SOFT, WIDTH
from bench.report.leaderboard_frame import NEVER_RANKED
from bench.report.leading import MOST
from bench.report.report import Comparison

TIED, OTHER, PUBLISHED = "other configuration (tied)", "other configuration", "published figure (hollow)"

BAR = "M-1,-0.3H1V0.3H-1Z"
"""A short bar: what is not tied differs from what is by its shape, too."""

AMOUNT = "format(datum.value, datum.value < 1000 ? '.3~r' : '~s')"
"""``0.12``, ``20``, ``1.5M``: d3's ``~s`` alone writes ``120m``."""

MOST_INTERVALS = 30
"""With more configurations than this only the leaders get their intervals drawn."""

INTERVALS = (
    "Thick bars: 95 % interval on this test set (over seeds; over images for a single seed). Thin bars: 95 % on new "
    "images. Whether two configurations differ is told by the pairs and the mark “tied”, not by bars that overlap."
)
FRONT = (
    "The line joins those that no other equals or beats in both (Pareto front), by means: a step on it may be noise."
)
ALONE = "One configuration is best in both, so that there is no front to draw."


def cost(comparison: Comparison, column: str, name: str, title: str, axis: str, caution: str) -> Figure | LeftOut:
    """The chart of test figures against one of the leaderboard's columns, on a log scale."""
    everything = frame(comparison, column)
    points = everything[leading_points(everything, METRICS[comparison.metrics[0]].ascending)]
    ours = points[points["role"] != "published"]
    if len(ours) < 2 or ours["x"].nunique() < 2:
        return LeftOut(title, f"fewer than two complete configurations differ in {axis}", "cost")
    left_out = _told(len(everything) - len(points))
    front = FRONT if points["front"].sum() > 1 else ALONE
    several = (
        "" if len(ours) <= MOST_INTERVALS else f" Of {len(ours)} configurations only those named have their bars drawn."
    )
    return Figure(
        name=name,
        title=title,
        caption=f"{caution} {MARKS} {INTERVALS}{several}{left_out} {front}",
        chart=_chart(points, series(comparison), comparison.metrics[0], axis),
        group="cost",
    )


def frame(comparison: Comparison, column: str) -> pd.DataFrame:
    """A row per complete configuration, and per published figure that is not refuted, with a cost above 0.

    Columns: label, kind (as the legend calls it), role (leader, rest or published), x, y, low, high, new_low, new_high,
    seeds, front, bars. Figures as they are shown (percent where the metric is).
    """
    board = comparison.frame
    usable = (board["status"] != "incomplete") & board["test_mean"].notna() & (board[column].fillna(0) > 0)
    refuted = board["note"].str.contains(NEVER_RANKED.replace("_", " "), regex=False)
    board = board[usable & ~refuted]
    names = {one.label: one.name for one in series(comparison)}
    metric = comparison.metrics[0]
    out = pd.DataFrame({"label": board["label"], "x": board[column].astype("float64"), "seeds": board["seeds"]})
    columns = {"y": "test_mean", "low": "test_low", "high": "test_high", "new_low": "new_low", "new_high": "new_high"}
    for ours, theirs in columns.items():
        out[ours] = shown(board[theirs].astype("float64"), metric)
    tied = board["in_best_set"].fillna(False).astype(bool)
    out["kind"] = [
        PUBLISHED if kind == "published" else names.get(label, TIED if also else OTHER)
        for kind, label, also in zip(board["kind"], board["label"], tied, strict=True)
    ]
    mine = board["kind"] == "trained"
    led = mine & out["label"].isin(list(names))
    out["role"] = led.map({True: "leader", False: "rest"}).where(mine, "published")
    out["front"] = False
    out.loc[mine, "front"] = _front(out[mine], METRICS[metric].ascending)
    out["bars"] = led if mine.sum() > MOST_INTERVALS else mine
    return out.sort_values("x", ignore_index=True)


def leading_points(points: pd.DataFrame, ascending: bool, most: int = MOST) -> pd.Series[bool]:
    """Which points are drawn: all but those below the first `most` that are not on the front either."""
    place = points["y"].where(points["role"] != "published").rank(ascending=ascending, method="first")
    return (place <= most) | points["front"] | (points["role"] != "rest")


def _told(left_out: int) -> str:
    return f" Below the leading {MOST:,} those on the front alone are drawn, {left_out:,} are not." if left_out else ""


def _front(points: pd.DataFrame, ascending: bool) -> pd.Series[bool]:
    """Whether no other point costs as little or less and is better (or as good at less cost)."""
    score = -points["y"] if ascending else points["y"]
    order = pd.DataFrame({"x": points["x"], "score": score}).sort_values(["x", "score"], ascending=[True, False])
    best = order["score"].cummax().shift(fill_value=-float("inf"))
    return (order["score"] > best).reindex(points.index)


def _chart(points: pd.DataFrame, leaders: tuple[Series, ...], metric: str, axis: str) -> alt.LayerChart:
    there = set(points["kind"])
    rest = [
        Series("", TIED, SOFT, "circle", []),
        Series("", OTHER, GREY, BAR, []),
        Series("", PUBLISHED, INK, "square", []),
    ]
    drawn = tuple(one for one in (*leaders, *rest) if one.name in there)
    domain, colours = [one.name for one in drawn], [one.colour for one in drawn]
    across = alt.X(
        "x:Q",
        title=f"{axis} (log scale)",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(labelExpr=AMOUNT, labelOverlap=True, tickCount=6),
    )
    up = alt.Y("y:Q", title=axis_title("test", metric), scale=alt.Scale(zero=False, padding=8))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=domain, range=colours), legend=legend(domain))
    shape = alt.Shape(
        "kind:N", scale=alt.Scale(domain=domain, range=[one.shape for one in drawn]), legend=legend(domain)
    )
    tooltip = [
        alt.Tooltip("label:N", title="configuration"),
        alt.Tooltip("y:Q", title=axis_title("test", metric), format=".2f" if METRICS[metric].percent else ".4f"),
        alt.Tooltip("x:Q", title=axis, format=",.4~g"),
        alt.Tooltip("seeds:Q", title="seeds"),
    ]
    base = alt.Chart(values(points))
    picked, zoomed = pick("kind"), zoom()
    marks = base.encode(
        x=across, y=up, tooltip=tooltip, color=colour, shape=shape, opacity=alt.condition(picked, ON, OFF)
    )
    looks: dict[str, dict[str, Any]] = {
        "rest": {"filled": True, "size": 40},
        "published": {"filled": False, "size": 60, "strokeWidth": 1.5},
        "leader": {"filled": True, "size": 90},
    }
    layers = [
        marks.transform_filter(f"datum.role === '{role}'").mark_point(clip=True, **look)
        for role, look in looks.items()
        if (points["role"] == role).any()
    ]
    bars = base.transform_filter("datum.bars").encode(x=across, color=colour, opacity=alt.condition(picked, ON, OFF))
    for low, high, width in (("low", "high", 3), ("new_low", "new_high", 1)):
        if points.loc[points["bars"], low].notna().any():
            drawn_bars = bars.mark_rule(strokeWidth=width, clip=True)
            layers.insert(0, drawn_bars.encode(y=alt.Y(f"{low}:Q"), y2=f"{high}:Q"))
    if points["front"].sum() > 1:
        front = base.transform_filter("datum.front").encode(x=across, y=up)
        layers.insert(0, front.mark_line(interpolate="step-after", color=GREY, strokeWidth=1.5, clip=True))
    layers[-1] = layers[-1].add_params(picked, zoomed)
    return alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT)
