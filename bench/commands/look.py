"""`bench show`, `bench list`, `bench schema`: look at one record, at what there is, at what a suite file may say."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from bench.commands.options import RESULTS, Results
from bench.commands.results import tell_damaged
from bench.streams import reserve_stdout


def show(
    key: Annotated[str, typer.Argument(help="A trial's key, or its first digits.")],
    results: Results = RESULTS,
    as_json: Annotated[bool, typer.Option("--json", help="The whole record as JSON.")] = False,
) -> None:
    """Show one trial's record."""
    out = reserve_stdout() if as_json else sys.stdout
    from bench.ledger.ledger import Ledger
    from bench.report.record import record_text

    ledger = Ledger(results)
    tell_damaged(ledger)
    record = ledger.record(key)
    if as_json:
        typer.echo(json.dumps(record.to_json(), indent=2), file=out)
    else:
        typer.echo(record_text(record, len(ledger.replicates(record.key))))


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
