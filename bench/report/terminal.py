"""The report's main tables in the terminal, as wide as that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.report.comparison import Comparison
from bench.report.document import Column, Report, RowStyle, Section, Summary, Table
from bench.suite.labels import SEPARATOR

LABEL_WIDTH = 40
"""What a label may take before columns are left out; a longer one is wrapped."""

TEXT_WIDTH = 24
"""The same for words in another column."""

GAP = 2
_BREAKS = re.compile(rf" (?={re.escape(SEPARATOR.strip())} )|(?<=;) ")
"""The spaces where a line may end: before the separator of labels, and after that of a legend."""


def print_terminal(report: Report, console: Console, top: int | None = None) -> None:
    """Print every comparison; with `top` only the main tables, their first rows and the selected one."""
    console.print(Text(report.title, style="bold"))
    for note in report.notes:
        console.print(Text(note))
    for comparison, summary, sections in report.parts():
        _print_comparison(comparison, summary, sections, console, top)
    for section in report.closing:
        _print_section(section, console, top)


def _print_comparison(
    comparison: Comparison, summary: Summary, sections: Sequence[Section], console: Console, top: int | None
) -> None:
    group = comparison.group
    console.print()
    console.print(Text.assemble((group.title, "bold"), f"  {group.protocol}"))
    for name, text in (("same for all", group.common), ("label settings", group.legend)):
        if text:
            console.print(Text("\n".join(_fold(f"{name}: {text}", console.width)), style="dim"))
    for section in sections:
        _print_section(section, console, top)
    label, separator = summary.label, ": " if summary.label else ""
    console.print()
    console.print(Text.assemble(summary.lead, " " * bool(label), (label, "bold green"), separator, summary.metrics))
    for text in filter(None, (summary.difference, summary.caution, summary.trials)):
        console.print(Text(text))


def _print_section(section: Section, console: Console, top: int | None) -> None:
    """Its warnings, its tables for the terminal, and its notes where it has one of these."""
    for warning in section.warnings:
        console.print(Text(warning, style="bold red"))
    tables = [table for table in section.filled("terminal") if table.main or top is None]
    for table in tables:
        _print_table(table, console, top)
    for note in section.remarks if tables or not section.tables else ():
        console.print(Text("\n".join(wrap(f"- {note}", console.width, subsequent_indent="  ")), style="dim"))


def _print_table(table: Table, console: Console, top: int | None) -> None:
    """Title and caption, the columns that fit, and how many rows and which columns do not."""
    most = table.terminal_rows or top or len(table.rows)
    positions = [
        position for position, style in enumerate(table.styles) if position < most or "selected" in style.states
    ]
    console.print()
    console.print(Text(table.title, style="bold"))
    for line in wrap(table.caption, console.width):
        console.print(Text(line, style="dim"))
    # A line holds the longest word at least, such as the path of a user's own model.
    label, *others = table.displayed("terminal")
    labels = [table.cells[label.name][position].text for position in positions]
    wanted = max(min(LABEL_WIDTH, max(map(len, labels))), *(len(word) for text in labels for word in text.split()))
    columns, headings, left = _fitting(table, positions, others, console.width, wanted)
    printed = RichTable(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    heading = label.heading if left >= len(label.heading) or not label.short else label.short
    printed.add_column(heading, overflow="fold", no_wrap=False)
    for column in columns:
        words = column.kind in ("text", "label")
        printed.add_column(headings[column.name], justify="left" if words else "right", no_wrap=not words)
    for position, text in zip(positions, labels, strict=True):
        style = table.styles[position]
        cells = [Text(table.cells[column.name][position].full) for column in columns]
        printed.add_row(_label(text, style, left), *cells, style="dim" if "incomplete" in style.states else "")
    console.print(printed)
    missing = [column.heading for column in others if column not in columns]
    if missing:
        console.print(Text(f"Left out for lack of width: {', '.join(missing)}", style="dim"))
    if len(positions) < len(table.rows):
        console.print(Text(f"{len(table.rows) - len(positions)} more rows are not displayed", style="dim"))


def _label(text: str, style: RowStyle, width: int) -> Text:
    look = "green" if "selected" in style.states else "italic" if "published" in style.states else ""
    label = Text("\n".join(_fold(text, width)), style=look)
    if style.marks:
        label.append("\n" + "\n".join(_wrapped(f"({', '.join(style.marks)})", width)), style="dim")
    return label


def _fitting(
    table: Table, positions: Sequence[int], columns: Sequence[Column], width: int, wanted: int
) -> tuple[list[Column], dict[str, str], int]:
    """The columns that leave `wanted` characters to the label, their headings, and how many they do leave it."""
    by_priority = sorted(columns, key=lambda column: column.priority)
    left, chosen, headings = width, list[Column](), dict[str, str]()
    for short in (False, True):
        headings = {column.name: column.short if short and column.short else column.heading for column in columns}
        left, chosen = width, []
        for column in by_priority:
            texts = [table.cells[column.name][position].full for position in positions]
            longest = max(map(len, texts))
            words = min(longest, TEXT_WIDTH) if column.kind in ("text", "label") else longest
            size = max(len(headings[column.name]), words) + GAP
            if chosen and left - size < wanted:
                break
            left, chosen = left - size, [*chosen, column]
        if len(chosen) == len(columns):
            break
    return [column for column in columns if column in chosen], headings, max(left, 1)


def _fold(text: str, width: int) -> list[str]:
    """Labels or a legend in lines, broken at separators; a part too long for a line is broken between words."""
    lines: list[str] = []
    for part in _BREAKS.split(text):
        if lines and len(lines[-1]) + 1 + len(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines += _wrapped(part, width, "  " if lines else "")
    return lines


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    return wrap(
        text, width, initial_indent=indent, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
