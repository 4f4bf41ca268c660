"""The leaderboard as the page shows it: cells to sort by, shades, whiskers, and the axes to filter and group by."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report import plots
from bench.report.cells import NOTHING, Row, headings, number, rows
from bench.report.leaderboard_frame import NEVER_RANKED, extra_columns
from bench.report.leading import MOST, leading
from bench.report.report import Comparison
from bench.report.tables import csv_of
from bench.suite.labels import by_axis

SHADED_FROM = 3
"""A column's best and worst cells are shaded where it has so many different values; of two, one is always worst."""

LESS_IS_BETTER = ("parameters", "flops", "train_seconds")

COLUMN_OF = {"seconds": "train_seconds", "test": "test_mean", "validation": "validation_mean", "epochs": "epochs_run"}
"""A cell's column in the frame, where it has another name."""


@dataclass(frozen=True)
class Column:
    """A column: the cell's name in `Row.cells`, its heading, and the frame's column that sorts it."""

    name: str
    heading: str
    of: str


@dataclass(frozen=True)
class Cell:
    """What is read and what sorts: `order` is the number in full, empty where there is none. `shade` is a class.

    It is ``best``, ``worst``, or ``faint`` for a gap to the best that seeds alone make as large.
    """

    text: str
    order: str
    shade: str


TIED, JOINTLY, HERE = "●", "○", "◆"


@dataclass(frozen=True)
class Tie:
    """In which sets a row is: as signs, as words, and for sorting."""

    sign: str
    words: str
    order: float


@dataclass(frozen=True)
class Line:
    """A row of the table; `tie` is None where it was not judged, `tier` sets apart what is never ranked with ours."""

    row: Row
    cells: tuple[Cell, ...]
    whisker: plots.Whisker | None
    tie: Tie | None
    tier: int


@dataclass(frozen=True)
class Board:
    """A part's leaderboard. `ends` are the strip's scale; `judged` whether any row was compared with the best.

    `faint` says whether any gap is within what seeds alone make, `here` whether rows were judged on this test set too,
    and `jointly` whether any is in the all-at-once set alone. `rest` are the configurations that are listed in short,
    because there are too many.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    ends: tuple[str, ...]
    metric: str
    percent: bool
    judged: bool
    shaded: bool
    faint: bool
    here: bool
    jointly: bool
    data: dict[str, Any]
    rest: tuple[Row, ...]


def board(comparison: Comparison, most: int = MOST) -> Board:
    """Lay out a part's leaderboard frame, with at most the first `most` configurations in full."""
    everything = rows(comparison.frame)
    places = leading(comparison.frame, most)
    shown = [everything[place] for place in places]
    first = METRICS[comparison.metrics[0]]
    limits = plots.scale(shown)
    columns = _columns(everything, comparison.metrics)
    shades = {column.name: _shades(everything, column.of, comparison.metrics) for column in columns}
    faint = {place: "faint" for place, row in enumerate(everything) if _flag(row.numbers["below_seed_noise"])}
    told = {**shades, "gap_to_best": faint}
    lines = tuple(
        Line(
            row=row,
            cells=tuple(
                Cell(_text(row, column), _order(row.numbers[column.of]), told[column.name].get(place, ""))
                for column in columns
            ),
            whisker=plots.whisker(row.numbers, limits) if limits else None,
            tie=_tie(row),
            tier=tier(row),
        )
        for place, row in zip(places, shown, strict=True)
    )
    return Board(
        columns=columns,
        lines=lines,
        ends=tuple(number(end, comparison.metrics[0]) for end in limits or ()),
        metric=first.heading,
        percent=first.percent,
        judged=any(line.tie is not None for line in lines),
        shaded=any(shades.values()),
        faint=bool(faint),
        here=comparison.analysis.here is not None,
        jointly=any(line.tie is not None and line.tie.sign == JOINTLY for line in lines),
        data=_data(comparison.frame.iloc[places], lines),
        rest=tuple(everything[place] for place in sorted(set(range(len(everything))) - set(places))),
    )


def _tie(row: Row) -> Tie | None:
    """``●`` for a row that may be the best, ``○`` for one that is in the all-at-once set alone; ``◆`` on this test
    set."""
    if _flag(row.numbers["in_best_set"]) is None:
        return None
    sign, order = (TIED, 1.0) if row.tied else (JOINTLY, 0.5) if _flag(row.numbers["in_joint_best_set"]) else ("", 0.0)
    if _flag(row.numbers["in_best_set_on_test"]):
        sign, order = sign + HERE, order + 0.25
    return Tie(sign, ", ".join(row.ties), order)


def tier(row: Row) -> int:
    """Where a row stands however the table is sorted, as in the frame: with all seeds and published ones first.

    Then incomplete ones, published ones without a test figure, and refuted claims.
    """
    if math.isnan(row.numbers["test_mean"]):
        return 2
    if NEVER_RANKED.replace("_", " ") in row.numbers["note"]:
        return 3
    return int(row.incomplete)


def _columns(shown: Sequence[Row], metrics: Sequence[str]) -> tuple[Column, ...]:
    titles = headings(list(shown), metrics)
    found = []
    for name, heading in titles.items():
        found.append(Column(name, heading, COLUMN_OF.get(name, name)))
        if name == "test":
            # Of a single seed both intervals are the same: a column of nothing else would say everything twice.
            if any(row.numbers["new_low"] < row.numbers["test_low"] for row in shown):
                found.append(Column("new", "95 % on new images", "new_low"))
            if any(not math.isnan(row.numbers["gap_to_best"]) for row in shown):
                found.append(Column("gap_to_best", "Behind best", "gap_to_best"))
    return tuple(found)


def _text(row: Row, column: Column) -> str:
    metric = row.numbers["metric"]
    if column.name == "new":
        low, high = row.numbers["new_low"], row.numbers["new_high"]
        return NOTHING if pd.isna(low) else f"[{number(low, metric)}, {number(high, metric)}]"
    if column.name == "gap_to_best":
        return number(row.numbers["gap_to_best"], metric)
    return row.cells[column.name]


def _order(value: Any) -> str:
    return "" if pd.isna(value) else repr(value.item() if hasattr(value, "item") else value)


def _flag(value: Any) -> bool | None:
    return None if pd.isna(value) else bool(value)


def _shades(shown: Sequence[Row], column: str, metrics: Sequence[str]) -> dict[int, str]:
    """Rows of the best and the worst values of a column by their place; only of our complete configurations."""
    metric = _rated(metrics).get(column)
    if metric is None and column not in LESS_IS_BETTER:
        return {}
    values = {
        place: float(row.numbers[column])
        for place, row in enumerate(shown)
        if not row.published and not row.incomplete and not pd.isna(row.numbers[column])
    }
    if len(set(values.values())) < SHADED_FROM:
        return {}
    rated = {place: METRICS[metric].better(value) if metric else -value for place, value in values.items()}
    ends = {max(rated.values()): "best", min(rated.values()): "worst"}
    return {place: ends[value] for place, value in rated.items() if value in ends}


def _rated(metrics: Sequence[str]) -> dict[str, str]:
    """Which metric the figures of a column are of."""
    first, *extra = metrics
    return {"test_mean": first, "validation_mean": first, **{extra_columns(name)[0]: name for name in extra}}


def _data(frame: pd.DataFrame, lines: Sequence[Line]) -> dict[str, Any]:
    """What the page's script needs beside the table: the CSV's lines, tiers, and each row's value on every axis.

    The CSV is the report's own without the configurations in JSON; axes are a list of different values and, per row,
    the place in it, or null for a published figure.
    """
    table = list(csv.reader(io.StringIO(csv_of(frame.drop(columns="config")))))
    ours = [place for place, line in enumerate(lines) if not line.row.published]
    found = by_axis([json.loads(lines[place].row.numbers["config"]) for place in ours])
    axes = []
    for axis, values in found.items():
        different = list(dict.fromkeys(values))
        at = {value: place for place, value in enumerate(different)}
        of: list[int | None] = [None] * len(lines)
        for place, value in zip(ours, values, strict=True):
            of[place] = at[value]
        axes.append({"name": axis.replace("_", " "), "values": different, "rows": of})
    return {
        "csv": [_csv_line(row) for row in table],
        "tiers": [line.tier for line in lines],
        "axes": axes,
    }


def _csv_line(row: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return line.getvalue()
