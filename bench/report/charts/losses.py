"""Where does over-fitting start? Training against validation loss of the leaders."""

from __future__ import annotations

import math
from textwrap import wrap

import altair as alt
import pandas as pd

from bench.report.charts.curves import MOST_EPOCHS, band, thinned
from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.names import fitted
from bench.report.charts.series import series
from bench.report.charts.theme import BLUE, INK, VERMILLION
from bench.report.report import Comparison

TITLE = "Training against validation loss"
MOST = 6
"""How many leaders get a panel."""

TRAIN, VALIDATION = "training (dashed)", "validation (solid)"
PANEL = (165, 120)
TITLE_WIDTH = 28
"""Characters of a panel's title on one line."""
TITLE_PIXELS = 500
"""Of a whole title, which takes three lines or four."""


def losses(part: Comparison) -> Figure | LeftOut:
    """A panel per leader: both losses by epoch, and the epoch of the least validation loss marked."""
    complete = part.curves[part.curves["status"] == "complete"]
    both = complete[complete["train_loss"].notna() & complete["val_loss"].notna()]
    if not len(both) or both["epoch"].nunique() < 2:
        return LeftOut(TITLE, "no trial kept both losses of two epochs or more", "curves")
    drawn = [one for one in series(part) if one.label in set(both["label"])][:MOST]
    if not drawn:
        return LeftOut(TITLE, "no leader kept both losses", "curves")
    rows = frame(both[both["label"].isin([one.label for one in drawn])])
    starts = turning_points(rows)
    caption = (
        "Mean over seeds. The upright line is the epoch of the least validation loss: beyond it training goes on to "
        "improve and validation does not, which is where over-fitting starts; a line at the last epoch means that it "
        "had not started within the budget. Accuracy may still rise beyond it. Training loss is a running mean over "
        "the epoch's batches, with dropout and augmentation and without penalties, so it may lie above validation "
        "loss. High losses of the first epochs are cut off."
    )
    several = f" Drawn at {MOST_EPOCHS} epochs evenly spaced." if rows["epoch"].max() > MOST_EPOCHS else ""
    names = fitted([one.name for one in drawn], TITLE_PIXELS)
    panels = [
        _panel(rows[rows["label"] == one.label], starts[one.label], names[one.name], first=number % 2 == 0)
        for number, one in enumerate(drawn)
    ]
    chart = alt.concat(*panels, columns=2, spacing=16)
    return Figure("losses", TITLE, caption + several, chart, "curves")


def frame(both: pd.DataFrame) -> pd.DataFrame:
    """Both losses as mean over seeds; columns label, epoch, mean, part."""
    parts = [
        band(both, column)[["label", "epoch", "mean"]].assign(part=part)
        for column, part in (("train_loss", TRAIN), ("val_loss", VALIDATION))
    ]
    return pd.concat(parts, ignore_index=True)


def turning_points(rows: pd.DataFrame) -> dict[str, int]:
    """Label to the epoch whose mean validation loss over seeds is least, the first of equals."""
    validation = rows[rows["part"] == VALIDATION].reset_index(drop=True)
    least = validation.loc[validation.groupby("label")["mean"].idxmin()]
    return {str(label): int(epoch) for label, epoch in zip(least["label"], least["epoch"], strict=True)}


def _panel(rows: pd.DataFrame, start: int, name: str, first: bool) -> alt.LayerChart:
    last = int(rows["epoch"].max())
    across = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, last], nice=False),
        axis=alt.Axis(tickMinStep=1, tickCount=5, grid=False),
    )
    up = alt.Y("mean:Q", title="loss" if first else None, scale=alt.Scale(domain=_limits(rows), nice=False))
    order = [TRAIN, VALIDATION]
    lines = alt.Chart(values(rows[thinned(rows["epoch"])])).mark_line(strokeWidth=2, clip=True)
    text = f"epoch {start}"
    mark = alt.Chart(values(pd.DataFrame({"epoch": [start], "text": [text]}))).encode(x=across)
    right = start > 0.6 * last
    layers = [
        mark.mark_rule(color=INK, strokeWidth=1, strokeDash=[2, 2]),
        mark.mark_text(align="right" if right else "left", dx=-4 if right else 4, baseline="top").encode(
            y=alt.value(0), text="text:N"
        ),
        lines.encode(
            x=across,
            y=up,
            color=alt.Color(
                "part:N", scale=alt.Scale(domain=order, range=[VERMILLION, BLUE]), legend=alt.Legend(title=None)
            ),
            strokeDash=alt.StrokeDash("part:N", scale=alt.Scale(domain=order, range=[[5, 3], [1, 0]])),
            tooltip=[
                alt.Tooltip("part:N", title="loss"),
                alt.Tooltip("epoch:Q"),
                alt.Tooltip("mean:Q", title="mean over seeds", format=".4f"),
            ],
        ),
    ]
    title = alt.Title(wrap(name, TITLE_WIDTH), limit=0)
    return alt.LayerChart(layer=layers, width=PANEL[0], height=PANEL[1], title=title)


def _limits(rows: pd.DataFrame) -> list[float]:
    """A range that leaves the first epochs' height to be cut off where it would flatten the rest."""
    late = rows.loc[rows["epoch"] > max(1, rows["epoch"].max() // 10), "mean"]
    low, high = float(late.min()), float(late.max())
    margin = 0.08 * max(high - low, 1e-3)
    return [math.floor(1000 * max(low - margin, 0)) / 1000, math.ceil(1000 * (high + 2 * margin)) / 1000]
