"""What does accuracy cost? Test metrics against training time and parameters, and the time to a target accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.charts.drawing import axis_title, chart_data, in_percent, pick, unless_picked, zoom
from bench.report.charts.style import GREY, HEIGHT, INK, MARKS, SOFT, WIDTH, Series, alt, legend, top_series
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Section, Table
from bench.report.grouping import Configuration
from bench.report.leaderboard_frame import NEVER_RANKED
from bench.report.number_format import NOTHING, seconds
from bench.statistics.time_to_accuracy import time_to_target

STEP = 0.005
"""Targets are multiples of half a point."""

COLUMNS = ("label", "target", "reached", "seeds", "epochs", "seconds")

Curve = list[float | None]

BEST_SET, OTHER, PUBLISHED = "other configuration (best set)", "other configuration", "published result (hollow)"

BAR = "M-1,-0.3H1V0.3H-1Z"
"""A short bar: what is not in the best set differs by its shape, too."""

AMOUNT = "format(datum.value, datum.value < 1000 ? '.3~r' : '~s')"
"""``0.12``, ``20``, ``1.5M``: d3's ``~s`` alone writes ``120m``."""

MIN_RATIO = 2
"""Parameters are drawn where the largest network has so many times those of the smallest."""

MAX_POINTS = 1000
MAX_INTERVALS = 30
"""With more configurations than this only the top ones get their intervals drawn."""

INTERVALS = (
    "Thick bars: 95 % interval on this test set (over seeds; over images for a single seed). Thin bars: 95 % on new "
    "images. Whether two configurations differ is read from the pairwise differences and the best set, not from bars "
    "that overlap."
)
FRONT = (
    "The line joins those that no other equals or beats in both (Pareto front), by means: a step on it may be noise."
)
SINGLE = "One configuration is best in both, so that there is no front to draw."
CAUTIONS = {
    "train_seconds": "Seconds of training without evaluation, mean over seeds, measured while other trials ran on the "
    "same machine: good for orders of magnitude, not for ranking similar times.",
    "inference_ms": "Milliseconds of an image in the test's forward passes, in batches on the trial's threads or GPU, "
    "mean over seeds, measured while other trials ran on the same machine; `bench latency` times a network alone.",
    "parameters": "Parameters are no measure of computation: compare FLOPs in the table.",
}


def cost(comparison: Comparison) -> Section:
    """Charts of accuracy against each cost, and a table of the time to a target accuracy."""
    frame = time_to_target_frame(comparison.analysis.trained()[0])
    target = f"{100 * frame['target'].iloc[0]:g} %" if len(frame) else ""
    table = Table(
        name="time-to-target",
        title=f"Time to {target} on validation",
        caption=(
            f"Median over seeds of the training time until validation accuracy first reached {target}, the highest "
            "half point that half of the configurations reach; a dash where half of the seeds or more never did. The "
            "first crossing of a noisy curve is early, and seconds are of the machines that ran the trials."
        ),
        frame=frame,
        columns=(
            Column("label", "Configuration", lambda row: row["label"], "label"),
            Column("seconds", "Seconds", lambda row: _finite(row["seconds"], seconds(row["seconds"]))),
            Column("epochs", "Epoch", lambda row: _finite(row["epochs"], f"{row['epochs']:g}")),
            Column("reached", "Seeds that reached it", lambda row: f"{row['reached']} of {row['seeds']}"),
        ),
    )
    charts = [
        ("train_seconds", "time", "Accuracy against training time", "training seconds"),
        ("parameters", "parameters", "Accuracy against parameters", "parameters"),
    ]
    if comparison.frame["inference_ms"].notna().any():
        charts.append(("inference_ms", "inference", "Accuracy against inference time", "milliseconds per image"))
    return Section(
        "cost",
        "Accuracy and cost",
        (table,),
        draw=lambda: tuple(cost_chart(comparison, *chart) for chart in charts),
        data=lambda: {"findings": {"time_to_target": frame}},
    )


def _finite(value: float, text: str) -> str:
    return NOTHING if math.isinf(value) else text


def time_to_target_frame(compared: Sequence[Configuration], target: float | None = None) -> pd.DataFrame:
    """`COLUMNS`, the fastest first: medians over seeds of the time to a validation accuracy, inf where never.

    By default the target is the highest multiple of `STEP` that half of the configurations reach, that is, more than
    half of their seeds. Configurations without a curve of validation accuracy are left out, and those of a refit, whose
    seconds are of two trainings.
    """
    curves = {
        configuration.label: seed_curves
        for configuration in compared
        if not configuration.config.get("refit") and (seed_curves := _curves(configuration))
    }
    goal = target if target is not None else _reached_by_half([curve for curve, _ in curves.values()])
    if not curves or goal is None:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = []
    for label, (lines, train_seconds) in curves.items():
        times = time_to_target(lines, train_seconds, goal)
        rows.append((label, goal, times.reached, times.seeds, times.epochs, times.seconds))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["seconds", "epochs"], kind="stable", ignore_index=True)


def _curves(configuration: Configuration) -> tuple[list[Curve], list[float]] | None:
    records = configuration.with_status("complete")
    lines = [record.result.curves.get("val_accuracy", []) for record in records]
    return (lines, [record.run_info.train_seconds for record in records]) if all(lines) and lines else None


def _reached_by_half(configurations: Sequence[list[Curve]]) -> float | None:
    """The highest step that half of the configurations reach with more than half of their seeds."""
    peaks = []
    for lines in configurations:
        best = sorted((max((v for v in line if v is not None), default=-math.inf) for line in lines), reverse=True)
        peaks.append(best[len(best) // 2])
    if not peaks:
        return None
    peak = sorted(peaks, reverse=True)[(len(peaks) - 1) // 2]
    # An accuracy that is the step itself may fall short of it by rounding.
    return STEP * math.floor(peak / STEP + 1e-9) if math.isfinite(peak) else None


def cost_chart(comparison: Comparison, column: str, name: str, title: str, axis: str) -> Chart | OmittedChart:
    """The chart of test metrics against one of the leaderboard's columns, on a log scale."""
    everything = cost_points(comparison, column)
    points = everything[drawn_points(everything, METRICS[comparison.metrics[0]].ascending)]
    trained = points[points["role"] != "published"]
    if column == "parameters" and len(trained) and trained["x"].max() < MIN_RATIO * trained["x"].min():
        return OmittedChart(title, f"all configurations are within {MIN_RATIO} times the same number of parameters")
    if len(trained) < 2 or trained["x"].nunique() < 2:
        return OmittedChart(title, f"fewer than two complete configurations differ in {axis}")
    omitted = len(everything) - len(points)
    sentences = [CAUTIONS[column], MARKS, INTERVALS]
    if len(trained) > MAX_INTERVALS:
        sentences.append(f"Of {len(trained)} configurations only those named have their bars drawn.")
    if omitted:
        sentences.append(
            f"Below the first {MAX_POINTS:,} only those on the front are drawn; {omitted:,} are not displayed."
        )
    sentences.append(FRONT if points["front"].sum() > 1 else SINGLE)
    chart = _cost_layers(points, top_series(comparison), comparison.metrics[0], axis)
    # The page begins with its own chart of accuracy against time.
    return Chart(name, title, " ".join(sentences), chart, on_page=column != "train_seconds")


def cost_points(comparison: Comparison, column: str) -> pd.DataFrame:
    """A row per complete configuration, and per published result that is not refuted, with a cost above 0.

    Columns: label, kind (as in the legend), role (top, other or published), x, y, low, high, new_low, new_high, seeds,
    front, bars. Metrics as they are displayed (percent where the metric is).
    """
    frame = comparison.frame
    usable = (frame["status"] != "incomplete") & frame["test_mean"].notna() & (frame[column].fillna(0) > 0)
    refuted = frame["note"].str.contains(NEVER_RANKED.replace("_", " "), regex=False)
    frame = frame[usable & ~refuted]
    names = {configuration.label: configuration.name for configuration in top_series(comparison)}
    metric = comparison.metrics[0]
    points = pd.DataFrame({"label": frame["label"], "x": frame[column].astype("float64"), "seeds": frame["seeds"]})
    sources = {"y": "test_mean", "low": "test_low", "high": "test_high", "new_low": "new_low", "new_high": "new_high"}
    for target, source in sources.items():
        points[target] = in_percent(frame[source].astype("float64"), metric)
    in_best_set = frame["in_best_set"].fillna(False).astype(bool)
    points["kind"] = [
        PUBLISHED if kind == "published" else names.get(label, BEST_SET if best else OTHER)
        for kind, label, best in zip(frame["kind"], frame["label"], in_best_set, strict=True)
    ]
    trained = frame["kind"] != "published"
    top = trained & points["label"].isin(list(names))
    points["role"] = top.map({True: "top", False: "other"}).where(trained, "published")
    points["front"] = False
    points.loc[trained, "front"] = _front(points[trained], METRICS[metric].ascending)
    points["bars"] = top if trained.sum() > MAX_INTERVALS else trained
    return points.sort_values("x", ignore_index=True)


def drawn_points(points: pd.DataFrame, ascending: bool, most: int = MAX_POINTS) -> pd.Series[bool]:
    """Which points are drawn: all but those below the first `most` that are not on the front either."""
    rank = points["y"].where(points["role"] != "published").rank(ascending=ascending, method="first")
    return (rank <= most) | points["front"] | (points["role"] != "other")


def _front(points: pd.DataFrame, ascending: bool) -> pd.Series[bool]:
    """Whether no other point costs as little or less and is better (or as good at less cost)."""
    score = -points["y"] if ascending else points["y"]
    order = pd.DataFrame({"x": points["x"], "score": score}).sort_values(["x", "score"], ascending=[True, False])
    best = order["score"].cummax().shift(fill_value=-float("inf"))
    return (order["score"] > best).reindex(points.index)


def _cost_layers(points: pd.DataFrame, top: tuple[Series, ...], metric: str, axis: str) -> alt.LayerChart:
    kinds = set(points["kind"])
    others = [
        Series("", BEST_SET, SOFT, "circle", []),
        Series("", OTHER, GREY, BAR, []),
        Series("", PUBLISHED, INK, "square", []),
    ]
    drawn = tuple(configuration for configuration in (*top, *others) if configuration.name in kinds)
    domain, colours = [configuration.name for configuration in drawn], [configuration.colour for configuration in drawn]
    x = alt.X(
        "x:Q",
        title=f"{axis} (log scale)",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(labelExpr=AMOUNT, labelOverlap=True, tickCount=6),
    )
    y = alt.Y("y:Q", title=axis_title("test", metric), scale=alt.Scale(zero=False, padding=8))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=domain, range=colours), legend=legend(domain))
    shapes = alt.Scale(domain=domain, range=[configuration.shape for configuration in drawn])
    shape = alt.Shape("kind:N", scale=shapes, legend=legend(domain))
    tooltip = [
        alt.Tooltip("label:N", title="configuration"),
        alt.Tooltip("y:Q", title=axis_title("test", metric), format=".2f" if METRICS[metric].percent else ".4f"),
        alt.Tooltip("x:Q", title=axis, format=",.4~g"),
        alt.Tooltip("seeds:Q", title="seeds"),
    ]
    base = alt.Chart(chart_data(points))
    picked = pick("kind")
    marks = base.encode(x=x, y=y, tooltip=tooltip, color=colour, shape=shape, opacity=unless_picked(picked))
    looks: dict[str, dict[str, Any]] = {
        "other": {"filled": True, "size": 40},
        "published": {"filled": False, "size": 60, "strokeWidth": 1.5},
        "top": {"filled": True, "size": 90},
    }
    layers = [
        marks.transform_filter(f"datum.role === '{role}'").mark_point(clip=True, **look)
        for role, look in looks.items()
        if (points["role"] == role).any()
    ]
    bars = base.transform_filter("datum.bars").encode(x=x, color=colour, opacity=unless_picked(picked))
    for low, high, width in (("low", "high", 3), ("new_low", "new_high", 1)):
        if points.loc[points["bars"], low].notna().any():
            rule = bars.mark_rule(strokeWidth=width, clip=True)
            layers.insert(0, rule.encode(y=alt.Y(f"{low}:Q"), y2=f"{high}:Q"))
    if points["front"].sum() > 1:
        front = base.transform_filter("datum.front").encode(x=x, y=y)
        layers.insert(0, front.mark_line(interpolate="step-after", color=GREY, strokeWidth=1.5, clip=True))
    layers[-1] = layers[-1].add_params(picked, zoom())
    return alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT)
