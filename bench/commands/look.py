"""`bench show`, `bench list`, `bench schema`: look at one record, at what there is, at what a suite file may say."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.options import RESULTS, Results
from bench.commands.results import tell_damaged
from bench.ledger.address import with_results
from bench.ledger.folder import LOGS
from bench.streams import reserve_stdout

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.ledger.record import Record


def show(
    key: Annotated[
        str,
        typer.Argument(
            help="A trial's key, or its first digits; or a configuration's label, as reports have it.",
            metavar="KEY|LABEL",
        ),
    ],
    results: Results = RESULTS,
    as_json: Annotated[bool, typer.Option("--json", help="The whole record as JSON.")] = False,
) -> None:
    """Show one trial's record, or the trials of a configuration."""
    out = reserve_stdout() if as_json else sys.stdout
    from bench.ledger.ledger import Ledger
    from bench.report.record import record_text, trial_lines

    ledger = Ledger(results)
    tell_damaged(ledger)
    records = _named(key, ledger)
    if as_json:
        found = [record.to_json() for record in records]
        typer.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2), file=out)
    elif len(records) == 1:
        typer.echo(record_text(records[0], len(ledger.replicates(records[0].key))))
        log = ledger.home.local / LOGS / f"{records[0].key}.log"
        if log.is_file():
            typer.echo(f"\nwhat it printed: {log}")
    else:
        typer.echo("\n".join(trial_lines(records)))
        typer.echo(f"\nOne of them in full: {with_results(f'bench show {records[0].key[:10]}', results)}")


def _named(text: str, ledger: Ledger) -> list[Record]:
    """The record of a key, or those of all trials of the configuration with this label; UserError for neither."""
    from bench.report.comparing.selection import KEY, select
    from bench.report.sections import sections
    from bench.suite.labels import SEPARATOR

    records = ledger.records()
    if not text or not records or (KEY.fullmatch(text) and any(record.key.startswith(text) for record in records)):
        return [ledger.record(text)]
    label, _, seed = text.partition(f"{SEPARATOR}seed ")  # as the lines of a run have it
    _, one = select(label, sections(records), "show", str(ledger.root))
    found = sorted(one.records, key=lambda record: record.seed)
    return [record for record in found if str(record.seed) == seed] or found


def list_(
    kind: Annotated[str, typer.Argument(help="models, optimizers, regularizers, datasets, suites, published, ...")],
    pattern: Annotated[str, typer.Argument(help="With wildcards, e.g. 'resnet*'; of published, flags too.")] = "*",
) -> None:
    """List what may be named in a suite file."""
    from bench.commands.listing import listing

    for line in listing(kind, pattern):
        typer.echo(line)


def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    out = reserve_stdout()
    from bench.suite.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2), file=out)
