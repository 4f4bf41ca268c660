"""How did training go? Accuracy by epoch with bands over seeds, the rest faint, pruned trials marked where they end."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.live import OFF, ON, pick, zoom
from bench.report.charts.series import Series, colour, dash, series
from bench.report.charts.theme import GREY, HEIGHT, WIDTH
from bench.report.report import Comparison

TITLE = "Learning curves"

MOST_FAINT = 30
"""How many configurations besides the leaders are drawn, and how many pruned trials."""

MOST_EPOCHS = 60
"""Longer curves are drawn at so many epochs, evenly spaced, the last one among them."""


def learning_curves(comparison: Comparison) -> Figure | LeftOut:
    """Validation accuracy by epoch, or training accuracy where nothing was held out."""
    column = "val_accuracy" if comparison.curves["val_accuracy"].notna().any() else "train_accuracy"
    kept = comparison.curves[comparison.curves[column].notna()]
    if not len(kept) or kept["epoch"].nunique() < 2:
        return LeftOut(TITLE, "no trial kept the curve of two epochs or more", "curves")
    leaders = series(comparison)
    bands = band(kept[kept["status"] == "complete"], column)
    led = bands[bands["label"].isin([one.label for one in leaders])]
    if not len(led):
        return LeftOut(TITLE, "no configuration is complete", "curves")
    others = _sample(bands[~bands["label"].isin(set(led["label"]))], "label")
    pruned = _sample(_trials(kept[kept["status"] == "pruned"], column), "key")
    what = "validation accuracy" if column == "val_accuracy" else "training accuracy"
    least = _floor(led, pruned)
    below = int((pruned["last"] & (100 * pruned["mean"] < least)).sum()) if len(pruned) else 0
    caption = " ".join(
        filter(
            None,
            [
                f"Mean {what} after every epoch over the seeds of each configuration named; the band spans its seeds, "
                "from the lowest to the highest, and is no confidence interval.",
                "Training accuracy is a running mean over the epoch's batches." if column == "train_accuracy" else "",
                _told(
                    "Faint",
                    bands["label"].nunique() - led["label"].nunique(),
                    others["label"].nunique(),
                    "other configuration",
                ),
                _told(
                    "Dotted",
                    kept.loc[kept["status"] == "pruned", "key"].nunique(),
                    pruned["key"].nunique(),
                    "pruned trial",
                ),
                f"Pruned trials end in a cross, {below} of them below the axis." if len(pruned) else "",
                f"The axis starts at {least:g} %; lower values are cut off."
                if least > 100 * kept[column].min()
                else "",
                f"Drawn at {MOST_EPOCHS} epochs evenly spaced." if kept["epoch"].max() > MOST_EPOCHS else "",
            ],
        )
    )
    return Figure("curves", TITLE, caption, _chart(led, others, pruned, leaders, f"{what} in %", least), "curves")


def band(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean, lowest and highest over seeds by label and epoch; columns label, epoch, mean, low, high, seeds.

    Epochs that not every one of a configuration's seeds reached are left out: a mean over fewer seeds would jump.
    """
    grouped = curves.groupby(["label", "epoch"], sort=False)[column].agg(["mean", "min", "max", "count"]).reset_index()
    found = grouped.set_axis(["label", "epoch", "mean", "low", "high", "seeds"], axis=1)
    return found[found["seeds"] == found.groupby("label")["seeds"].transform("max")].reset_index(drop=True)


def thinned(epochs: pd.Series[int]) -> pd.Series[bool]:
    """Which rows stay when curves longer than `MOST_EPOCHS` are drawn at as many epochs, evenly spaced."""
    kept = set(np.unique(np.linspace(1, int(epochs.max()), MOST_EPOCHS).round().astype(int)).tolist())
    return epochs.isin(kept) if epochs.max() > MOST_EPOCHS else epochs > 0


def _trials(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    out = curves[["label", "key", "epoch"]].assign(mean=curves[column])
    return out.assign(last=out["epoch"] == out.groupby("key")["epoch"].transform("max"))


def _sample(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """At most `MOST_FAINT` of the column's values, evenly spaced from the best last figure to the worst."""
    last = rows.groupby(column, sort=False).last()["mean"].sort_values(ascending=False, kind="stable")
    count = min(len(last), MOST_FAINT)
    places = np.unique(np.linspace(0, max(len(last) - 1, 0), count).round().astype(int))
    return rows[rows[column].isin(set(last.index[places]))]


def _told(looks: str, there: int, drawn: int, what: str) -> str:
    if not there:
        return ""
    plural = f"{what}{'s' * (there > 1)}"
    some = (
        f"{drawn} of the {there} {plural}, evenly spaced from best to worst" if drawn < there else f"{there} {plural}"
    )
    return f"{looks}: {some}."


def _floor(led: pd.DataFrame, pruned: pd.DataFrame) -> float:
    """Where the axis starts, in percent: leaders' first epochs may lie far below all that matters.

    The better half of the pruned trials is let in, as long as that leaves the leaders half of the height.
    """
    late = led[led["epoch"] > max(1, led["epoch"].max() // 10)]
    low, high = late["low"].min(), led["high"].max()
    start = low - 0.25 * (high - low)
    if len(pruned):
        start = min(start, max(float(pruned.loc[pruned["last"], "mean"].median()), high - 2 * (high - start)))
    return float(np.floor(100 * max(start, 0)))


def _chart(
    led: pd.DataFrame, others: pd.DataFrame, pruned: pd.DataFrame, leaders: tuple[Series, ...], title: str, least: float
) -> alt.LayerChart:
    there = tuple(one for one in leaders if one.label in set(led["label"]))
    named = led.assign(name=led["label"].map({one.label: one.name for one in there}))
    top = 100 * max(
        float(frame["mean"].max()) for frame in (led.assign(mean=led["high"]), others, pruned) if len(frame)
    )
    scale = alt.Scale(domain=[least, min(100.0, top + 0.06 * (top - least))], nice=False, clamp=False)
    across = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False), scale=alt.Scale(nice=False))
    up = alt.Y("mean:Q", title=title, scale=scale)
    tooltip = [
        alt.Tooltip("label:N", title="configuration"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("mean:Q", title=f"mean {title}", format=".2f"),
    ]
    picked = pick("name")
    mine = alt.Chart(_percent(named)).encode(x=across)
    layers: list[alt.Chart] = []
    if len(others):
        layers.append(
            alt.Chart(_percent(others[["label", "epoch", "mean"]]))
            .mark_line(color=GREY, strokeWidth=1, opacity=0.35, clip=True)
            .encode(x=across, y=up, detail="label:N", tooltip=tooltip)
        )
    if len(pruned):
        faint = alt.Chart(_percent(pruned)).encode(x=across, y=up, detail="key:N", tooltip=tooltip)
        layers += [
            faint.mark_line(color=GREY, strokeWidth=1, opacity=0.6, strokeDash=[1, 3], clip=True),
            faint.transform_filter("datum.last").mark_point(
                shape="M-1,-1L1,1M1,-1L-1,1", size=25, color=GREY, opacity=0.9, clip=True
            ),
        ]
    layers += [
        mine.mark_area(clip=True).encode(
            y=alt.Y("low:Q", scale=scale),
            y2="high:Q",
            color=colour("name", there, "stroke"),
            opacity=alt.condition(picked, alt.value(0.18 if len(there) < 5 else 0.1), alt.value(0.02)),
        ),
        mine.mark_line(strokeWidth=2, clip=True)
        .encode(
            y=up,
            color=colour("name", there, "stroke"),
            strokeDash=dash("name", there),
            opacity=alt.condition(picked, ON, OFF),
            tooltip=tooltip,
        )
        .add_params(picked, zoom()),
    ]
    return alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT)


def _percent(rows: pd.DataFrame) -> alt.InlineData:
    rows = rows[thinned(rows["epoch"]) | rows.get("last", False)]
    return values(rows.assign(**{name: 100 * rows[name] for name in ("mean", "low", "high") if name in rows}))
