"""Which classes are confused? Metrics per class with intervals, the most confused pairs, confusion matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench.published.reference_data import PublishedClasses
from bench.report.charts.drawing import chart_data
from bench.report.charts.fit_names import label_expression
from bench.report.charts.lazy_altair import alt
from bench.report.charts.theme import AXIS_NAME, BLUE, INK, VERMILLION
from bench.report.classes import class_report
from bench.report.classes.class_report import HEADINGS, PublishedClassTable, published_table
from bench.report.classes.details import Details
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, Format, OmittedChart, Section, Table
from bench.report.number_format import percent
from bench.statistics.per_class import CLASS_METRICS

MATRIX, DIFFERENCE = "Confusion matrix", "Difference of two confusion matrices"

MAX_CLASSES = 30
"""With more, a cell is too small for a printed page."""

CELL = 40
MAX_PAIRS = 5
MARKDOWN: frozenset[Format] = frozenset({"markdown"})


def classes(comparison: Comparison) -> Section:
    """Of the page, a block per configuration; of Markdown, the tables of the first, and published ones."""
    tables = _class_tables(comparison.details[0]) if comparison.details else []
    for details in comparison.details:
        for published in details.published:
            tables += _published_tables(details, published_table(details, published))
    return Section(
        "classes",
        "Errors per class",
        tuple(tables),
        draw=lambda: (confusion_chart(comparison), confusion_difference_chart(comparison)),
        data=lambda: {"per_class": [details_json(details) for details in comparison.details]},
        template="classes.html.j2" if comparison.details else "",
        context=lambda: {
            "reports": class_report.class_reports(comparison),
            "comparison_data": class_report.comparison_data(comparison),
        },
    )


def _class_tables(details: Details) -> list[Table]:
    metrics, n_seeds = details.metrics, len(details.seeds)
    rows = pd.DataFrame(
        {
            "class": details.classes,
            "precision": metrics.precision,
            "recall": metrics.recall,
            "f1": metrics.f1,
            "support": metrics.support,
        }
    )
    pairs = pd.DataFrame(
        [(p.true, p.predicted, p.fraction, p.count) for p in details.confused_pairs[:MAX_PAIRS]],
        columns=["true", "predicted", "fraction", "count"],
    )
    seeds = f"Pooled predictions of its {n_seeds} seeds." if n_seeds > 1 else "From its one seed."
    return [
        Table(
            "classes",
            f"Classes of {details.label}",
            seeds,
            rows,
            (
                Column("class", "Class", lambda row: row["class"], "text"),
                Column("precision", "Precision %", lambda row: percent(row["precision"])),
                Column("recall", "Recall %", lambda row: percent(row["recall"])),
                Column("f1", "F1 %", lambda row: percent(row["f1"])),
                Column("support", "Test images", lambda row: str(row["support"])),
            ),
            formats=MARKDOWN,
            in_full=True,
        ),
        Table(
            "confused",
            "Most confused pairs",
            "As a fraction of the true class.",
            pairs,
            (
                Column("true", "True", lambda row: row["true"], "text"),
                Column("predicted", "Predicted", lambda row: row["predicted"], "text"),
                Column("fraction", "%", lambda row: percent(row["fraction"])),
                Column("count", "Count", lambda row: f"{row['count']:,}"),
            ),
            formats=MARKDOWN,
        ),
    ]


def _published_tables(details: Details, table: PublishedClassTable) -> list[Table]:
    """Published metrics by class next to those measured here, and the counts of the published matrix."""
    published = table.published
    headings = [f"{name} % {source}" for name in HEADINGS.values() for source in ("measured", "published")]
    metrics = pd.DataFrame([{"class": name, **dict(zip(headings, cells, strict=True))} for name, cells in table.rows])
    names = [f"predicted {name}" for name in table.matrix.columns]
    counts = pd.DataFrame(
        [
            {"class": name, **dict(zip(names, (count for count, _ in cells), strict=True))}
            for name, cells in table.matrix.rows
        ]
    )
    return [
        Table(
            "published-classes",
            f"{details.label} and {published.system} ({published.reference})",
            f"{published.source}. {published.note} Published values are printed with two digits.",
            metrics,
            (Column("class", "Class", lambda row: row["class"], "text"), *map(_own_column, headings)),
            formats=MARKDOWN,
            in_full=True,
        ),
        Table(
            "published-confusion",
            f"Confusion matrix of {published.system}",
            "A row per true class.",
            counts,
            (Column("class", "True", lambda row: row["class"], "text"), *map(_own_column, names)),
            formats=MARKDOWN,
            in_full=True,
        ),
    ]


def _own_column(name: str) -> Column:
    return Column(name, name.removeprefix("predicted "), lambda row: str(row[name]))


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
    by_label = {one.label: one for one in comparison.details}
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
