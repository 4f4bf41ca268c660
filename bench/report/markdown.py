"""The report as Markdown fit to be committed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.report.comparison import Comparison
from bench.report.document import Section, Table
from bench.report.report import Report
from bench.report.sections.summary import Summary

MAX_ROWS = 20


def to_markdown(report: Report) -> str:
    """Summaries, the tables of every section, checks and provenance."""
    blocks = [f"# {escape(report.title)}", *(escape(note) for note in report.notes)]
    for comparison, summary, sections in report.parts():
        blocks += _comparison(comparison, summary)
        for section in sections:
            blocks += _section(section)
    if report.checks:
        lines = [
            f"- {'passed' if check.passed else '**FAILED**'}: {escape(check.name)} ({escape(check.detail)})"
            for check in report.checks
        ]
        blocks += ["## Checks of this report", "\n".join(lines)]
    blocks += ["## Provenance", provenance_lines(report.provenance)]
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


def _section(section: Section) -> list[str]:
    tables = section.filled("markdown")
    blocks = [escape(sentence) for sentence in section.sentences]
    for table in tables:
        blocks += [f"#### {escape(table.title)}"] if table.title != section.title else []
        blocks += [escape(table.caption), *_table(table)]
    if section.notes:
        blocks.append("\n".join(f"- {escape(note)}" for note in section.notes))
    return [f"### {escape(section.title)}", *blocks] if blocks else []


def _table(table: Table) -> list[str]:
    columns = table.displayed("markdown")
    columns = [column for column in columns if column.kind != "drawing"]
    most = len(table.rows) if table.in_full else MAX_ROWS
    body = []
    for position, style in enumerate(table.styles[:most]):
        first, *others = (escape(table.cells[column.name][position].text) for column in columns)
        name = f"**{first}**" if "selected" in style.states else f"*{first}*" if "published" in style.states else first
        marks = f" ({escape(', '.join(style.marks))})" if style.marks else ""
        body.append([name + marks, *others])
    alignment = "".join("r" if column.kind == "number" else "l" for column in columns)
    text = table_text([escape(column.heading) for column in columns], body, alignment)
    left = len(table.rows) - most
    return [text, f"{left:,} more rows are in the JSON."] if left > 0 else [text]


def provenance_lines(provenance: Sequence[tuple[str, str]]) -> str:
    """Name and value, a line each; the command as code, to be copied as it is."""
    return "\n".join(
        f"- {escape(name)}: {_code(value) if name == 'Command' else escape(value)}" for name, value in provenance
    )


def _code(text: str) -> str:
    """Text as it is, between more backticks than it holds itself."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def table_text(heading: list[str], body: list[list[str]], alignment: str) -> str:
    """A table in Markdown; `alignment` has ``l`` or ``r`` per column."""
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heading, rule, *body])


def escape(text: str) -> str:
    """Keep names from being read as markup, a table cell's end or HTML."""
    escaped = re.sub(r"([\\`*|\[\]])", r"\\\1", " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
