"""The leaderboard in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.report.cells import HEADINGS, Row, rows
from bench.report.report import Part, Report

SHOWN = ("test", "validation", "gap", "seeds", "parameters", "seconds")


def print_terminal(report: Report, console: Console, top: int | None = None) -> None:
    """Print every leaderboard with its verdict; `top` keeps the first rows of each, and the chosen one."""
    console.print(Text(report.title, style="bold"))
    for note in report.notes:
        console.print(Text(note))
    for part in report.parts:
        _print_part(part, console, top)


def _print_part(part: Part, console: Console, top: int | None) -> None:
    console.print()
    console.print(Text.assemble((part.section.title, "bold"), f"  {part.section.protocol}"))
    if part.section.common:
        console.print(Text(f"same for all: {part.section.common}", style="dim"))
    everything = rows(part.frame)
    shown = [row for place, row in enumerate(everything) if top is None or place < top or row.chosen]
    if shown:
        console.print(_table(shown))
    if len(shown) < len(everything):
        console.print(Text(f"{len(everything) - len(shown)} more rows are not shown", style="dim"))
    lead, label, figures = part.verdict.lead, part.verdict.label, part.verdict.figures
    console.print(Text.assemble(lead, " " if label else "", (label, "bold green"), ": " if label else "", figures))
    for note in part.verdict.notes:
        console.print(Text(note, style="dim"))
    if not part.apart.empty:
        counts = part.apart["status"].value_counts(sort=False)
        console.print(Text("Never ranked: " + ", ".join(f"{n} {status}" for status, n in counts.items())))
        for trial in part.apart.itertuples():
            where = f"  {trial.status} {trial.label}, seed {trial.seed}, epoch {trial.epoch}: {trial.reason}"
            console.print(Text(where, style="dim"))


def _table(shown: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Configuration", overflow="fold")
    for name in SHOWN:
        table.add_column(HEADINGS[name], justify="right", no_wrap=name != "seeds")
    for row in shown:
        label = Text(row.label, style="green" if row.chosen else "italic" if row.published else "")
        marks = Text(f" ({', '.join(row.marks)})" if row.marks else "", style="dim")
        table.add_row(label + marks, *(Text(row.cells[name]) for name in SHOWN), style="dim" if row.incomplete else "")
    return table
