"""The report as Markdown fit to be committed."""

from __future__ import annotations

import re

from bench.report.comparison import Comparison
from bench.report.document import Cell, Report, RowStyle, Section, Summary, Table

MAX_ROWS = 20


def to_markdown(report: Report) -> str:
    """Summaries, and the sentences, tables and notes of every section."""
    blocks = [f"# {escape(report.title)}", *(escape(note) for note in report.notes)]
    for comparison, summary, sections in report.parts():
        blocks += _comparison(comparison, summary)
        for section in sections:
            blocks += section_blocks(section)
    for section in report.closing:
        blocks += section_blocks(section, "##")
    return "\n\n".join(blocks) + "\n"


def _comparison(comparison: Comparison, summary: Summary) -> list[str]:
    group = comparison.group
    label = f" **{escape(summary.label)}**:" if summary.label else ""
    blocks = [f"## {escape(group.title)}", f"{escape(summary.lead)}{label} {escape(summary.metrics)}".strip()]
    blocks += [escape(text) for text in (" ".join(filter(None, [summary.difference, summary.caution])),) if text]
    facts = (
        *summary.facts,
        ("Trials", summary.trials),
        ("Protocol", group.protocol),
        ("Same for all", group.common),
        ("Settings that labels leave out", group.legend),
    )
    return [*blocks, "\n".join(f"- {name}: {escape(text)}" for name, text in facts if text)]


def section_blocks(section: Section, heading: str = "###") -> list[str]:
    """Heading, warnings, sentences, tables and notes, a block each; none of a section with nothing to say."""
    blocks = [f"**{escape(warning)}**" for warning in section.warnings]
    blocks += [escape(sentence) for sentence in section.sentences]
    for group, tables in section.grouped("markdown"):
        if group:
            marks = f" ({escape(', '.join(group.marks))})" if group.marks else ""
            blocks += [f"{heading}# {escape(group.heading)}{marks}", *map(escape, group.sentences)]
        for table in tables:
            blocks += (
                [f"{heading}{'##' if group else '#'} {escape(table.title)}"] if table.title != section.title else []
            )
            blocks += table_blocks(table)
    if section.listing:
        blocks.append(f"```\n{section.listing}\n```")
    if section.remarks:
        blocks.append("\n".join(f"- {escape(note)}" for note in section.remarks))
    return [f"{heading} {escape(section.title)}", *blocks] if blocks else []


def table_blocks(table: Table) -> list[str]:
    """Caption, table, and how many rows it leaves out."""
    columns = [column for column in table.displayed("markdown") if column.kind != "drawing"]
    most = len(table.rows) if table.in_full else MAX_ROWS
    body = []
    for position, style in enumerate(table.styles[:most]):
        first, *others = (table.cells[column.name][position] for column in columns)
        body.append([_row_name(first, style), *map(_cell_text, others)])
    rules = ["---:" if column.kind == "number" else "---" for column in columns]
    rows = [[escape(column.heading) for column in columns], rules, *body]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    left = len(table.rows) - most
    blocks = [escape(table.caption), text, f"{left:,} more rows are in the JSON." if left > 0 else ""]
    return [block for block in blocks if block]


def _row_name(cell: Cell, style: RowStyle) -> str:
    name = escape(cell.full)
    name = f"**{name}**" if "selected" in style.states else f"*{name}*" if "published" in style.states else name
    return f"{name} ({escape(', '.join(style.marks))})" if style.marks else name


def _cell_text(cell: Cell) -> str:
    if cell.style == "code":
        return _code(cell.text)
    if cell.style == "strong" and cell.text:
        detail = f" ({escape(cell.detail)})" if cell.detail else ""
        return f"**{escape(cell.text)}**{detail}"
    return escape(cell.full)


def _code(text: str) -> str:
    """Text as it is, between more backticks than it holds itself; a bar would end the table's cell."""
    text = text.replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def escape(text: str) -> str:
    """Keep names from being read as markup, a table cell's end or HTML."""
    escaped = re.sub(r"([\\`*|\[\]])", r"\\\1", " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
