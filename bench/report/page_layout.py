"""What of a section stands open on the page, what is folded, and which sections share a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from bench.jsonutil import JsonObject
from bench.report.document import Chart, Section, Table, TableGroup
from bench.report.terms import terms_in

MAX_ROWS = 1000
"""Rows of a table that a page displays in full: more would take seconds to open."""

MAX_OPEN = 30
"""Rows of a table that is open in a page; a longer one is folded."""

MAX_SENTENCES = 2
"""Of a caption; what follows stands behind “How this is computed”."""

NARROW_COLUMNS = 5
"""A table of so few columns has room in half of the page."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z“√●○◆])")


@dataclass(frozen=True)
class DrawnChart:
    """A chart in the page: the image displayed first, its width and the interactive view's specification."""

    chart: Chart
    image: Markup
    width: float
    spec: JsonObject


@dataclass(frozen=True, eq=False)
class PageSection:
    """A section as the page arranges it.

    `charts` and `tables` stand open; the page folds `more_charts` and `more_tables` under one heading, the `groups`
    under their own, and `explanations`, pairs of a title and sentences, under “How this is computed”. One that is
    `half` as wide as the page stands next to another.
    """

    section: Section
    sentences: tuple[str, ...]
    charts: tuple[DrawnChart, ...]
    tables: tuple[Table, ...]
    more_charts: tuple[DrawnChart, ...]
    more_tables: tuple[Table, ...]
    groups: tuple[tuple[TableGroup, tuple[Table, ...]], ...]
    explanations: tuple[tuple[str, str], ...]
    terms: tuple[str, ...]
    half: bool = False

    @property
    def chart_titles(self) -> list[str]:
        """Of all its charts."""
        return [drawn.chart.title for drawn in (*self.charts, *self.more_charts)]

    @property
    def more(self) -> list[str]:
        """What is folded, in words."""
        titles = [drawn.chart.title for drawn in self.more_charts]
        for table in self.more_tables:
            title = "the table" if table.title == self.section.title else table.title
            titles.append(f"{title}: {len(table.rows):,} rows" if len(table.rows) > MAX_OPEN else title)
        return titles

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to display."""
        section = self.section
        displayed = (self.charts, self.tables, self.more, self.groups, section.remarks, self.sentences)
        return not any((*displayed, section.warnings, section.listing))

    @property
    def is_closed(self) -> bool:
        """Whether all that it displays is folded."""
        return not any((self.charts, self.tables, self.groups, self.section.notes, self.section.warnings))

    @property
    def is_narrow(self) -> bool:
        """Whether half of the page has room for what stands open."""
        if self.groups or len(self.charts) > 1:
            return False
        narrow = all(
            len(table.displayed("page")) <= NARROW_COLUMNS and not table.controls and not table.cards
            for table in self.tables
        )
        return narrow and len(self.charts) + len(self.tables) <= 1


def brief(text: str) -> tuple[str, str]:
    """The first `MAX_SENTENCES` sentences of a text, and the others."""
    sentences = _SENTENCE_END.split(text.strip())
    return " ".join(sentences[:MAX_SENTENCES]), " ".join(sentences[MAX_SENTENCES:])


def arrange(section: Section, drawn: Sequence[DrawnChart]) -> PageSection:
    """A section with its charts drawn."""
    charts = tuple(item for item in drawn if not item.chart.folded)
    groups: list[tuple[TableGroup, tuple[Table, ...]]] = []
    tables: list[Table] = []
    more_tables: list[Table] = []
    for group, members in section.grouped("page"):
        if group:
            groups.append((group, tuple(members)))
            continue
        for table in members:
            # What charts draw is folded: for the keyboard, for screen readers, and for its digits.
            beneath = bool(charts) and not table.cards and not table.controls
            is_scrolled = table.cards or section.folded or (table.controls and table.controls.sortable)
            many = len(table.rows) > MAX_OPEN and not is_scrolled
            (more_tables if table.folded or beneath or many else tables).append(table)
    first, others = brief(" ".join(section.sentences))
    captions = [(section.title, others)]
    captions += [(item.chart.title, brief(item.chart.caption)[1]) for item in drawn]
    captions += [(table.title, brief(f"{table.caption} {table.page_caption}")[1]) for table in (*tables, *more_tables)]
    captions += [(table.title, brief(table.caption)[1]) for _, members in groups for table in members]
    captions += [("", text) for text in section.explanations]
    return PageSection(
        section=section,
        sentences=(first,) if first else (),
        charts=charts,
        tables=tuple(tables),
        more_charts=tuple(item for item in drawn if item.chart.folded),
        more_tables=tuple(more_tables),
        groups=tuple(groups),
        explanations=tuple(dict.fromkeys((title, text) for title, text in captions if text)),
        terms=() if section.folded else tuple(terms_in(_texts(section, drawn))),
    )


def _texts(section: Section, drawn: Sequence[DrawnChart]) -> list[str]:
    """All words of a section but its cells."""
    tables = section.filled("page")
    headings = [column.heading for table in tables for column in table.displayed("page")]
    captions = [text for table in tables for text in (table.title, table.caption, table.page_caption)]
    charts = [text for item in drawn for text in (item.chart.title, item.chart.caption)]
    return [section.title, *section.sentences, *section.remarks, *headings, *captions, *charts]


def in_rows(sections: Sequence[PageSection]) -> list[PageSection]:
    """The sections that have something to display; two narrow ones that follow each other share a row."""
    displayed = [section for section in sections if not section.is_empty]
    position = 0
    while position + 1 < len(displayed):
        pair = displayed[position : position + 2]
        if all(section.is_narrow and not section.section.folded for section in pair):
            displayed[position : position + 2] = [replace(section, half=True) for section in pair]
            position += 1
        position += 1
    return displayed
