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
from bench.report.report import Part
from bench.statistics.per_class import FIGURES

MOST_CLASSES = 20
"""With more, a confusion matrix shows those with the most errors, and tables of all but the first block the worst."""
WORST = 12
HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


@dataclass(frozen=True)
class ClassRow:
    """One class: each figure as (value, interval), and its test images."""

    name: str
    figures: tuple[tuple[str, str], ...]
    support: int


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix as cells of (text, strength of the colour); `columns` are the predicted classes shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    whole: bool


@dataclass(frozen=True)
class Beside:
    """A published table beside ours: rows of class, then theirs and ours of each figure; their matrix."""

    theirs: PublishedClasses
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    matrix: Matrix


@dataclass(frozen=True)
class Block:
    """Everything that the page shows of one configuration."""

    one: Details
    rows: tuple[ClassRow, ...]
    whole: bool
    matrix: Matrix
    beside: tuple[Beside, ...]


def blocks(part: Part) -> list[Block]:
    """A block per configuration shown in detail, in their order."""
    return [_block(one, place == 0) for place, one in enumerate(part.details)]


def calibrated(part: Part) -> list[Details]:
    """The configurations whose confidences are known."""
    return [one for one in part.details if not math.isnan(one.ece)]


def _block(one: Details, first: bool) -> Block:
    order = list(range(len(one.classes)))
    if len(order) > MOST_CLASSES and not first:
        there = [number for number in order if one.figures.support[number]]
        order = sorted(there, key=lambda number: one.figures.f1[number])[:WORST]
    return Block(
        one=one,
        rows=tuple(_row(one, number) for number in order),
        whole=len(order) == len(one.classes),
        matrix=matrix(one.matrix, one.classes),
        beside=tuple(beside(one, theirs) for theirs in one.theirs),
    )


def _row(one: Details, number: int) -> ClassRow:
    figures = []
    for figure in FIGURES:
        low, high = one.bounds[figure][number]
        known = not math.isnan(low)
        text = percent(getattr(one.figures, figure)[number]) if known else NOTHING
        figures.append((text, f"{100 * low:.1f}–{100 * high:.1f}" if known else ""))
    return ClassRow(one.classes[number], tuple(figures), int(one.figures.support[number]))


def matrix(counts: NDArray[np.int64], classes: Sequence[str], missing: Sequence[int] = ()) -> Matrix:
    """Lay out a confusion matrix; of many classes those with the most errors, and one column for the rest.

    The colour grows with the root of a cell's share of the row, so that small errors show. Rows of `missing` classes
    are left empty.
    """
    order = np.arange(len(classes))
    whole = len(classes) <= MOST_CLASSES
    if not whole:
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MOST_CLASSES])
    rows = []
    for number in order.tolist():
        shown = counts[number, order].tolist()
        total = int(counts[number].sum())
        if not whole:
            shown.append(total - sum(shown))
        cells = [("", 0.0)] * len(shown) if number in missing else [(f"{n:,}", _shade(n, total)) for n in shown]
        rows.append((classes[number], tuple(cells)))
    return Matrix(
        (*(classes[number] for number in order.tolist()), *(() if whole else ("all others",))), tuple(rows), whole
    )


def _shade(count: int, total: int) -> float:
    return round(math.sqrt(count / total), 2) if total else 0.0


def beside(one: Details, theirs: PublishedClasses) -> Beside:
    """Lay out a published table and ours together; a class that ours lacks gets dashes."""
    rows = []
    for number, name in enumerate(theirs.classes):
        ours = one.classes.index(name) if name in one.classes else None
        cells = []
        for figure in FIGURES:
            printed = f"{100 * getattr(theirs, figure)[number]:.0f}"
            cells += [percent(getattr(one.figures, figure)[ours]) if ours is not None else NOTHING, printed]
        rows.append((name, tuple(cells)))
    counts, missing = _their_counts(theirs)
    return Beside(theirs, tuple(rows), matrix(counts, theirs.classes, missing))


def _their_counts(theirs: PublishedClasses) -> tuple[NDArray[np.int64], list[int]]:
    size = len(theirs.classes)
    counts = np.array([row or (0,) * size for row in theirs.confusion], dtype=np.int64)
    return counts, [number for number, row in enumerate(theirs.confusion) if row is None]


def comparison(part: Part) -> dict[str, Any]:
    """What the page's script compares any two configurations by.

    Figures are whole numbers of 1/10,000, null where there is none; `matrix` lists cells that are not empty as number
    and count, over all seeds; `decimals` is how exact the figures are in percent; `half` are half widths of the
    differences to later configurations, by their place.
    """
    details = part.details
    if not details:
        return {"classes": [], "configurations": []}
    places = {one.label: place for place, one in enumerate(details)}
    published = {theirs.reference: theirs for one in details for theirs in one.theirs}
    return {
        "classes": list(details[0].classes),
        "figures": [HEADINGS[figure] for figure in FIGURES],
        "configurations": [
            *(_ours(one, places) for one in details),
            *(_theirs(theirs) for theirs in published.values() if theirs.classes == details[0].classes),
        ],
    }


def _ours(one: Details, places: dict[str, int]) -> dict[str, Any]:
    return {
        "label": one.label,
        "seeds": len(one.seeds),
        "support": one.figures.support.tolist(),
        "figures": [
            _whole(np.where(np.isnan(one.bounds[figure][:, 0]), np.nan, getattr(one.figures, figure)))
            for figure in FIGURES
        ],
        "matrix": _sparse(one.matrix),
        "missing": [],
        "decimals": 2,
        "half": {
            str(places[other]): [_whole(half[figure]) for figure in FIGURES] for other, half in one.differences.items()
        },
    }


def _theirs(theirs: PublishedClasses) -> dict[str, Any]:
    counts, missing = _their_counts(theirs)
    return {
        "label": f"published: {theirs.system} ({theirs.reference})",
        "seeds": 1,
        "support": list(theirs.support),
        "figures": [_whole(np.array(getattr(theirs, figure))) for figure in FIGURES],
        "matrix": _sparse(counts),
        "missing": missing,
        "decimals": 0,
        "half": {},
    }


def _whole(values: NDArray[np.float64]) -> list[int | None]:
    return [None if math.isnan(value) else round(10_000 * value) for value in values.tolist()]


def _sparse(counts: NDArray[np.int64]) -> list[int]:
    """Cell number (row by row), count, cell number, count, ..."""
    flat = counts.ravel()
    there = np.flatnonzero(flat)
    cells: list[int] = np.stack([there, flat[there]], axis=1).ravel().tolist()
    return cells
