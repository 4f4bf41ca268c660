"""`bench report` ranks what the ledger holds; `bench published` compares it with published results."""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.load_results import existing, report_of, report_of_all, undamaged, warn_damaged
from bench.commands.load_suites import load, proposed_trials_of
from bench.commands.options import (
    RESULTS,
    AsJson,
    NoUserCode,
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
from bench.completion import complete_suites
from bench.data import fingerprint
from bench.errors import UserError
from bench.ledger.ledger import Ledger
from bench.ledger.store import list_entries
from bench.published import find
from bench.report.grouping import group_trials
from bench.report.serve import LivePage, open_server
from bench.streams import reserve_stdout
from bench.suite.trial import trial_key

if TYPE_CHECKING:
    from bench.ledger.record import Record
    from bench.published import Reference
    from bench.report.document import Chart, Report
    from bench.suite.select import ReferenceMatch
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial


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


def write_tables(report: Report, folder: Path) -> None:
    """Write the rows of each table as NAME.csv, with all digits, and say so; UserError where that cannot be."""
    from bench.report.csv_json import tables_csv

    for name, text in tables_csv(report).items():
        write(folder / f"{name}.csv", text, "--tables")


def _named(report: Report) -> Iterator[tuple[str, str, Chart]]:
    datasets = [
        re.sub(r"[^a-z0-9]+", "-", comparison.group.dataset.lower()).strip("-")[:60]
        for comparison in report.comparisons
    ]
    for number, (comparison, dataset) in enumerate(zip(report.comparisons, datasets, strict=True)):
        position = f"-{datasets[: number + 1].count(dataset)}" if datasets.count(dataset) > 1 else ""
        prefix = f"{dataset}{position}-" if len(report.comparisons) > 1 else ""
        for section in report.sections[number]:
            for chart in section.charts:
                yield f"{prefix}{chart.name}", comparison.group.title, chart


LONGEST = 100
"""Characters of a report's name that tell its options; file systems allow 255 bytes of all."""


Serve = Annotated[
    bool, typer.Option("--serve", help="Show the page in a browser on this machine; it follows the ledger in a run.")
]
Port = Annotated[
    int, typer.Option("--port", help="Where --serve listens; 0 takes a free one.", metavar="N", min=0, max=65535)
]


def report(
    suite: Annotated[
        str | None,
        typer.Argument(help="A suite file or name; everything in the ledger without.", autocompletion=complete_suites),
    ] = None,
    only: Only = None,
    set_: Set = None,
    seeds: Seeds = None,
    results: Results = RESULTS,
    out: Annotated[str, typer.Option("--out", help="Folder to write to; - prints.", metavar="DIR")] = "reports",
    html: Annotated[bool, typer.Option("--html", help="One offline page.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The leaderboard as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Every table as LaTeX (booktabs).")] = False,
    tables: Annotated[
        Path | None, typer.Option("--tables", help="Folder for every table as CSV.", metavar="DIR")
    ] = None,
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
    serve: Serve = False,
    port: Port = 8765,
    no_user_code: NoUserCode = False,
) -> None:
    """Rank what the ledger holds: in the terminal, or as files."""
    if serve and out == "-":
        raise UserError("--serve prints no report: leave out --out -, or --serve")
    printed = reserve_stdout() if out == "-" and any((html, markdown, csv, as_json, latex)) else sys.stdout
    loaded = load(suite, only, set_, seeds, not no_user_code) if suite else None
    from bench.report.csv_json import to_csv, to_json
    from bench.report.html import to_html
    from bench.report.latex import to_latex
    from bench.report.markdown import to_markdown
    from bench.report.terminal import print_terminal

    ledger = existing(results)
    options = options_text(only, set_, seeds)
    build_report = partial(_built, ledger, loaded, suite_argument(suite, options) if suite else "", details or ())
    built = build_report()
    warn_damaged(ledger)
    writers = {
        "html": (html, to_html),
        "md": (markdown, to_markdown),
        "csv": (csv, to_csv),
        "json": (as_json, to_json),
        "tex": (latex, to_latex),
    }
    wanted = {suffix: text_of for suffix, (requested, text_of) in writers.items() if requested}
    if figures is not None:
        write_figures(built, figures)
    if tables is not None:
        write_tables(built, tables)
    if not wanted and figures is None and tables is None and not serve:
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
    if serve:
        serve_report(ledger, build_report, port)


def _built(ledger: Ledger, suite: Suite | None, text: str, patterns: Sequence[str]) -> Report:
    """The report of a suite, or of everything, as the ledger is now."""
    if suite is None:
        return report_of_all(ledger, patterns, with_ensembles=True)
    return report_of(ledger, text, suite, proposed_trials_of(suite, ledger), patterns, with_ensembles=True)


def serve_report(ledger: Ledger, build_report: Callable[[], Report], port: int) -> None:
    """Serve the page until Ctrl+C; UserError where the port is in use."""
    from bench.report.html import to_html

    def look() -> str:
        names = "\n".join(sorted(list_entries(ledger.store).entries))
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    def make(version: str) -> str:
        ledger.refresh()
        return to_html(build_report(), live=version)

    server = open_server(LivePage(look, make), port)
    typer.echo(f"serving http://127.0.0.1:{server.server_port}/ : it follows {ledger.root}; Ctrl+C ends it")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("ended")
    finally:
        server.server_close()


def _suffix(options: str) -> str:
    """A changed or narrowed suite gets a name of its own, not that of the whole; other options another one."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", options).rstrip("-")
    is_readable = len(words) <= LONGEST and not re.search(r"[^A-Za-z0-9.= -]", options)
    return words if is_readable else f"{words[:LONGEST]}-{hashlib.sha256(options.encode()).hexdigest()[:6]}"


QuotedSuites = Annotated[
    list[str],
    typer.Argument(
        help="Suite files or names; with options in quotes: 'labs/dense_mnist --seeds 5', which replaces the plain "
        "suite, if both are given.",
        metavar="SUITE...",
    ),
]


def published(
    suites: QuotedSuites,
    results: Results = RESULTS,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare published results with the ledger: those that a suite's `references` name with a `match` or a `note`."""
    stdout = reserve_stdout() if out is None else sys.stdout
    loaded = [(suite, _references(suite), options) for suite, options in _each_once(map(_load_suite, suites))]
    if not any(references for _, references, _ in loaded):
        files = ", ".join(str(suite.path) for suite, _, _ in loaded)
        raise UserError(
            f"{files}: no reference names a configuration that repeats it\n"
            "  write it like references: [{id: lab-e-l2, match: {regularizer: l2}}]; docs/protocol.md has more"
        )
    from bench.report.comparison import Origin
    from bench.report.published.match_published import Request, compare_published
    from bench.report.published.published_text import PublishedPage, to_json, to_markdown
    from bench.report.sections.provenance import provenance_facts

    ledger = Ledger(results)
    requests = [
        Request(suite.name, suite.title, suite.description, references, proposed_trials_of(suite, ledger), options)
        for suite, references, options in loaded
        if references
    ]
    trials = list({trial.key: trial for request in requests for trial in request.trials}.values())
    keys = {trial.key for trial in trials}

    def make_page() -> PublishedPage:
        records = ledger.records()
        used = [record for record in records if record.key in keys]
        checksums = _checksums([record for record in records if record.key not in keys], trials)
        return PublishedPage(
            compare_published(
                requests,
                [record for record in records if record.key in keys or record.key in checksums],
                ledger.predictions,
                checksums,
            ),
            provenance_facts(
                group_trials(used, trials),
                Origin(
                    ", ".join(request.name for request in requests), command=f"bench published {shlex.join(suites)}"
                ),
            ),
        )

    page = undamaged(make_page, ledger)
    warn_damaged(ledger)
    text = to_json(page) if as_json else to_markdown(page)
    if out is None:
        typer.echo(text, nl=False, file=stdout)
        return
    write(out, text)


def _load_suite(text: str) -> tuple[Suite, str]:
    """A suite as written on the command line: its file or name, and the options for it alone."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    # Not required: argparse would print its own usage and leave.
    parser.add_argument("suite", nargs="?")
    parser.add_argument("--only", action="append")
    parser.add_argument("--set", action="append", dest="overrides")
    parser.add_argument("--seeds", type=int)
    try:
        arguments, unknown = parser.parse_known_args([text] if Path(text).is_file() else shlex.split(text))
    except (argparse.ArgumentError, ValueError) as error:
        raise UserError(f"{text!r} cannot be read: {error}; write 'SUITE --set epochs=5'") from error
    if unknown:
        raise UserError(f"{text!r}: {unknown[0]!r} is not known there; allowed are --only, --set and --seeds")
    if not arguments.suite:
        raise UserError(f"{text!r} names no suite; write 'SUITE --set epochs=5', `bench list suites` shows names")
    suite = load(arguments.suite, arguments.only, arguments.overrides, arguments.seeds)
    return suite, options_text(arguments.only, arguments.overrides, arguments.seeds)


def _each_once(loaded: Iterable[tuple[Suite, str]]) -> list[tuple[Suite, str]]:
    """Each suite file once: one with options replaces the plain one."""
    files = {(suite.path.resolve(), options): (suite, options) for suite, options in loaded}
    changed = {path for path, options in files if options}
    return [pair for (path, options), pair in files.items() if options or path not in changed]


def _checksums(records: Iterable[Record], trials: Iterable[Trial]) -> dict[str, str]:
    """The checksum of the data of each record that is of today's data and training, by key: the key says so.

    The records are of no suite on the page. Those on the user's own data count where a suite of the page has these
    data, wherever they lay then; those of the user's own models only with the suite that names them, whose folder has
    their code.
    """
    user_checksums = sorted({trial.contents for trial in trials if "path" in trial.config.dataset.to_json()})
    by_key = {}
    for record in records:
        try:
            checksums = (
                user_checksums if "path" in record.config["dataset"] else [fingerprint(record.config["dataset"])]
            )
            keys = {trial_key(record.config, record.seed, checksum, None): checksum for checksum in checksums}
        except (UserError, KeyError):  # a data set or a form of configuration that this version does not know
            continue
        if record.key in keys:
            by_key[record.key] = keys[record.key]
    return by_key


def _references(suite: Suite) -> list[tuple[ReferenceMatch, Reference]]:
    """The published result of each comparison; of those that share an id, the one on the configuration's dataset."""
    pairs = []
    for match in suite.comparisons:
        candidates = find([match.reference])
        names = {config["dataset"]["name"] for config in match.configs}
        matching = [reference for reference in candidates if reference.dataset in names] or candidates
        if len(matching) > 1:
            allowed = ", ".join(f"{reference.dataset}/{reference.id}" for reference in matching)
            location = suite.location("references", match.reference)
            raise UserError(
                f"{location}: {match.reference!r} is filed under several datasets\n  write one of {allowed}"
            )
        pairs.append((match, matching[0]))
    return pairs
