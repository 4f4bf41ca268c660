"""A table of a claim: cells as text, and how differences, their intervals and p-values are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.cells import NOTHING

MOST_OPEN = 30
"""Rows of a table that stands open in a page; a longer one is folded up."""

Row = dict[Any, Any]


@dataclass(frozen=True)
class Cell:
    """Text; `label` where it names a configuration, `faint` where seeds alone make as large a difference."""

    text: str
    label: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Finding:
    """A table: `numeric` says of each column whether it holds numbers. The first column heads the row."""

    name: str
    title: str
    caption: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def subject(self) -> str:
        """What it is about: ``tuned`` for the tables of every axis."""
        return self.name.partition("-")[0]

    @property
    def folded(self) -> bool:
        """Whether it is too long to stand open in a page."""
        return len(self.rows) > MOST_OPEN


def signed(value: float) -> str:
    """A fraction as points with their sign: ``+1.04``, ``−0.30``."""
    return NOTHING if math.isnan(value) else f"{100 * value:+.2f}".replace("-", "−")


def table(
    name: str,
    title: str,
    caption: str,
    frame: pd.DataFrame,
    columns: dict[str, Callable[[Row], Cell]],
    text: int,
    also_text: tuple[int, ...] = (),
) -> Finding:
    """A claim with a row per row of `frame`, its cells written by `columns`.

    The first `text` columns hold text, and those numbered in `also_text`; the others numbers.
    """
    rows: list[Row] = frame.to_dict("records")
    return Finding(
        name=name,
        title=title,
        caption=caption.strip(),
        headings=tuple(columns),
        numeric=tuple(place >= text and place not in also_text for place in range(len(columns))),
        rows=tuple(tuple(write(row) for write in columns.values()) for row in rows),
    )


def points(row: Row) -> Cell:
    """A row's effect, faint where seeds alone make as large a difference."""
    return Cell(signed(row["effect"]), faint=bool(row["below_seed_noise"]))


def span(low: float, high: float) -> str:
    """An interval of points: ``[−0.07, +2.15]``."""
    return NOTHING if math.isnan(low) else f"[{signed(low)},\u00a0{signed(high)}]"


def p_value(value: float) -> str:
    """As journals print it, with three decimals: ``.045``, ``< .001``."""
    if math.isnan(value):
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def spaced(axis: str) -> str:
    """An axis as words: ``batch size``."""
    return axis.replace("_", " ")
