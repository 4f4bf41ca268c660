"""What did searches find? A row per search with what it came to, the importance of its parameters, and its charts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from bench.errors import plural
from bench.jsonutil import JsonObject
from bench.report.comparison import Comparison
from bench.report.document import Column, Section, Table
from bench.report.number_format import NOTHING, count, number, percent, unit
from bench.report.sections.search_charts import search_charts
from bench.report.sections.search_results import MIN_EXPLAINED, SearchResults, results_of_searches

MAX_SEARCHES = 3
"""Searches of a comparison that have charts; all are in the table."""

METHOD = {
    "random": "random draws",
    "tpe": "adaptive (tree-structured Parzen estimator)",
}


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
            for chart in search_charts(results, number, len(searches), metric)
        ),
        data=lambda: {"findings": {"searches": [_to_json(results) for results in searches]}},
    )


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
