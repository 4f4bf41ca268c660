"""The tables per class: metrics, confused pairs, matrices, published values; and what the page's script compares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.published.reference_data import PublishedClasses
from bench.report.classes.details import Details
from bench.report.comparison import Comparison
from bench.report.document import NO_TERMINAL, Cell, Column, Controls, Format, Row, Table, TableGroup
from bench.report.number_format import NOTHING, count, is_missing, percent
from bench.statistics.per_class import CLASS_METRICS

MAX_CLASSES = 20
"""With more, a confusion matrix shows those with the most errors, and every report but the first the worst classes."""
WORST_CLASSES = 12
HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
PAGE: frozenset[Format] = frozenset({"page"})


def with_confidences(comparison: Comparison) -> list[Details]:
    """The configurations whose predictions hold probabilities."""
    return [details for details in comparison.details if not math.isnan(details.ece)]


def f1_table(comparison: Comparison) -> Table:
    """A row per configuration and a column per class: those with the lowest F1 of many. The script compares any two."""
    details = comparison.details
    order = list(range(len(details[0].classes)))
    if len(order) > WORST_CLASSES:
        order = _worst(details[0])
    some = f" The {len(order)} classes with the lowest F1 of the first row." * (len(order) < len(details[0].classes))
    classes = details[0].classes
    rows = [
        {"label": item.label, **{f"f1 {classes[number]}": float(item.metrics.f1[number]) for number in order}}
        for item in details
        if item.classes == classes
    ]

    def f1(number: int) -> Column:
        name = f"f1 {classes[number]}"
        return Column(name, classes[number], lambda row: percent(row[name]))

    return Table(
        "f1",
        "F1 of each class",
        f"In %, pooled over the seeds of each configuration.{some}",
        pd.DataFrame(rows),
        (Column("label", "Configuration", lambda row: row["label"], "label"), *map(f1, order)),
        formats=NO_TERMINAL,
        controls=Controls("classes", lambda _: comparison_data(comparison)),
    )


def configuration_tables(details: Details, number: int) -> list[Table]:
    """Metrics, confused pairs, the confusion matrix and published values of a configuration, the `number`-th of all."""
    several = len(details.seeds) > 1
    images = f"{details.n_images:,}"
    pooled = (
        f"Pooled predictions of {len(details.seeds)} seeds: each of the {images} test images counts "
        f"{len(details.seeds)} times in the metrics, the matrix and the pairs, once under “Test images”. The intervals "
        "account for both seeds and images."
        if several
        else f"Predictions of one seed on {images} test images."
    )
    mark = "selected on validation" if details.selected else "top" if details.top else ""
    group = TableGroup(details.label, (mark,) if mark else (), (pooled,))
    formats = NO_TERMINAL if number == 1 else PAGE
    over = f", counts over {len(details.seeds)} seeds" if several else ""
    caption = f"A row per true class, a column per predicted class{over}."
    tables = [
        _metric_table(details, number, group, formats),
        _pair_table(details, number, group, formats),
        matrix_table(f"matrix-{number}", caption, details.confusion, details.classes, group, formats),
    ]
    for index, published in enumerate(details.published, 1):
        tables += _published_tables(details, published, f"{number}-{index}", group)
    return tables


def _worst(details: Details) -> list[int]:
    with_images = [number for number in range(len(details.classes)) if details.metrics.support[number]]
    return sorted(with_images, key=lambda number: float(details.metrics.f1[number]))[:WORST_CLASSES]


def _metric_table(details: Details, number: int, group: TableGroup, formats: frozenset[Format]) -> Table:
    order = list(range(len(details.classes)))
    some = ""
    if len(order) > MAX_CLASSES and number > 1:
        order = _worst(details)
        some = f", of the {len(order)} classes with the lowest F1 of {len(details.classes)}"
    metrics = {
        name: values
        for metric in CLASS_METRICS
        for name, values in (
            (metric, getattr(details.metrics, metric)),
            (f"{metric}_low", details.intervals[metric][:, 0]),
            (f"{metric}_high", details.intervals[metric][:, 1]),
        )
    }
    frame = pd.DataFrame({"class": details.classes, **metrics, "support": details.metrics.support})

    def of_metric(metric: str) -> Column:
        return Column(metric, f"{HEADINGS[metric]} %", lambda row: _metric_cell(row, metric))

    return Table(
        f"classes-{number}",
        "Metrics per class",
        f"Each with its 95 % interval{some}.",
        frame.iloc[order],
        (
            Column("class", "Class", lambda row: row["class"], "text"),
            *map(of_metric, CLASS_METRICS),
            Column("support", "Test images", lambda row: count(row["support"])),
        ),
        formats=formats,
        in_full=True,
        group=group,
    )


def _metric_cell(row: Row, metric: str) -> Cell:
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    if math.isnan(low):
        return Cell(NOTHING)
    return Cell(percent(row[metric]), detail=f"{100 * low:.1f}–{100 * high:.1f}")


def _pair_table(details: Details, number: int, group: TableGroup, formats: frozenset[Format]) -> Table:
    rows = [(pair.true, pair.predicted, pair.fraction, pair.count) for pair in details.confused_pairs]
    return Table(
        f"confused-{number}",
        "Most confused pairs",
        "As a fraction of the true class.",
        pd.DataFrame(rows, columns=["true", "predicted", "fraction", "count"]),
        (
            Column("true", "True", lambda row: row["true"], "text"),
            Column("predicted", "Predicted", lambda row: row["predicted"], "text"),
            Column("fraction", "%", lambda row: percent(row["fraction"])),
            Column("count", "Count", lambda row: count(row["count"])),
        ),
        formats=formats,
        group=group,
    )


def matrix_table(
    name: str,
    caption: str,
    counts: NDArray[np.int64],
    classes: Sequence[str],
    group: TableGroup,
    formats: frozenset[Format],
    missing: Sequence[int] = (),
) -> Table:
    """A confusion matrix; of many classes those with the most errors, and one column for all others.

    The shade grows with the square root of a cell's fraction of the row, so that small errors show. Rows of `missing`
    classes are left empty.
    """
    order = np.arange(len(classes))
    complete = len(classes) <= MAX_CLASSES
    if not complete:
        errors = counts.copy()
        np.fill_diagonal(errors, 0)
        order = np.sort(np.argsort(-(errors.sum(axis=0) + errors.sum(axis=1)), kind="stable")[:MAX_CLASSES])
    headings = [classes[number] for number in order.tolist()] + ["all others"] * (not complete)
    rows = []
    for number in order.tolist():
        row = counts[number, order].tolist()
        total = int(counts[number].sum())
        row += [] if complete else [total - sum(row)]
        cells = [pd.NA] * len(row) if number in missing else row
        rows.append([classes[number], *cells, total])
    frame = pd.DataFrame(rows, columns=["class", *(f"predicted {heading}" for heading in headings), "total"])
    some = "" if complete else f" Of {len(classes)} classes, those with the most errors."
    return Table(
        name,
        "Confusion matrix",
        f"{caption}{some}",
        frame,
        (Column("class", "True", lambda row: row["class"], "text"), *map(_count_column, headings)),
        formats=formats,
        in_full=True,
        page_caption="The shade grows with the square root of the fraction of the row.",
        group=group,
    )


def _count_column(heading: str) -> Column:
    name = f"predicted {heading}"

    def cell(row: Row) -> Cell:
        if is_missing(row[name]):
            return Cell("")
        shade = round(math.sqrt(row[name] / row["total"]), 2) if row["total"] else 0.0
        css = f"--s:{shade}" if shade else ""
        return Cell(count(row[name]), css=css)

    return Column(name, heading, cell)


def _published_tables(details: Details, published: PublishedClasses, name: str, group: TableGroup) -> list[Table]:
    """Published metrics by class next to those measured here, and the published matrix."""
    rows = []
    for number, label in enumerate(published.classes):
        measured = details.classes.index(label) if label in details.classes else None
        row: dict[str, float | str] = {"class": label}
        for metric in CLASS_METRICS:
            values = getattr(details.metrics, metric)
            row[f"{metric}_measured"] = math.nan if measured is None else float(values[measured])
            row[f"{metric}_published"] = float(getattr(published, metric)[number])
        rows.append(row)

    def column(metric: str, source: str) -> Column:
        value = f"{metric}_{source}"

        def cell(row: Row) -> str:
            return percent(row[value]) if source == "measured" else f"{100 * row[value]:.0f}"

        return Column(value, f"{HEADINGS[metric]} % {source}", cell)

    counts, missing = _published_counts(published)
    system = f"{published.system} ({published.reference})"
    return [
        Table(
            f"published-classes-{name}",
            f"Measured, and published: {system}",
            f"{published.source}. {published.note} Published values are printed with two digits.",
            pd.DataFrame(rows),
            (
                Column("class", "Class", lambda row: row["class"], "text"),
                *(column(metric, source) for metric in CLASS_METRICS for source in ("measured", "published")),
            ),
            formats=NO_TERMINAL,
            in_full=True,
            group=group,
        ),
        matrix_table(
            f"matrix-{name}",
            f"Published, of one run of {system}: a row per true class, a column per predicted class.",
            counts,
            published.classes,
            group,
            NO_TERMINAL,
            missing,
        ),
    ]


def _published_counts(published: PublishedClasses) -> tuple[NDArray[np.int64], list[int]]:
    """The counts, 0 in rows that the source does not print, and the numbers of these rows."""
    size = len(published.classes)
    counts = np.array([row or (0,) * size for row in published.confusion], dtype=np.int64)
    return counts, [number for number, row in enumerate(published.confusion) if row is None]


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """What the page's script compares any two configurations by.

    Metrics are integers in units of 1/10,000, null where there is none; `matrix` lists the cells that are not empty as
    cell number and count, over all seeds; `decimals` is the precision of the metrics in percent; `half` are half widths
    of the intervals of the differences to later configurations, by their index.
    """
    all_details = comparison.details
    if not all_details:
        return {"classes": [], "configurations": []}
    classes = all_details[0].classes
    indices = {details.label: index for index, details in enumerate(all_details)}
    published = {item.reference: item for details in all_details for item in details.published}
    return {
        "classes": list(classes),
        "metrics": [HEADINGS[metric] for metric in CLASS_METRICS],
        "configurations": [
            *(_configuration_data(details, indices) for details in all_details),
            *(_published_data(item) for item in published.values() if item.classes == classes),
        ],
    }


def _configuration_data(details: Details, indices: dict[str, int]) -> dict[str, Any]:
    no_image = {metric: np.isnan(details.intervals[metric][:, 0]) for metric in CLASS_METRICS}
    return {
        "label": details.label,
        "seeds": len(details.seeds),
        "support": details.metrics.support.tolist(),
        "metrics": [
            _ten_thousandths(np.where(no_image[metric], np.nan, getattr(details.metrics, metric)))
            for metric in CLASS_METRICS
        ],
        "matrix": _sparse(details.confusion),
        "missing": [],
        "decimals": 2,
        "half": {
            str(indices[other]): [_ten_thousandths(half[metric]) for metric in CLASS_METRICS]
            for other, half in details.differences.items()
        },
    }


def _published_data(published: PublishedClasses) -> dict[str, Any]:
    counts, missing = _published_counts(published)
    return {
        "label": f"published: {published.system} ({published.reference})",
        "seeds": 1,
        "support": list(published.support),
        "metrics": [_ten_thousandths(np.array(getattr(published, metric))) for metric in CLASS_METRICS],
        "matrix": _sparse(counts),
        "missing": missing,
        "decimals": 0,
        "half": {},
    }


def _ten_thousandths(values: NDArray[np.float64]) -> list[int | None]:
    return [None if math.isnan(value) else round(10_000 * value) for value in values.tolist()]


def _sparse(counts: NDArray[np.int64]) -> list[int]:
    """Cell number (row by row), count, cell number, count, ..."""
    flat = counts.ravel()
    cells = np.flatnonzero(flat)
    pairs: list[int] = np.stack([cells, flat[cells]], axis=1).ravel().tolist()
    return pairs
