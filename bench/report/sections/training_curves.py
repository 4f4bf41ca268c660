"""How did training proceed? Accuracy by epoch with bands over seeds, and training against validation loss."""

from __future__ import annotations

import math
from textwrap import wrap

import numpy as np
import pandas as pd

from bench.report.charts.drawing import chart_data, pick, unless_picked, zoom
from bench.report.charts.style import (
    BLUE,
    GREY,
    HEIGHT,
    INK,
    VERMILLION,
    WIDTH,
    Series,
    alt,
    colour,
    dash,
    fitted,
    top_series,
)
from bench.report.comparison import Comparison
from bench.report.document import Chart, OmittedChart, Section
from bench.report.epoch_curves import epoch_curves

CURVES, LOSSES = "Learning curves", "Training against validation loss"

MAX_FAINT = 30
"""How many configurations besides the top ones are drawn, and how many pruned trials."""

MAX_EPOCHS = 60
"""Longer curves are drawn at so many epochs, evenly spaced, the last one among them."""

MAX_PANELS = 6
"""How many top configurations get a panel."""

TRAIN, VALIDATION = "training (dashed)", "validation (solid)"
PANEL = (165, 120)
TITLE_WIDTH = 28
"""Characters of a panel's title on one line."""
TITLE_PIXELS = 500
"""Of a whole title, which takes three lines or four."""


def training_curves(comparison: Comparison) -> Section:
    """Two charts."""
    frame = epoch_curves(comparison.group)
    return Section(
        "curves",
        "Training curves",
        draw=lambda: (accuracy_chart(comparison, frame), loss_chart(comparison, frame)),
    )


def accuracy_chart(comparison: Comparison, frame: pd.DataFrame) -> Chart | OmittedChart:
    """Validation accuracy by epoch, or training accuracy without validation."""
    column = "val_accuracy" if frame["val_accuracy"].notna().any() else "train_accuracy"
    curves = frame[frame[column].notna()]
    if not len(curves) or curves["epoch"].nunique() < 2:
        return OmittedChart(CURVES, "no trial has a curve of two epochs or more")
    series = top_series(comparison)
    bands = seed_bands(curves[curves["status"] == "complete"], column)
    top = bands[bands["label"].isin([styled.label for styled in series])]
    if not len(top):
        return OmittedChart(CURVES, "no configuration is complete")
    others = _sample(bands[~bands["label"].isin(set(top["label"]))], "label")
    pruned = _sample(_trials(curves[curves["status"] == "pruned"], column), "key")
    what = "validation accuracy" if column == "val_accuracy" else "training accuracy"
    least = _axis_start(top, pruned)
    below = int((pruned["last"] & (100 * pruned["mean"] < least)).sum()) if len(pruned) else 0
    n_others = bands["label"].nunique() - top["label"].nunique()
    n_pruned = curves.loc[curves["status"] == "pruned", "key"].nunique()
    sentences = [
        f"Mean {what} after every epoch over the seeds of each configuration named; the band spans its seeds, from the "
        "lowest to the highest, and is no confidence interval.",
        "Training accuracy is a running mean over the epoch's batches." * (column == "train_accuracy"),
        _counts("Faint", n_others, others["label"].nunique(), "other configuration"),
        _counts("Dotted", n_pruned, pruned["key"].nunique(), "pruned trial"),
        f"Pruned trials end in a cross, {below} of them below the axis." if len(pruned) else "",
        f"The axis starts at {least:g} %; lower values are cut off." if least > 100 * curves[column].min() else "",
        f"Drawn at {MAX_EPOCHS} epochs evenly spaced." if curves["epoch"].max() > MAX_EPOCHS else "",
    ]
    chart = _accuracy_layers(top, others, pruned, series, f"{what} in %", least)
    return Chart("curves", CURVES, " ".join(filter(None, sentences)), chart)


def seed_bands(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean, lowest and highest over seeds by label and epoch; columns label, epoch, mean, low, high, seeds.

    Epochs that not every one of a configuration's seeds reached are left out: a mean over fewer seeds would jump.
    """
    grouped = curves.groupby(["label", "epoch"], sort=False)[column].agg(["mean", "min", "max", "count"]).reset_index()
    bands = grouped.set_axis(["label", "epoch", "mean", "low", "high", "seeds"], axis=1)
    return bands[bands["seeds"] == bands.groupby("label")["seeds"].transform("max")].reset_index(drop=True)


def thinned(epochs: pd.Series[int]) -> pd.Series[bool]:
    """Which rows stay when curves longer than `MAX_EPOCHS` are drawn at as many epochs, evenly spaced."""
    drawn = set(np.unique(np.linspace(1, int(epochs.max()), MAX_EPOCHS).round().astype(int)).tolist())
    return epochs.isin(drawn) if epochs.max() > MAX_EPOCHS else epochs > 0


def _trials(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    rows = curves[["label", "key", "epoch"]].assign(mean=curves[column])
    return rows.assign(last=rows["epoch"] == rows.groupby("key")["epoch"].transform("max"))


def _sample(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """At most `MAX_FAINT` of the column's values, evenly spaced from the best last accuracy to the worst."""
    last = rows.groupby(column, sort=False).last()["mean"].sort_values(ascending=False, kind="stable")
    positions = np.linspace(0, max(len(last) - 1, 0), min(len(last), MAX_FAINT))
    return rows[rows[column].isin(set(last.index[np.unique(positions.round().astype(int))]))]


def _counts(look: str, total: int, drawn: int, noun: str) -> str:
    if not total:
        return ""
    plural = f"{noun}{'s' * (total > 1)}"
    some = (
        f"{drawn} of the {total} {plural}, evenly spaced from best to worst" if drawn < total else f"{total} {plural}"
    )
    return f"{look}: {some}."


def _axis_start(top: pd.DataFrame, pruned: pd.DataFrame) -> float:
    """Where the axis starts, in percent: the first epochs may lie far below all that matters.

    The better half of the pruned trials is included, as long as that leaves the top configurations half of the height.
    """
    late = top[top["epoch"] > max(1, top["epoch"].max() // 10)]
    low, high = late["low"].min(), late["high"].max()
    start = low - 0.25 * (high - low)
    if len(pruned):
        start = min(start, max(float(pruned.loc[pruned["last"], "mean"].median()), high - 2 * (high - start)))
    return float(np.floor(100 * max(start, 0)))


def _accuracy_layers(
    top: pd.DataFrame, others: pd.DataFrame, pruned: pd.DataFrame, series: tuple[Series, ...], title: str, least: float
) -> alt.LayerChart:
    drawn = tuple(styled for styled in series if styled.label in set(top["label"]))
    named = top.assign(name=top["label"].map({styled.label: styled.name for styled in drawn}))
    frames = (top.assign(mean=top["high"]), others, pruned)
    highest = 100 * max(float(frame["mean"].max()) for frame in frames if len(frame))
    scale = alt.Scale(domain=[least, min(100.0, highest + 0.06 * (highest - least))], nice=False, clamp=False)
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False), scale=alt.Scale(nice=False))
    y = alt.Y("mean:Q", title=title, scale=scale)
    tooltip = [
        alt.Tooltip("label:N", title="configuration"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("mean:Q", title=f"mean {title}", format=".2f"),
    ]
    picked = pick("name")
    base = alt.Chart(_percent(named)).encode(x=x)
    layers: list[alt.Chart] = []
    if len(others):
        layers.append(
            alt.Chart(_percent(others[["label", "epoch", "mean"]]))
            .mark_line(color=GREY, strokeWidth=1, opacity=0.35, clip=True)
            .encode(x=x, y=y, detail="label:N", tooltip=tooltip)
        )
    if len(pruned):
        dotted = alt.Chart(_percent(pruned)).encode(x=x, y=y, detail="key:N", tooltip=tooltip)
        layers += [
            dotted.mark_line(color=GREY, strokeWidth=1, opacity=0.6, strokeDash=[1, 3], clip=True),
            dotted.transform_filter("datum.last").mark_point(
                shape="M-1,-1L1,1M1,-1L-1,1", size=25, color=GREY, opacity=0.9, clip=True
            ),
        ]
    band_opacity = alt.condition(picked, alt.value(0.18 if len(drawn) < 5 else 0.1), alt.value(0.02))
    layers += [
        base.mark_area(clip=True).encode(
            y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour("name", drawn, "stroke"), opacity=band_opacity
        ),
        base.mark_line(strokeWidth=2, clip=True)
        .encode(
            y=y,
            color=colour("name", drawn, "stroke"),
            strokeDash=dash("name", drawn),
            opacity=unless_picked(picked),
            tooltip=tooltip,
        )
        .add_params(picked, zoom()),
    ]
    return alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT)


def _percent(rows: pd.DataFrame) -> alt.InlineData:
    rows = rows[thinned(rows["epoch"]) | rows.get("last", False)]
    return chart_data(rows.assign(**{name: 100 * rows[name] for name in ("mean", "low", "high") if name in rows}))


def loss_chart(comparison: Comparison, frame: pd.DataFrame) -> Chart | OmittedChart:
    """A panel per top configuration: both losses by epoch, and the epoch of the least validation loss marked."""
    complete = frame[frame["status"] == "complete"]
    curves = complete[complete["train_loss"].notna() & complete["val_loss"].notna()]
    if not len(curves) or curves["epoch"].nunique() < 2:
        return OmittedChart(LOSSES, "no trial has both losses of two epochs or more")
    drawn = [styled for styled in top_series(comparison) if styled.label in set(curves["label"])][:MAX_PANELS]
    if not drawn:
        return OmittedChart(LOSSES, "no top configuration has both losses")
    rows = mean_losses(curves[curves["label"].isin([styled.label for styled in drawn])])
    starts = turning_points(rows)
    caption = (
        "Mean over seeds. The upright line is the epoch of the least validation loss: beyond it training loss goes on "
        "to fall and validation loss does not, which is where over-fitting starts; a line at the last epoch means that "
        "it had not started within the budget. Accuracy may still rise beyond it. Training loss is a running mean over "
        "the epoch's batches, with dropout and augmentation and without penalties, so it may lie above validation "
        "loss. High losses of the first epochs are cut off."
    )
    if rows["epoch"].max() > MAX_EPOCHS:
        caption += f" Drawn at {MAX_EPOCHS} epochs evenly spaced."
    names = fitted([styled.name for styled in drawn], TITLE_PIXELS)
    panels = [
        _loss_panel(
            rows[rows["label"] == styled.label], starts[styled.label], names[styled.name], first=number % 2 == 0
        )
        for number, styled in enumerate(drawn)
    ]
    return Chart("losses", LOSSES, caption, alt.concat(*panels, columns=2, spacing=16), folded=True)


def mean_losses(curves: pd.DataFrame) -> pd.DataFrame:
    """Both losses as mean over seeds; columns label, epoch, mean, split."""
    parts = [
        seed_bands(curves, column)[["label", "epoch", "mean"]].assign(split=split)
        for column, split in (("train_loss", TRAIN), ("val_loss", VALIDATION))
    ]
    return pd.concat(parts, ignore_index=True)


def turning_points(rows: pd.DataFrame) -> dict[str, int]:
    """Label to the epoch whose mean validation loss over seeds is least, the first of equals."""
    validation = rows[rows["split"] == VALIDATION].reset_index(drop=True)
    least = validation.loc[validation.groupby("label")["mean"].idxmin()]
    return {str(label): int(epoch) for label, epoch in zip(least["label"], least["epoch"], strict=True)}


def _loss_panel(rows: pd.DataFrame, start: int, name: str, first: bool) -> alt.LayerChart:
    last = int(rows["epoch"].max())
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, last], nice=False),
        axis=alt.Axis(tickMinStep=1, tickCount=5, grid=False),
    )
    y = alt.Y("mean:Q", title="loss" if first else None, scale=alt.Scale(domain=_loss_limits(rows), nice=False))
    order = [TRAIN, VALIDATION]
    lines = alt.Chart(chart_data(rows[thinned(rows["epoch"])])).mark_line(strokeWidth=2, clip=True)
    mark = alt.Chart(chart_data(pd.DataFrame({"epoch": [start], "text": [f"epoch {start}"]}))).encode(x=x)
    right = start > 0.6 * last
    colours, dashes = alt.Scale(domain=order, range=[VERMILLION, BLUE]), alt.Scale(domain=order, range=[[5, 3], [1, 0]])
    layers = [
        mark.mark_rule(color=INK, strokeWidth=1, strokeDash=[2, 2]),
        mark.mark_text(align="right" if right else "left", dx=-4 if right else 4, baseline="top").encode(
            y=alt.value(0), text="text:N"
        ),
        lines.encode(
            x=x,
            y=y,
            color=alt.Color("split:N", scale=colours, legend=alt.Legend(title=None)),
            strokeDash=alt.StrokeDash("split:N", scale=dashes),
            tooltip=[
                alt.Tooltip("split:N", title="loss"),
                alt.Tooltip("epoch:Q"),
                alt.Tooltip("mean:Q", title="mean over seeds", format=".4f"),
            ],
        ),
    ]
    title = alt.Title(wrap(name, TITLE_WIDTH), limit=0)
    return alt.LayerChart(layer=layers, width=PANEL[0], height=PANEL[1], title=title)


def _loss_limits(rows: pd.DataFrame) -> list[float]:
    """A range that cuts off the first epochs where they would flatten the others."""
    late = rows.loc[rows["epoch"] > max(1, rows["epoch"].max() // 10), "mean"]
    low, high = float(late.min()), float(late.max())
    margin = 0.08 * max(high - low, 1e-3)
    return [math.floor(1000 * max(low - margin, 0)) / 1000, math.ceil(1000 * (high + 2 * margin)) / 1000]
