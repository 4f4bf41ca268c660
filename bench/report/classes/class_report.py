"""The class reports of the page: tables per class, confusion matrices, and the data its script compares them by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.published.reference_data import PublishedClasses
from bench.report.classes.details import Details
from bench.report.comparison import Comparison
from bench.report.number_format import NOTHING, percent
from bench.statistics.per_class import CLASS_METRICS

MAX_CLASSES = 20
"""With more, a confusion matrix shows those with the most errors, and every report but the first the worst classes."""
WORST_CLASSES = 12
HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


@dataclass(frozen=True)
class ClassRow:
    """One class: each metric as (value, interval), and its number of test images."""

    name: str
    metrics: tuple[tuple[str, str], ...]
    support: int


@dataclass(frozen=True)
class MatrixView:
    """A confusion matrix as cells of (text, strength of the colour); `columns` are the predicted classes it shows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    complete: bool


@dataclass(frozen=True)
class PublishedClassTable:
    """Measured and published results: rows of class, then the measured and published value of each metric."""

    published: PublishedClasses
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    matrix: MatrixView


@dataclass(frozen=True)
class ClassReport:
    """Everything that the page shows of one configuration; `complete` is whether it has a row for every class."""

    details: Details
    rows: tuple[ClassRow, ...]
    complete: bool
    matrix: MatrixView
    published: tuple[PublishedClassTable, ...]


def class_reports(comparison: Comparison) -> list[ClassReport]:
    """A report per configuration with details, in their order."""
    return [_class_report(details, index == 0) for index, details in enumerate(comparison.details)]


def with_confidences(comparison: Comparison) -> list[Details]:
    """The configurations whose predictions hold probabilities."""
    return [details for details in comparison.details if not math.isnan(details.ece)]


def _class_report(details: Details, first: bool) -> ClassReport:
    order = list(range(len(details.classes)))
    if len(order) > MAX_CLASSES and not first:
        with_images = [number for number in order if details.metrics.support[number]]
        order = sorted(with_images, key=lambda number: details.metrics.f1[number])[:WORST_CLASSES]
    return ClassReport(
        details=details,
        rows=tuple(_row(details, number) for number in order),
        complete=len(order) == len(details.classes),
        matrix=matrix_view(details.confusion, details.classes),
        published=tuple(published_table(details, published) for published in details.published),
    )


def _row(details: Details, number: int) -> ClassRow:
    cells = []
    for metric in CLASS_METRICS:
        low, high = details.intervals[metric][number]
        if math.isnan(low):
            cells.append((NOTHING, ""))
        else:
            cells.append((percent(getattr(details.metrics, metric)[number]), f"{100 * low:.1f}–{100 * high:.1f}"))
    return ClassRow(details.classes[number], tuple(cells), int(details.metrics.support[number]))


def matrix_view(counts: NDArray[np.int64], classes: Sequence[str], missing: Sequence[int] = ()) -> MatrixView:
    """Lay out a confusion matrix; of many classes those with the most errors, and one column for all others.

    The colour grows with the square root of a cell's fraction of the row, so that small errors show. Rows of `missing`
    classes are left empty.
    """
    order = np.arange(len(classes))
    complete = len(classes) <= MAX_CLASSES
    if not complete:
        errors = counts.copy()
        np.fill_diagonal(errors, 0)
        order = np.sort(np.argsort(-(errors.sum(axis=0) + errors.sum(axis=1)), kind="stable")[:MAX_CLASSES])
    rows = []
    for number in order.tolist():
        row = counts[number, order].tolist()
        total = int(counts[number].sum())
        if not complete:
            row.append(total - sum(row))
        cells = [("", 0.0)] * len(row) if number in missing else [(f"{n:,}", _shade(n, total)) for n in row]
        rows.append((classes[number], tuple(cells)))
    columns = [classes[number] for number in order.tolist()] + ([] if complete else ["all others"])
    return MatrixView(tuple(columns), tuple(rows), complete)


def _shade(count: int, total: int) -> float:
    return round(math.sqrt(count / total), 2) if total else 0.0


def published_table(details: Details, published: PublishedClasses) -> PublishedClassTable:
    """Lay out measured and published results together; a class that was not measured gets dashes."""
    rows = []
    for number, name in enumerate(published.classes):
        measured = details.classes.index(name) if name in details.classes else None
        cells = []
        for metric in CLASS_METRICS:
            cells.append(NOTHING if measured is None else percent(getattr(details.metrics, metric)[measured]))
            cells.append(f"{100 * getattr(published, metric)[number]:.0f}")
        rows.append((name, tuple(cells)))
    counts, missing = _published_counts(published)
    return PublishedClassTable(published, tuple(rows), matrix_view(counts, published.classes, missing))


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
    published = {one.reference: one for details in all_details for one in details.published}
    return {
        "classes": list(classes),
        "metrics": [HEADINGS[metric] for metric in CLASS_METRICS],
        "configurations": [
            *(_configuration_data(details, indices) for details in all_details),
            *(_published_data(one) for one in published.values() if one.classes == classes),
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
