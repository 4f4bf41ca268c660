"""The leaderboard in the terminal, as wide as that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.report.cells import Row, rows, told_headings, told_marks
from bench.report.report import Comparison, Report
from bench.suite.labels import SEPARATOR

IMPORTANCE = ("test", "validation", "seeds", "key", "new", "generalization_gap", "parameters", "seconds")
"""Columns beside the label; a narrow terminal leaves the last of them out.

A suite's further metrics come after the key, which `bench show` and `bench reproduce` take.
"""

SHORT = {"new": "New images", "generalization_gap": "Gap", "parameters": "Params", "seconds": "Train s"}
"""Headings where `headings` would cost a column."""

LABEL_WIDTH = 40
"""What a label may ask for before columns are left out; a longer one is wrapped."""

FIRST, FIRST_SHORT = "Configuration", "Config."
"""Heading of the label's column, and the one where that is too long a word for it."""

BETWEEN = 2
MOST_APART = 10

_BREAKS = re.compile(rf" (?={re.escape(SEPARATOR.strip())} )|(?<=;) ")
"""The spaces where a line may end: before the separator of labels, and after that of a legend."""


def print_terminal(report: Report, console: Console, top: int | None = None) -> None:
    """Print every leaderboard with its verdict; `top` keeps the first rows of each, and the chosen one."""
    console.print(Text(report.title, style="bold"))
    for note in report.notes:
        console.print(Text(note))
    for comparison in report.comparisons:
        _print_part(comparison, console, top)
    for check in report.checks:
        if not check.passed:
            console.print(Text(f"CHECK FAILED: {check.name}: {check.detail}", style="bold red"))


def _print_part(comparison: Comparison, console: Console, top: int | None) -> None:
    group = comparison.group
    console.print()
    console.print(Text.assemble((group.title, "bold"), f"  {group.protocol}"))
    for name, text in (("same for all", group.common), ("wherever named", group.legend)):
        if text:
            console.print(Text("\n".join(_fold(f"{name}: {text}", console.width)), style="dim"))
    everything = rows(comparison.frame)
    shown = [row for place, row in enumerate(everything) if top is None or place < top or row.chosen]
    if shown:
        console.print()
        _print_table(shown, comparison.metrics, console)
        console.print()
    if len(shown) < len(everything):
        console.print(Text(f"{len(everything) - len(shown)} more rows are not shown", style="dim"))
    lead, label, figures = comparison.verdict.lead, comparison.verdict.label, comparison.verdict.figures
    console.print(Text.assemble(lead, " " if label else "", (label, "bold green"), ": " if label else "", figures))
    for text in filter(None, (comparison.verdict.comparison, comparison.verdict.caution)):
        console.print(Text(text))
    if comparison.verdict.ran:
        console.print(Text(comparison.verdict.ran))
    for note in comparison.verdict.notes:
        console.print(Text("\n".join(wrap(f"- {note}", console.width, subsequent_indent="  ")), style="dim"))
    _print_apart(comparison, console)


def _print_apart(comparison: Comparison, console: Console) -> None:
    if comparison.not_ranked.empty:
        return
    counts = comparison.not_ranked["status"].value_counts(sort=False)
    console.print(Text("Never ranked: " + ", ".join(f"{n} {status}" for status, n in counts.items())))
    for trial in comparison.not_ranked[:MOST_APART].itertuples():
        where = f"  {trial.status} {trial.label}, seed {trial.seed}, epoch {trial.epoch}: {trial.reason}"
        console.print(Text(where, style="dim"))
    if len(comparison.not_ranked) > MOST_APART:
        console.print(Text(f"  and {len(comparison.not_ranked) - MOST_APART} more", style="dim"))


def _print_table(shown: list[Row], metrics: Sequence[str], console: Console) -> None:
    # A line holds the longest word at least, such as the path of a user's own model.
    wanted = max(
        min(LABEL_WIDTH, max(len(row.label) for row in shown)), *(len(word) for r in shown for word in r.label.split())
    )
    whole = {**told_headings(shown, metrics), "key": "Key"}
    titles, names, left = _columns(shown, whole, console.width, wanted)
    table = Table(box=None, pad_edge=False, padding=(0, BETWEEN, 0, 0), header_style="bold")
    table.add_column(FIRST if left >= len(FIRST) else FIRST_SHORT, overflow="fold", no_wrap=False)
    for name in names:
        table.add_column(titles[name], justify="right", no_wrap=True)
    for row in shown:
        style = "green" if row.chosen else "italic" if row.published else ""
        label = Text("\n".join(_fold(row.label, left)), style=style)
        if marks := told_marks(row):
            label.append("\n" + "\n".join(_wrapped(f"({', '.join(marks)})", left)), style="dim")
        table.add_row(label, *(Text(row.cells[name]) for name in names), style="dim" if row.incomplete else "")
    console.print(table)
    missing = [text for name, text in whole.items() if name in _importance(whole) and name not in names]
    if missing:
        console.print(Text(f"Left out for want of width: {', '.join(missing)}", style="dim"))


def _columns(
    shown: Sequence[Row], whole: dict[str, str], width: int, wanted: int
) -> tuple[dict[str, str], list[str], int]:
    """The headings, the columns that leave `wanted` characters to the label, and how many they do leave it."""
    left = width
    chosen: list[str] = []
    importance = _importance(whole)
    titles = whole
    for titles in (whole, {name: _short(name, text) for name, text in whole.items()}):
        left, chosen = width, []
        for name in importance:
            size = max(len(titles[name]), *(len(row.cells[name]) for row in shown)) + BETWEEN
            if chosen and left - size < wanted:
                break
            left, chosen = left - size, [*chosen, name]
        if len(chosen) == len(importance):
            break
    return titles, [name for name in whole if name in chosen], max(left, 1)


def _importance(whole: dict[str, str]) -> list[str]:
    extra = [name for name in whole if name.startswith("test_")]
    return [*IMPORTANCE[:4], *extra, *(name for name in IMPORTANCE[4:] if name in whole)]


def _short(name: str, text: str) -> str:
    """``Test %`` for ``Test accuracy %``, ``Val. %`` for ``Validation F1 %``; other metrics keep their own names."""
    if name == "validation":
        return "Val. %" if text.endswith("%") else "Val."
    if text == "Test accuracy %" and name == "test":
        return "Test %"
    return text.removeprefix("Test ") if name.startswith("test") else SHORT.get(name, text)


def _fold(text: str, width: int) -> list[str]:
    """Labels or a legend in lines, broken at separators; a part too long for a line is broken between words."""
    lines: list[str] = []
    for comparison in _BREAKS.split(text):
        if lines and len(lines[-1]) + 1 + len(comparison) <= width:
            lines[-1] += f" {comparison}"
        else:
            lines += _wrapped(comparison, width, "  " if lines else "")
    return lines


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    return wrap(
        text, width, initial_indent=indent, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
