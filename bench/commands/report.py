"""`bench report`: what the ledger holds, ranked, in the terminal or as files."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.load_results import existing, report_of, report_of_all, warn_damaged
from bench.commands.load_suites import load, trials_of
from bench.commands.options import (
    RESULTS,
    Only,
    Results,
    Seeds,
    Set,
    claim_report_name,
    options_text,
    suite_argument,
    terminal,
    write,
)
from bench.errors import UserError
from bench.streams import reserve_stdout

if TYPE_CHECKING:
    from bench.report.document import Chart
    from bench.report.report import Report


def write_figures(report: Report, folder: Path) -> None:
    """Write each chart as NAME.svg and NAME.png, on white, and say so; UserError where that cannot be.

    With several parts a name begins with the data set, and a number where a data set has several parts.
    """
    from bench.report.charts.drawing import png, svg

    count = 0
    for name, title, chart in _named(report):
        for suffix, content in ((".svg", svg(chart).encode()), (".png", png(chart))):
            path = folder / f"{name}{suffix}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise UserError(f"{path}: cannot be written: {error.strerror}; choose another --figures") from error
        typer.echo(f"wrote {folder / name}.svg and .png: {chart.title}{f', {title}' * (len(report.comparisons) > 1)}")
        count += 1
    if not count:
        typer.echo("no figures: no chart has something to show yet")


def _named(report: Report) -> Iterator[tuple[str, str, Chart]]:
    datasets = [
        re.sub(r"[^a-z0-9]+", "-", comparison.group.dataset.lower()).strip("-")[:60]
        for comparison in report.comparisons
    ]
    for number, (comparison, dataset) in enumerate(zip(report.comparisons, datasets, strict=True)):
        place = f"-{datasets[: number + 1].count(dataset)}" if datasets.count(dataset) > 1 else ""
        prefix = f"{dataset}{place}-" if len(report.comparisons) > 1 else ""
        for section in report.sections[number]:
            for chart in section.charts:
                yield f"{prefix}{chart.name}", comparison.group.title, chart


LONGEST = 100
"""Characters of a report's name that tell its options; file systems allow 255 bytes of all."""


def report(
    suite: Annotated[str | None, typer.Argument(help="A suite file or name; everything in the ledger without.")] = None,
    only: Only = None,
    set_: Set = None,
    seeds: Seeds = None,
    results: Results = RESULTS,
    out: Annotated[str, typer.Option("--out", help="Folder to write to; - prints.", metavar="DIR")] = "reports",
    html: Annotated[bool, typer.Option("--html", help="One offline page.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The leaderboard as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The leaderboard as JSON.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="The leaderboard as LaTeX tables (booktabs).")] = False,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for every chart as SVG and PNG.", metavar="DIR")
    ] = None,
    details: Annotated[
        list[str] | None,
        typer.Option(
            "--details",
            help="Show these configurations class by class, too: part of a label, with wildcards, or of a key.",
            metavar="PATTERN",
        ),
    ] = None,
) -> None:
    """Rank what the ledger holds: in the terminal, or as files."""
    printed = reserve_stdout() if out == "-" and any((html, markdown, csv, as_json, latex)) else sys.stdout
    loaded = load(suite, only, set_, seeds) if suite else None
    from bench.report.csv_json import to_csv, to_json
    from bench.report.html import to_html
    from bench.report.latex import to_latex
    from bench.report.markdown import to_markdown
    from bench.report.terminal import print_terminal

    ledger = existing(results)
    options = options_text(only, set_, seeds)
    patterns = details or ()
    built = (
        report_of(ledger, suite_argument(suite, options), loaded, trials_of(loaded), patterns)
        if suite and loaded
        else report_of_all(ledger, patterns)
    )
    warn_damaged(ledger)
    writers = {
        "html": (html, to_html),
        "md": (markdown, to_markdown),
        "csv": (csv, to_csv),
        "json": (as_json, to_json),
        "tex": (latex, to_latex),
    }
    wanted = {suffix: text_of for suffix, (asked, text_of) in writers.items() if asked}
    if figures is not None:
        write_figures(built, figures)
    if not wanted and figures is None:
        print_terminal(built, terminal())
    elif out == "-":
        for text_of in wanted.values():
            typer.echo(text_of(built), file=printed)
    else:
        name = f"{loaded.name}{_suffix(options)}" if loaded else "leaderboard"
        if loaded:
            claim_report_name(Path(out), name, loaded.path)
        for suffix, text_of in wanted.items():
            write(Path(out) / f"{name}.{suffix}", text_of(built))


def _suffix(options: str) -> str:
    """A changed or narrowed suite gets a name of its own, not that of the whole; other options another one."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", options).rstrip("-")
    told = len(words) <= LONGEST and not re.search(r"[^A-Za-z0-9.= -]", options)
    return words if told else f"{words[:LONGEST]}-{hashlib.sha256(options.encode()).hexdigest()[:6]}"
