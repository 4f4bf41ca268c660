"""What is a report made of? Sections of sentences, tables and charts; renderers know these and no section by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    import altair as alt

Row = Mapping[Any, Any]
Format = Literal["page", "markdown", "terminal", "latex"]
EVERYWHERE: frozenset[Format] = frozenset({"page", "markdown", "terminal", "latex"})
IN_DETAIL: frozenset[Format] = frozenset({"page", "markdown"})


@dataclass(frozen=True)
class Cell:
    """A table's cell.

    `order` is the number in full, which sorts; nan where there is none. `style` names a look that a renderer may give
    it (``faint``, ``best``, ``worst``); `spoken` is for screen readers where the text is a symbol; `css` places
    what the page draws in it.
    """

    text: str
    style: str = ""
    order: float = math.nan
    spoken: str = ""
    css: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its heading (with the unit) and how a row's cell is written.

    `kind` is ``label`` for the label of a configuration, ``text``, ``number``, ``symbol``, or ``drawing`` for what the
    page draws. Where a terminal is too narrow for all columns, those of the lowest `priority` are displayed, under the
    heading `short`; None leaves a column's turn to its place.
    """

    name: str
    heading: str
    cell: Callable[[Row], Cell | str]
    kind: Literal["label", "text", "number", "symbol", "drawing"] = "number"
    tooltip: str = ""
    short: str = ""
    priority: int = 99
    formats: frozenset[Format] = EVERYWHERE


@dataclass(frozen=True)
class RowStyle:
    """What a row is, for its look, and remarks that belong next to its label."""

    states: tuple[Literal["selected", "published", "incomplete"], ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Controls:
    """A table's data for the page's script: rows that are filtered, grouped and exported without the report's frame.

    `percent` says whether the column ``test`` holds fractions, `data` gives the JSON of the rows displayed.
    """

    percent: bool
    data: Callable[[Sequence[int]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Table:
    """A frame and how its columns are written. The first column names the row.

    `in_full` says that Markdown has all rows. `essential` marks rows that a page displays however long the table is;
    of the rows that it does not display in full it lists the columns named in `brief`. `page_caption` continues the
    caption with what the page alone draws.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    style: Callable[[Row], RowStyle] = lambda _: RowStyle()
    formats: frozenset[Format] = IN_DETAIL
    in_full: bool = False
    essential: Callable[[Row], bool] = lambda _: False
    brief: tuple[str, ...] = ()
    page_caption: str = ""
    controls: Controls | None = None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The frame's rows."""
        return [{str(name): value for name, value in row.items()} for row in self.frame.to_dict("records")]

    @cached_property
    def styles(self) -> list[RowStyle]:
        """Each row's style."""
        return [self.style(row) for row in self.rows]

    @cached_property
    def cells(self) -> dict[str, list[Cell]]:
        """By column, a cell per row."""
        return {column.name: [_cell(column.cell(row)) for row in self.rows] for column in self.columns}

    def displayed(self, output: Format) -> list[Column]:
        """The columns that a renderer displays."""
        return [column for column in self.columns if output in column.formats]

    def leading(self, most: int) -> list[int]:
        """The positions of the first `most` rows, published ones not counted, and of all essential ones."""
        count, positions = 0, []
        for position, (row, style) in enumerate(zip(self.rows, self.styles, strict=True)):
            count += "published" not in style.states
            if count <= most or self.essential(row):
                positions.append(position)
        return positions


def _cell(written: Cell | str) -> Cell:
    return Cell(written) if isinstance(written, str) else written


@dataclass(frozen=True)
class Chart:
    """One chart: its specification and what it shows and does not show, in words.

    `name` is that of its files and unique within a comparison. Those that are not `on_page` are drawn into files only,
    because the page has a form of its own for them.
    """

    name: str
    title: str
    caption: str
    chart: alt.TopLevelMixin
    on_page: bool = True


@dataclass(frozen=True)
class OmittedChart:
    """A chart that would say nothing here, and why."""

    title: str
    reason: str
    on_page: bool = True


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the report on one comparison.

    Attributes
    ----------
    name, title
        The name is that of its anchor, the title its heading.
    tables, sentences, notes
        Sentences stand before the tables, notes after them, as a list.
    draw
        Makes its charts when they are needed: Altair takes a second to import.
    data
        Makes what JSON holds of it: frames, lists, numbers and dictionaries of these, merged with other sections'.
    template, context
        Of a section whose page is more than tables and charts: an extra template, and what it needs. Other renderers
        have the tables.
    """

    name: str
    title: str
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    draw: Callable[[], tuple[Chart | OmittedChart, ...]] = tuple
    data: Callable[[], Mapping[str, Any]] = dict
    template: str = ""
    context: Callable[[], Mapping[str, Any]] = dict

    @cached_property
    def drawn(self) -> tuple[Chart | OmittedChart, ...]:
        """Its charts, and those that are omitted."""
        return self.draw()

    @property
    def charts(self) -> list[Chart]:
        """Its charts."""
        return [chart for chart in self.drawn if isinstance(chart, Chart)]

    def filled(self, output: Format) -> list[Table]:
        """The tables of a renderer that have a row."""
        return [table for table in self.tables if output in table.formats and table.rows]
