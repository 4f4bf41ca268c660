"""What is a report made of? Sections of sentences, tables and charts; renderers know these and no section by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from bench.report.comparison import Comparison
from bench.report.leaderboard_frame import empty_leaderboard

if TYPE_CHECKING:
    import altair as alt

    from bench.report.classes.misclassified import Sprite

Row = Mapping[Any, Any]
Format = Literal["page", "markdown", "terminal", "latex", "csv"]
EVERYWHERE: frozenset[Format] = frozenset({"page", "markdown", "terminal", "latex", "csv"})
NO_TERMINAL: frozenset[Format] = EVERYWHERE - {"terminal"}


@dataclass(frozen=True)
class Cell:
    """A table's cell.

    `order` is the number in full, which sorts; nan where there is none. `style` names a look that a renderer may give
    it (``faint``, ``strong``, ``code``, ``best``, ``worst``); `spoken` is for screen readers where the text
    is a symbol or an image. `detail` belongs to it, such as an interval: the page has it in small print. `css` places
    or shades what a page draws in the cell.
    """

    text: str
    style: str = ""
    order: float = math.nan
    spoken: str = ""
    css: str = ""
    detail: str = ""

    @property
    def full(self) -> str:
        """The text, with the detail in parentheses."""
        return f"{self.text} ({self.detail})" if self.detail else self.text


@dataclass(frozen=True)
class Column:
    """A column: its heading (with the unit) and how a row's cell is written.

    `kind` is ``label`` for the label of a configuration, ``text``, ``number``, ``symbol``, ``drawing`` for what the
    page draws, or ``image`` for an image of the section's sprite, whose number the cell's text is. Where a terminal is
    too narrow for all columns, those of the lowest `priority` are displayed, under the heading `short`.
    """

    name: str
    heading: str
    cell: Callable[[Row], Cell | str]
    kind: Literal["label", "text", "number", "symbol", "drawing", "image"] = "number"
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
    """An interactive view of a table: the script of the page that makes it, and what the script needs.

    `script` names a file of the templates without ``.js``; `data` gives the JSON of the rows displayed. Without scripts
    the table stands as it is. Where readers may save its rows, `export_without` names the columns of the frame that the
    CSV leaves out. For a `sortable` table the page has DataTables.
    """

    script: str
    data: Callable[[Sequence[int]], Mapping[str, Any]]
    export_without: tuple[str, ...] | None = None
    sortable: bool = False


@dataclass(frozen=True)
class TableGroup:
    """Tables that belong together, such as those of one configuration: the page folds them under their heading."""

    heading: str
    marks: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """A frame and how its columns are written. The first column names the row.

    Attributes
    ----------
    name
        Unique within its section or group.
    formats
        The renderers that have it.
    main
        Whether it is displayed at the end of a run, too.
    terminal_rows, in_full
        How many rows a terminal has, None for all, or the first ones at the end of a run; whether Markdown and LaTeX
        have all rows.
    essential, brief
        Rows that a page displays however long the table is; of the rows that it does not display in full it lists the
        columns named in `brief`.
    folded, cards
        On the page, whether the table is closed at first, and whether each row is a card, such as an image with text.
    page_caption
        Continues the caption with what the page alone draws.
    group
        What it belongs to; tables of one group follow each other.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    style: Callable[[Row], RowStyle] = lambda _: RowStyle()
    formats: frozenset[Format] = EVERYWHERE
    main: bool = False
    terminal_rows: int | None = 10
    in_full: bool = False
    essential: Callable[[Row], bool] = lambda _: False
    brief: tuple[str, ...] = ()
    folded: bool = False
    cards: bool = False
    page_caption: str = ""
    group: TableGroup | None = None
    controls: Controls | None = None

    @cached_property
    def rows(self) -> list[Row]:
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
    because the page has a form of its own for them; those `folded` wait on it for a reader who asks.
    """

    name: str
    title: str
    caption: str
    chart: alt.TopLevelMixin
    on_page: bool = True
    folded: bool = False


@dataclass(frozen=True)
class OmittedChart:
    """A chart that would say nothing here, and why."""

    title: str
    reason: str
    on_page: bool = True


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the report, on one comparison or on all.

    Attributes
    ----------
    name, title
        The name is that of its anchor, the title its heading.
    tables, sentences, notes, explanations
        Sentences stand before the tables, notes after them, as a list. Explanations say how it is computed: they follow
        the notes, and the page has them folded.
    warnings
        What is wrong with the results; every renderer displays it.
    draw
        Makes its charts when they are needed: Altair takes a second to import.
    verdict
        A few words that a page has on top, with a link to the section.
    data
        Makes what JSON holds of it: frames, lists, numbers and dictionaries of these, merged with other sections'.
        Without it JSON has the tables' frames.
    sprite
        The images of its tables.
    listing
        Lines to be copied as they are.
    folded
        Whether the page has it closed at first; a link to it opens it, and so does a warning.
    """

    name: str
    title: str
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    explanations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    draw: Callable[[], tuple[Chart | OmittedChart, ...]] = tuple
    verdict: str = ""
    data: Callable[[], Mapping[str, Any]] | None = None
    sprite: Sprite | None = None
    listing: str = ""
    folded: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes and explanations."""
        return (*self.notes, *self.explanations)

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

    def grouped(self, output: Format) -> list[tuple[TableGroup | None, list[Table]]]:
        """The same, with those of a group together."""
        groups = groupby(self.filled(output), key=lambda table: table.group)
        return [(group, list(tables)) for group, tables in groups]

    def values(self) -> Mapping[str, Any]:
        """What JSON holds of it."""
        if self.data is not None:
            return self.data()
        frames = {table.name.replace("-", "_"): table.frame for table in self.tables}
        return {self.name.replace("-", "_"): frames} if frames else {}


@dataclass(frozen=True)
class Tile:
    """One of the answers that a page begins with: a question, the answer, and what belongs to it in a sentence.

    `section` names the section with the details, `label` the configuration that the answer is of.
    """

    heading: str
    value: str
    text: str
    section: str
    label: str = ""


@dataclass(frozen=True)
class Summary:
    """What was selected in a comparison, in words: it stands above the comparison's sections.

    `lead`, the selected configuration's `label` (empty when none was selected) and its `metrics`. `difference` says
    which others are not significantly different and how far the next is, `caution` that seeds are too few (both may be
    empty), `trials` how many trials became of what; `facts` are headings with a sentence each. A page begins with
    `opening`, the `tiles` and the chart that `draw` makes.
    """

    lead: str
    label: str = ""
    metrics: str = ""
    difference: str = ""
    caution: str = ""
    trials: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    opening: str = ""
    tiles: tuple[Tile, ...] = ()
    draw: Callable[[], Chart | OmittedChart] | None = None

    @property
    def sentence(self) -> str:
        """All of it as one text."""
        label = self.label and f"{self.label}:"
        return " ".join(filter(None, [self.lead, label, self.metrics, self.difference, self.caution]))


@dataclass(frozen=True)
class Report:
    """Everything that renderers need.

    `summaries` and `sections` are those of the `comparisons`, in their order; `closing` are the sections on the whole
    report, `notes` concern it, too. `keys` are the trials' keys in the ledger.
    """

    title: str
    suite: str
    comparisons: tuple[Comparison, ...]
    summaries: tuple[Summary, ...]
    sections: tuple[tuple[Section, ...], ...]
    closing: tuple[Section, ...]
    notes: tuple[str, ...]
    keys: tuple[str, ...]

    def parts(self) -> Iterator[tuple[Comparison, Summary, tuple[Section, ...]]]:
        """Each comparison with its summary and sections."""
        return zip(self.comparisons, self.summaries, self.sections, strict=True)

    @property
    def frame(self) -> pd.DataFrame:
        """All leaderboards below one another; columns in `bench.report.leaderboard_frame.COLUMNS`."""
        frames = [comparison.frame for comparison in self.comparisons]
        return pd.concat(frames, ignore_index=True) if frames else empty_leaderboard()
