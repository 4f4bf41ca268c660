"""What the page shows of each configuration class by class, and the data its scripts compare two of them by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.published.reference_data import PublishedClasses
from bench.report.cells import NOTHING, percent
from bench.report.classes.details import Details
from bench.report.report import Comparison
from bench.statistics.per_class import CLASS_METRICS

MAX_CLASSES = 20
"""With more, a confusion matrix shows those with the most errors, and tables of all but the first block the worst."""
WORST_CLASSES = 12
HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


@dataclass(frozen=True)
class ClassRow:
    """One class: each figure as (value, interval), and its test images."""

    name: str
    figures: tuple[tuple[str, str], ...]
    support: int


@dataclass(frozen=True)
class MatrixView:
    """A confusion matrix as cells of (text, strength of the colour); `columns` are the predicted classes shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    whole: bool


@dataclass(frozen=True)
class PublishedClassTable:
    """A published table beside ours: rows of class, then theirs and ours of each figure; their matrix."""

    theirs: PublishedClasses
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    matrix: MatrixView


@dataclass(frozen=True)
class ClassReport:
    """Everything that the page shows of one configuration."""

    one: Details
    rows: tuple[ClassRow, ...]
    whole: bool
    matrix: MatrixView
    published: tuple[PublishedClassTable, ...]


def class_reports(comparison: Comparison) -> list[ClassReport]:
    """A block per configuration shown in detail, in their order."""
    return [_class_report(one, place == 0) for place, one in enumerate(comparison.details)]


def with_confidences(comparison: Comparison) -> list[Details]:
    """The configurations whose confidences are known."""
    return [one for one in comparison.details if not math.isnan(one.ece)]


def _class_report(one: Details, first: bool) -> ClassReport:
    order = list(range(len(one.classes)))
    if len(order) > MAX_CLASSES and not first:
        there = [number for number in order if one.figures.support[number]]
        order = sorted(there, key=lambda number: one.figures.f1[number])[:WORST_CLASSES]
    return ClassReport(
        one=one,
        rows=tuple(_row(one, number) for number in order),
        whole=len(order) == len(one.classes),
        matrix=matrix_view(one.matrix, one.classes),
        published=tuple(published_table(one, theirs) for theirs in one.theirs),
    )


def _row(one: Details, number: int) -> ClassRow:
    figures = []
    for figure in CLASS_METRICS:
        low, high = one.bounds[figure][number]
        known = not math.isnan(low)
        text = percent(getattr(one.figures, figure)[number]) if known else NOTHING
        figures.append((text, f"{100 * low:.1f}–{100 * high:.1f}" if known else ""))
    return ClassRow(one.classes[number], tuple(figures), int(one.figures.support[number]))


def matrix_view(counts: NDArray[np.int64], classes: Sequence[str], missing: Sequence[int] = ()) -> MatrixView:
    """Lay out a confusion matrix; of many classes those with the most errors, and one column for the rest.

    The colour grows with the root of a cell's share of the row, so that small errors show. Rows of `missing` classes
    are left empty.
    """
    order = np.arange(len(classes))
    whole = len(classes) <= MAX_CLASSES
    if not whole:
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MAX_CLASSES])
    rows = []
    for number in order.tolist():
        shown = counts[number, order].tolist()
        total = int(counts[number].sum())
        if not whole:
            shown.append(total - sum(shown))
        cells = [("", 0.0)] * len(shown) if number in missing else [(f"{n:,}", _shade(n, total)) for n in shown]
        rows.append((classes[number], tuple(cells)))
    return MatrixView(
        (*(classes[number] for number in order.tolist()), *(() if whole else ("all others",))), tuple(rows), whole
    )


def _shade(count: int, total: int) -> float:
    return round(math.sqrt(count / total), 2) if total else 0.0


def published_table(one: Details, theirs: PublishedClasses) -> PublishedClassTable:
    """Lay out a published table and ours together; a class that ours lacks gets dashes."""
    rows = []
    for number, name in enumerate(theirs.classes):
        ours = one.classes.index(name) if name in one.classes else None
        cells = []
        for figure in CLASS_METRICS:
            printed = f"{100 * getattr(theirs, figure)[number]:.0f}"
            cells += [percent(getattr(one.figures, figure)[ours]) if ours is not None else NOTHING, printed]
        rows.append((name, tuple(cells)))
    counts, missing = _published_counts(theirs)
    return PublishedClassTable(theirs, tuple(rows), matrix_view(counts, theirs.classes, missing))


def _published_counts(theirs: PublishedClasses) -> tuple[NDArray[np.int64], list[int]]:
    size = len(theirs.classes)
    counts = np.array([row or (0,) * size for row in theirs.confusion], dtype=np.int64)
    return counts, [number for number, row in enumerate(theirs.confusion) if row is None]


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """What the page's script compares any two configurations by.

    Figures are whole numbers of 1/10,000, null where there is none; `matrix` lists cells that are not empty as
    number and count, over all seeds; `decimals` is how exact the figures are in percent; `half` are half widths of the
    differences to later configurations, by their place.
    """
    details = comparison.details
    if not details:
        return {"classes": [], "configurations": []}
    places = {one.label: place for place, one in enumerate(details)}
    published = {theirs.reference: theirs for one in details for theirs in one.theirs}
    return {
        "classes": list(details[0].classes),
        "figures": [HEADINGS[figure] for figure in CLASS_METRICS],
        "configurations": [
            *(_configuration_data(one, places) for one in details),
            *(_published_data(theirs) for theirs in published.values() if theirs.classes == details[0].classes),
        ],
    }


def _configuration_data(one: Details, places: dict[str, int]) -> dict[str, Any]:
    return {
        "label": one.label,
        "seeds": len(one.seeds),
        "support": one.figures.support.tolist(),
        "figures": [
            _ten_thousandths(np.where(np.isnan(one.bounds[figure][:, 0]), np.nan, getattr(one.figures, figure)))
            for figure in CLASS_METRICS
        ],
        "matrix": _sparse(one.matrix),
        "missing": [],
        "decimals": 2,
        "half": {
            str(places[other]): [_ten_thousandths(half[figure]) for figure in CLASS_METRICS]
            for other, half in one.differences.items()
        },
    }


def _published_data(theirs: PublishedClasses) -> dict[str, Any]:
    counts, missing = _published_counts(theirs)
    return {
        "label": f"published: {theirs.system} ({theirs.reference})",
        "seeds": 1,
        "support": list(theirs.support),
        "figures": [_ten_thousandths(np.array(getattr(theirs, figure))) for figure in CLASS_METRICS],
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
    there = np.flatnonzero(flat)
    cells: list[int] = np.stack([there, flat[there]], axis=1).ravel().tolist()
    return cells
