"""Which classes are confused? Metrics per class with intervals, the most confused pairs, confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.published.reference_data import PublishedClasses
from bench.report.charts.drawing import chart_data
from bench.report.charts.style import AXIS_NAME, BLUE, INK, VERMILLION, alt, label_expression
from bench.report.classes import class_tables
from bench.report.classes.details import Details
from bench.report.comparison import Comparison
from bench.report.document import Chart, OmittedChart, Section
from bench.statistics.per_class import CLASS_METRICS

MATRIX, DIFFERENCE = "Confusion matrix", "Difference of two confusion matrices"

MAX_CLASSES = 30
"""With more, a cell is too small for a printed page."""

CELL = 40


def classes(comparison: Comparison) -> Section:
    """F1 of every configuration with details, and the tables of each: the page has all, files those of the first."""
    details = comparison.details
    tables = [
        table for number, item in enumerate(details, 1) for table in class_tables.configuration_tables(item, number)
    ]
    if len(details) > 1 or any(item.published for item in details):
        tables.insert(0, class_tables.f1_table(comparison))
    return Section(
        "classes",
        "Errors per class",
        tuple(tables),
        sentences=(_which(details),) if details else (),
        draw=lambda: (confusion_chart(comparison), confusion_difference_chart(comparison)),
        data=lambda: {"per_class": [details_json(item) for item in details]},
    )


def _which(details: Sequence[Details]) -> str:
    """Which configurations have details, and what their intervals are."""
    top = "The configuration selected on validation, the other top configurations" * details[0].selected
    which = f"{top or 'The top configurations'}, the best by test mean, and those named with --details. "
    return (
        f"{which * (len(details) > 1)}The small print below a value is its 95 % interval for the configuration trained "
        "again and tested on new images, with as many of each class; with a single seed it is Wilson's interval, for "
        "this one network. Each interval holds by itself: of ten classes, one true value may well lie outside."
    )


def details_json(details: Details) -> dict[str, Any]:
    """A configuration class by class; each metric with its 95 % interval on new images."""
    return {
        "label": details.label,
        "selected": details.selected,
        "top": details.top,
        "seeds": details.seeds,
        "classes": [_class_json(details, number) for number in range(len(details.classes))],
        "confusion_over_seeds": details.confusion.tolist(),
        "accuracy": details.accuracy,
        "mean_confidence": details.mean_confidence,
        "ece": details.ece,
        "ece_calibrated": details.ece_calibrated,
        "nll": details.nll,
        "calibration": details.calibration,
        "published": [_published_json(published) for published in details.published],
    }


def _class_json(details: Details, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"class": details.classes[number]}
    for metric in CLASS_METRICS:
        row[metric] = float(getattr(details.metrics, metric)[number])
        interval = details.intervals[metric][number].tolist()
        row[f"{metric}_interval"] = None if np.isnan(interval[0]) else interval
    return {**row, "support": int(details.metrics.support[number])}


def _published_json(published: PublishedClasses) -> dict[str, Any]:
    columns = (published.classes, published.precision, published.recall, published.f1, published.support)
    return {
        "reference": published.reference,
        "system": published.system,
        "classes": [
            dict(zip(("class", *CLASS_METRICS, "support"), row, strict=True)) for row in zip(*columns, strict=True)
        ],
        "confusion": published.confusion,
    }


def confusion_chart(comparison: Comparison) -> Chart | OmittedChart:
    """Of the selected configuration, or of the first that has details."""
    if not comparison.details:
        return OmittedChart(MATRIX, "no configuration is complete", False)
    details = next((details for details in comparison.details if details.selected), comparison.details[0])
    if len(details.classes) > MAX_CLASSES:
        return OmittedChart(MATRIX, f"{len(details.classes)} classes are too many for a heat map", False)
    rows = fractions(details)
    caption = (
        f"{details.label}: fraction of each true class (row) predicted as each class (column), in %, "
        f"over {len(details.seeds)} seed{'s' * (len(details.seeds) > 1)}. The shade grows with its root."
    )
    scale = alt.Scale(type="sqrt", domain=[0, 100], range=["#ffffff", BLUE], interpolate="rgb")
    tone = alt.condition("datum.fraction > 30", alt.value("#ffffff"), alt.value(INK))
    return Chart("confusion", MATRIX, caption, _heat_map(rows, details.classes, scale, tone), on_page=False)


def confusion_difference_chart(comparison: Comparison) -> Chart | OmittedChart:
    """Of the first two top configurations."""
    by_label = {item.label: item for item in comparison.details}
    top = [by_label[label] for label in comparison.analysis.top if label in by_label][:2]
    if len(top) < 2:
        return OmittedChart(DIFFERENCE, "there are no two top configurations", False)
    first, second = top
    if first.classes != second.classes or len(first.classes) > MAX_CLASSES:
        return OmittedChart(DIFFERENCE, "the two have different classes, or too many", False)
    rows = fractions(first)
    rows["fraction"] -= fractions(second)["fraction"]
    rows["text"] = [
        "0" if abs(fraction) < 0.05 else f"{fraction:+.1f}".replace("-", "−") for fraction in rows["fraction"]
    ]
    most = max(float(rows["fraction"].abs().max()), 0.1)
    caption = (
        f"{first.label} minus {second.label}: difference of the fractions of each true class, in points. On the "
        "diagonal blue is better, off it orange is. Single cells differ by chance; the page has intervals."
    )
    scale = alt.Scale(domain=[-most, 0, most], range=[VERMILLION, "#ffffff", BLUE], interpolate="rgb")
    tone = alt.condition(f"abs(datum.fraction) > {0.6 * most:.3f}", alt.value("#ffffff"), alt.value(INK))
    return Chart(
        "confusion-difference", DIFFERENCE, caption, _heat_map(rows, first.classes, scale, tone), on_page=False
    )


def fractions(details: Details) -> pd.DataFrame:
    """A row per cell: true, predicted, fraction (percent of the true class), count, text."""
    totals = np.maximum(details.confusion.sum(axis=1), 1)
    return pd.DataFrame(
        [
            {
                "true": true,
                "predicted": predicted,
                "fraction": fraction,
                "count": int(count),
                "text": f"{fraction:.1f}" if count else "0",
            }
            for row, true in enumerate(details.classes)
            for predicted, count in zip(details.classes, details.confusion[row], strict=True)
            for fraction in [100 * count / totals[row]]
        ]
    )


def _heat_map(rows: pd.DataFrame, classes: tuple[str, ...], scale: alt.Scale, tone: Any) -> alt.LayerChart:
    order = list(classes)
    labels = label_expression(order, AXIS_NAME)
    base = alt.Chart(chart_data(rows)).encode(
        x=alt.X(
            "predicted:N",
            sort=order,
            title="predicted class",
            axis=alt.Axis(labelAngle=-45, domain=False, labelExpr=labels),
        ),
        y=alt.Y("true:N", sort=order, title="true class", axis=alt.Axis(domain=False, labelExpr=labels)),
        tooltip=["true:N", "predicted:N", alt.Tooltip("fraction:Q", format=".2f"), "count:Q"],
    )
    layers = [
        base.mark_rect().encode(color=alt.Color("fraction:Q", scale=scale, legend=None)),
        base.mark_text(fontSize=10).encode(text="text:N", color=tone),
    ]
    return alt.LayerChart(
        layer=layers,
        width=alt.Step(CELL),
        height=alt.Step(CELL * 3 // 5),
    )
