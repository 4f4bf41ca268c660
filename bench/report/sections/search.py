"""What did searches find? Each drawn parameter against the validation metric, parallel coordinates, importances.

Nothing is estimated from an adaptive search's having chosen a configuration; importances are averages over the search
space, not over what was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.errors import flow, plural
from bench.jsonutil import JsonObject, canonical
from bench.ledger.record import Record
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
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Section, Table
from bench.report.estimates import seed_values, validation_mean
from bench.report.grouping import Configuration
from bench.report.number_format import NOTHING, count, number, percent, unit
from bench.report.sections.budget import trained
from bench.statistics.parameter_importance import Importances, parameter_importances
from bench.suite.search_space import SearchedParameter, SearchRule

MAX_SEARCHES = 3
"""Searches of a comparison that have charts; all are in the table."""

MAX_PARAMETERS = 8
PANELS = 3
"""Parameters of one chart."""

PANEL_HEIGHT = 130
RANDOM, PROPOSED, STOPPED = "random", "proposed", "stopped early"
BEST_FRACTION = 0.1
"""Of the configurations, those that are lines in colour."""

MIN_EXPLAINED = 0.1
"""Of the variance of left-out configurations, below which nothing is attributed to parameters."""

COLOURS = {RANDOM: BLUE, PROPOSED: VERMILLION, STOPPED: GREY}
SHAPES = {RANDOM: "circle", PROPOSED: "diamond", STOPPED: "triangle-down"}
"""Of the kinds of points."""

METHOD = {
    "random": "random draws",
    "tpe": "adaptive (tree-structured Parzen estimator)",
}


@dataclass(frozen=True, eq=False)
class SearchResults:
    """One search: `frame` has a row per configuration that was validated, in the order of their numbers.

    Its columns are label, number, kind, complete (whether all its seeds are), value (the validation metric), test, and
    by its position each parameter.
    """

    rule: SearchRule
    configurations: tuple[Configuration, ...]
    frame: pd.DataFrame
    importances: Importances | None

    @property
    def n_trained(self) -> int:
        return sum(bool(configuration.records) for configuration in self.configurations)

    @property
    def n_stopped(self) -> int:
        """How many have a seed that pruning or a time limit ended."""
        return sum(bool(_stopped(configuration)) for configuration in self.configurations)

    @property
    def n_requested(self) -> int:
        """How many the suite asks for; 0 where only records tell of the search."""
        return max(configuration.search.trials for configuration in self.configurations if configuration.search)

    def best(self, metric: str) -> JsonObject | None:
        """The row of the best complete configuration on validation."""
        complete = self.frame[self.frame["complete"]]
        if complete.empty:
            return None
        scores = [METRICS[metric].better(value) for value in complete["value"]]
        return {str(name): value for name, value in complete.iloc[int(np.argmax(scores))].items()}

    @property
    def names(self) -> list[str]:
        """Short names of the parameters: without the axis, where that is enough."""
        keys = [p.axis if p.axis == p.label else p.key for p in self.rule.parameters]
        return [key if keys.count(key) == 1 else p.label for key, p in zip(keys, self.rule.parameters, strict=True)]

    @property
    def parameters(self) -> list[SearchedParameter]:
        return self.rule.parameters[:MAX_PARAMETERS]


def search(comparison: Comparison) -> Section:
    """A row per search, and charts of its parameters."""
    searches = results_of_searches(comparison)
    section = Section("search", "Search")
    if not searches:
        return section
    metric = comparison.metrics[0]
    tables = [_searches_table(searches, metric)]
    tables += [_importance_table(n, results) for n, results in enumerate(searches, 1) if results.importances]
    sentences = [_summary(results, metric) for results in searches]
    if any(results.rule.is_adaptive for results in searches):
        sentences.append(
            "What an adaptive search proposes after its first random draws follows the validation results of what was "
            "trained before, so most of it lies where results were good: it is ranked with the others, and has no "
            "part in effects of settings and in what random draws would bring."
        )
    return Section(
        section.name,
        section.title,
        tuple(tables),
        sentences=tuple(sentences),
        draw=lambda: tuple(
            chart
            for number, results in enumerate(searches[:MAX_SEARCHES], 1)
            for chart in _charts(results, number, len(searches), metric)
        ),
        data=lambda: {"findings": {"searches": [_to_json(results) for results in searches]}},
    )


def results_of_searches(comparison: Comparison) -> list[SearchResults]:
    """The searches of a comparison, by the order of their configurations."""
    members: dict[tuple[str, str], list[Configuration]] = {}
    for configuration in trained(comparison):
        if configuration.search:
            point = configuration.search
            members.setdefault((point.id, point.rule.model_dump_json()), []).append(configuration)
    metric = comparison.metrics[0]
    return [
        _results(sorted(searched, key=lambda member: member.search.number if member.search else 0), metric)
        for searched in members.values()
    ]


def _results(configurations: Sequence[Configuration], metric: str) -> SearchResults:
    point = configurations[0].search
    assert point is not None
    rule = point.rule
    rows = []
    for configuration in configurations:
        value, stopped = validation_mean(configuration, metric), False
        if math.isnan(value) and metric == "accuracy":
            value, stopped = _last_accuracy(configuration), True
        if math.isnan(value) or configuration.search is None:
            continue
        values = rule.values_in(configuration.config)
        rows.append(
            {
                "label": configuration.label,
                "number": configuration.search.number,
                "kind": STOPPED if stopped else PROPOSED if configuration.adaptive else RANDOM,
                "complete": configuration.complete,
                "value": value,
                "test": float(np.mean(tests)) if (tests := seed_values(configuration, metric)) else math.nan,
                **{
                    str(position): _scaled(p, v)
                    for position, (p, v) in enumerate(zip(rule.parameters, values, strict=True))
                },
            }
        )
    columns = ["label", "number", "kind", "complete", "value", "test", *map(str, range(len(rule.parameters)))]
    frame = pd.DataFrame(rows, columns=columns).astype({"complete": bool})
    complete = frame[frame["complete"]]
    positions = [str(position) for position in range(len(rule.parameters))]
    importances = parameter_importances(
        np.array(
            [[_unit(p, v) for p, v in zip(rule.parameters, row, strict=True)] for row in complete[positions].to_numpy()]
        ),
        [len(p.values) if p.kind == "choice" else 0 for p in rule.parameters],
        complete["value"].to_numpy(float),
    )
    return SearchResults(rule, tuple(configurations), frame, importances)


def _last_accuracy(configuration: Configuration) -> float:
    """The last validation accuracy of a first seed that was stopped early; nan of others."""
    stopped = _stopped(configuration)
    curve = stopped[0].result.curves.get("val_accuracy", []) if stopped else []
    values = [value for value in curve if value is not None]
    return values[-1] if values else math.nan


def _stopped(configuration: Configuration) -> list[Record]:
    """Its seeds that pruning or a time limit ended."""
    return [record for record in configuration.records if record.status in ("pruned", "timed_out")]


def _scaled(parameter: SearchedParameter, value: Any) -> float:
    """A number as it is; of a choice its index."""
    if parameter.kind != "choice":
        return float(value)
    return float(list(map(canonical, parameter.values)).index(canonical(value)))


def _unit(parameter: SearchedParameter, value: float) -> float:
    """Where in its distribution a value lies, from 0 to 1; of a choice its index."""
    if parameter.kind == "choice":
        return value
    low, high = map(float, parameter.values)
    if parameter.kind == "log_uniform":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _summary(results: SearchResults, metric: str) -> str:
    """How a search chose its configurations, and what it came to."""
    rule, n_trained = results.rule, results.n_trained
    how = "drawn at random"
    if rule.is_adaptive:
        how = (
            f"the first {rule.startup} drawn at random, the others proposed {rule.batch} at a time by a "
            "tree-structured Parzen estimator"
        )
    text = f"{plural(n_trained, 'configuration')} of {rule.parameters_text}: {how}."
    best = results.best(metric)
    if best is None:
        return text
    return (
        f"{text} The best on validation is {best['label']}, number {int(best['number']) + 1}, with "
        f"{number(best['value'], metric)}{unit(metric)} there and {number(best['test'], metric)}{unit(metric)} on "
        "test; the best of many is biased upwards on validation."
    )


def _searches_table(searches: Sequence[SearchResults], metric: str) -> Table:
    rows = []
    for results in searches:
        best = results.best(metric) or {}
        rows.append(
            {
                "parameters": results.rule.parameters_text,
                "method": METHOD[results.rule.algorithm],
                "trained": results.n_trained,
                "requested": results.n_requested,
                "stopped": results.n_stopped,
                "best": best.get("label", ""),
                "best_number": best.get("number", math.nan) + 1,
                "validation": best.get("value", math.nan),
                "test": best.get("test", math.nan),
            }
        )
    return Table(
        name="searches",
        title="Searches",
        caption="The best is that on validation, with its mean test value over seeds and its number in the search.",
        frame=pd.DataFrame(rows),
        columns=(
            Column("parameters", "Drawn parameters", lambda row: row["parameters"], "text"),
            Column("method", "Chosen by", lambda row: row["method"], "text"),
            Column("trained", "Trained", lambda row: _of(row["trained"], row["requested"])),
            Column("stopped", "Stopped early", lambda row: count(row["stopped"])),
            Column("best", "Best", lambda row: row["best"] or NOTHING, "label"),
            Column("best_number", "Number", lambda row: count(row["best_number"])),
            Column("validation", "Validation", lambda row: number(row["validation"], metric)),
            Column("test", "Test", lambda row: number(row["test"], metric)),
        ),
    )


def _of(ended: float, requested: float) -> str:
    """``45 of 60``; records alone do not say how many a suite asks for."""
    return f"{int(ended):,} of {int(requested):,}" if requested else f"{int(ended):,}"


def _importance_table(search_number: int, results: SearchResults) -> Table:
    assert results.importances is not None
    rows = [
        {"parameter": p.label, "distribution": p.distribution_text, **vars(importance)}
        for p, importance in zip(results.rule.parameters, results.importances.parameters, strict=True)
    ]
    explained = results.importances.explained
    doubt = " That is so little that nothing should be read from the fractions." if explained < MIN_EXPLAINED else ""
    return Table(
        name=f"importance-{search_number}",
        title="Importance of parameters" + (f", search {search_number}" if search_number > 1 else ""),
        caption=(
            "Fraction of the variation over the whole search space that a parameter explains by itself: functional "
            "analysis of variance of random forests (Hutter et al. 2014), mean and middle 95 % over forests of "
            "resampled configurations; those without all their seeds are left out. The forests explain "
            f"{percent(max(explained, 0.0))} % of the variance of configurations that they were not fitted to.{doubt}"
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Column("parameter", "Parameter", lambda row: row["parameter"], "text"),
            Column("distribution", "Drawn", lambda row: row["distribution"], "text"),
            Column("mean", "Explains %", lambda row: f"{100 * row['mean']:.0f}"),
            Column("interval", "Middle 95 %", lambda row: f"{100 * row['low']:.0f} to {100 * row['high']:.0f}"),
        ),
        folded=True,
    )


def _to_json(results: SearchResults) -> JsonObject:
    """A search as JSON: its rule, and its configurations with their numbers and values."""
    names = {str(position): parameter.name for position, parameter in enumerate(results.rule.parameters)}
    importances = results.importances.parameters if results.importances else ()
    return {
        "rule": results.rule.model_dump(mode="json"),
        "configurations": results.frame.rename(columns=names),
        "importance": {p.name: vars(i) for p, i in zip(results.rule.parameters, importances, strict=False)},
        "explained": results.importances.explained if results.importances else None,
    }


# --- charts ---------------------------------------------------------------------------------------


def _charts(results: SearchResults, search_number: int, n_searches: int, metric: str) -> list[Chart | OmittedChart]:
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
        return _unit(parameter, value)
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
