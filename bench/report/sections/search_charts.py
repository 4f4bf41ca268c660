"""Pictures of a search: each drawn parameter against the validation metric, parallel coordinates, importances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from bench.errors import flow, plural
from bench.jsonutil import canonical
from bench.metrics import METRICS
from bench.report.charts.drawing import axis_title, chart_data
from bench.report.charts.style import (
    AXIS_NAME,
    BLUE,
    GREY,
    SKY,
    SOFT,
    VERMILLION,
    WIDTH,
    alt,
    fitted,
    label_expression,
    width,
)
from bench.report.document import Chart, OmittedChart
from bench.report.sections.search_results import (
    MIN_EXPLAINED,
    PROPOSED,
    RANDOM,
    STOPPED,
    SearchResults,
    unit_position,
)
from bench.suite.search_space import SearchedParameter

PANELS = 3
"""Parameters of one chart."""

PANEL_HEIGHT = 130
BEST_FRACTION = 0.1
"""Of the configurations, those that are lines in colour."""

COLOURS = {RANDOM: BLUE, PROPOSED: VERMILLION, STOPPED: GREY}
SHAPES = {RANDOM: "circle", PROPOSED: "diamond", STOPPED: "triangle-down"}


def search_charts(
    results: SearchResults, search_number: int, n_searches: int, metric: str
) -> list[Chart | OmittedChart]:
    """The charts of one of `n_searches` searches; `search_number` counts from 1."""
    of = f", search {search_number}" if n_searches > 1 else ""
    if len(results.frame) < 2:
        return [OmittedChart(f"Drawn parameters{of}", "fewer than two configurations were validated")]
    positions = range(len(results.parameters))
    parts = [positions[start : start + PANELS] for start in positions[::PANELS]]
    return [
        importance_chart(results, f"search-{search_number}-importance", f"Importance of parameters{of}"),
        parallel_chart(results, f"search-{search_number}-parallel", f"All parameters at once{of}", metric),
        *(
            parameters_chart(
                results, f"search-{search_number}-{n}", f"Drawn parameters{', continued' * (n > 1)}{of}", metric, part
            )
            for n, part in enumerate(parts, 1)
        ),
    ]


def parameters_chart(results: SearchResults, name: str, title: str, metric: str, positions: Sequence[int]) -> Chart:
    """A panel per parameter: its value against the validation metric."""
    domain = _domain(results, metric)
    kinds = [kind for kind in (RANDOM, PROPOSED, STOPPED) if (results.frame["kind"] == kind).any()]
    panels = [
        _parameter_panel(results, position, kinds if position == positions[0] else (), domain, metric)
        for position in positions
    ]
    n_below = int((_percent(results.frame["value"], metric) < domain[0]).sum())
    caption = (
        "Each point is a configuration, whose other parameters differ too"
        + "; of one that was stopped early, by pruning or a time limit, the last value" * (STOPPED in kinds)
        + "."
        + f" {plural(n_below, 'point')} at the lower edge {'lies' if n_below == 1 else 'lie'} below it." * (n_below > 0)
    )
    return Chart(name, title, caption, alt.vconcat(*panels, spacing=16))


def _parameter_panel(
    results: SearchResults, position: int, legend_kinds: Sequence[str], domain: tuple[float, float], metric: str
) -> Any:
    """`legend_kinds` are those of the legend, which one panel of a chart has."""
    parameter = results.rule.parameters[position]
    values = results.frame[str(position)]
    data = pd.DataFrame(
        {
            "x": [flow(parameter.values[int(v)]) for v in values] if parameter.kind == "choice" else values,
            "y": _percent(results.frame["value"], metric).clip(*domain),
            "exact": _percent(results.frame["value"], metric),
            "kind": results.frame["kind"],
            "label": results.frame["label"],
            "number": results.frame["number"] + 1,
        }
    )
    legend = alt.Legend(title=None, columns=3, columnPadding=24) if len(legend_kinds) > 1 else None
    kinds = list(COLOURS)
    if parameter.kind == "choice":
        names = list(map(flow, parameter.values))
        x = alt.X(
            "x:N",
            title=parameter.label,
            sort=names,
            axis=alt.Axis(labelAngle=0, labelExpr=label_expression(names, WIDTH / len(names))),
        )
    else:
        kind: Literal["log", "linear"] = "log" if parameter.kind == "log_uniform" else "linear"
        ends = [float(value) for value in parameter.values]
        scale = alt.Scale(type=kind, domain=ends, nice=False)
        title = f"{parameter.label} (logarithmic)" if kind == "log" else parameter.label
        x = alt.X("x:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6, format="~g", grid=True))
    return (
        alt.Chart(chart_data(data))
        .mark_point(size=45, filled=True, opacity=0.75, clip=False)
        .encode(
            x=x,
            y=alt.Y(
                "y:Q",
                title=axis_title("validation", metric),
                scale=alt.Scale(domain=list(domain), nice=False),
                axis=alt.Axis(tickCount=5),
            ),
            color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=list(COLOURS.values())), legend=legend),
            shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=list(SHAPES.values())), legend=legend),
            tooltip=[
                alt.Tooltip("label:N", title="configuration"),
                alt.Tooltip("exact:Q", title=axis_title("validation", metric), format=".4~g"),
                alt.Tooltip("number:Q", title="number in the search"),
            ],
        )
        .properties(width=WIDTH, height=PANEL_HEIGHT)
    )


def _percent(values: pd.Series[float], metric: str) -> pd.Series[float]:
    return 100 * values if METRICS[metric].percent else values


def _domain(results: SearchResults, metric: str) -> tuple[float, float]:
    """The range of the metric's axis: three times as far below the median as the best is above it, or to the worst."""
    values = _percent(results.frame["value"], metric)
    low, high, median = float(values.min()), float(values.max()), float(values.median())
    if not METRICS[metric].ascending:
        low = max(low, median - 3 * (high - median)) if high > median else low
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def parallel_chart(results: SearchResults, name: str, title: str, metric: str) -> Chart | OmittedChart:
    """A line per complete configuration through its parameters to the metric; the best ones in colour."""
    complete = results.frame[results.frame["complete"]]
    if len(results.parameters) < 2 or len(complete) < 2:
        return OmittedChart(title, "it needs two parameters and two complete configurations")
    n_best = max(1, round(BEST_FRACTION * len(complete)))
    scores = complete["value"].map(METRICS[metric].better)
    best = set(scores.nlargest(n_best).index)
    low, high = scores.min(), scores.max()
    columns = [*results.names[: len(results.parameters)], METRICS[metric].heading]
    rows, ends = [], []
    for (index, row), score in zip(complete.iterrows(), scores, strict=True):
        heights = [_height(p, float(row[str(at)])) for at, p in enumerate(results.parameters)]
        heights.append((score - low) / (high - low) if high > low else 0.5)
        rows += [
            {"line": int(row["number"]), "at": at, "height": height, "best": index in best, "label": row["label"]}
            for at, height in enumerate(heights)
        ]
    for at, parameter in enumerate(results.parameters):
        ends += [{"at": at, "height": height, "text": text} for height, text in _ticks(parameter)]
    values = _percent(complete["value"], metric)
    bounds = [values.min(), values.max()] if not METRICS[metric].ascending else [values.max(), values.min()]
    ends += [
        {"at": len(columns) - 1, "height": at, "text": f"{value:.4g}"}
        for at, value in zip((0.0, 1.0), bounds, strict=True)
    ]
    caption = (
        f"A line is a complete configuration; the best {n_best} of {len(complete)} on validation are in colour. "
        "Logarithmic distributions have logarithmic axes."
    )
    return Chart(name, title, caption, _parallel(pd.DataFrame(rows), pd.DataFrame(ends), columns))


def _height(parameter: SearchedParameter, value: float) -> float:
    if parameter.kind != "choice":
        return unit_position(parameter, value)
    return value / (len(parameter.values) - 1) if len(parameter.values) > 1 else 0.5


def _ticks(parameter: SearchedParameter) -> list[tuple[float, str]]:
    if parameter.kind == "choice":
        return [(_height(parameter, float(at)), flow(value)) for at, value in enumerate(parameter.values)]
    return [(0.0, f"{parameter.values[0]:g}"), (1.0, f"{parameter.values[1]:g}")]


def _parallel(rows: pd.DataFrame, ends: pd.DataFrame, columns: Sequence[str]) -> alt.TopLevelMixin:
    last = len(columns) - 1
    fitting = fitted(columns, (WIDTH + 40) / len(columns))
    labels = f"{canonical([fitting[name] for name in columns])}[datum.value]"
    x = alt.X(
        "at:Q",
        title=None,
        scale=alt.Scale(domain=[-0.25, last + 0.25], nice=False),
        axis=alt.Axis(
            values=list(range(len(columns))),
            labelExpr=labels,
            grid=False,
            ticks=False,
            domain=False,
            labelOverlap=False,
        ),
    )
    y = alt.Y("height:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.08, 1.08], nice=False))
    lines = alt.Chart(chart_data(rows[~rows["best"]])).mark_line(strokeWidth=1, color=SKY, opacity=0.45)
    best = alt.Chart(chart_data(rows[rows["best"]])).mark_line(strokeWidth=2, color=VERMILLION)
    tooltip = [alt.Tooltip("label:N", title="configuration")]
    posts = alt.Chart(chart_data(pd.DataFrame({"at": range(len(columns)), "low": 0.0, "high": 1.0})))
    texts = alt.Chart(chart_data(ends))
    return alt.layer(
        posts.mark_rule(color=SOFT).encode(x=x, y=alt.Y("low:Q", axis=None), y2="high:Q"),
        lines.encode(x=x, y=y, detail="line:N", tooltip=tooltip),
        best.encode(x=x, y=y, detail="line:N", tooltip=tooltip),
        texts.mark_text(align="left", dx=5, fontSize=11).encode(x=x, y=y, text="text:N"),
    ).properties(width=WIDTH + 40, height=220)


def importance_chart(results: SearchResults, name: str, title: str) -> Chart | OmittedChart:
    """A dot with its interval per parameter, the most important first."""
    importances = results.importances
    if importances is None:
        return OmittedChart(title, "too few complete configurations")
    if importances.explained < MIN_EXPLAINED:
        return OmittedChart(title, "forests predict too little of configurations that they were not fitted to")
    data = pd.DataFrame(
        {
            "name": results.names,
            **{key: [100 * getattr(i, key) for i in importances.parameters] for key in ("mean", "low", "high")},
        }
    ).sort_values("mean", ascending=False, kind="stable")
    names = list(data["name"])
    extent = min(AXIS_NAME, max(map(width, names)) + 12)
    base = alt.Chart(chart_data(data)).encode(
        y=alt.Y(
            "name:N",
            sort=names,
            title=None,
            axis=alt.Axis(labelExpr=label_expression(names, AXIS_NAME), minExtent=extent),
        )
    )
    scale = alt.Scale(domain=[0, 100], nice=False)
    x_title = "% of the variation over the search space"
    chart = alt.layer(
        base.mark_rule(strokeWidth=2, color=SOFT).encode(
            x=alt.X("low:Q", scale=scale, title=x_title, axis=alt.Axis(tickCount=5)), x2="high:Q"
        ),
        base.mark_point(size=70, filled=True, color=BLUE, opacity=1).encode(
            x=alt.X("mean:Q", scale=scale, title=x_title, axis=alt.Axis(tickCount=5)),
            tooltip=["name:N", alt.Tooltip("mean:Q", format=".0f")],
        ),
    ).properties(width=WIDTH - 100, height=alt.Step(26))
    caption = (
        "What each parameter explains by itself, averaged over the search space, with the middle 95 % over resampled "
        f"configurations. The forests explain {100 * importances.explained:.0f} % of what they were not fitted to."
    )
    return Chart(name, title, caption, chart)
