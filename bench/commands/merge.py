"""`bench merge`: several machines' ledgers become one."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.characters import escaped_line
from bench.commands.options import RESULTS, Results
from bench.ledger.ledger import Ledger, merge_ledgers


def merge(
    sources: Annotated[
        list[str], typer.Argument(help="Ledgers to copy from: folders or URLs.", metavar="FROM...", show_default=False)
    ],
    results: Results = RESULTS,
) -> None:
    """Copy into a ledger what it lacks of others; nothing that it holds changes, and doing it again copies nothing."""

    summary = merge_ledgers(sources, results)
    for location, reason in summary.damaged:
        typer.echo(f"left {escaped_line(str(location))}: {reason}", err=True)
    ledger = Ledger(results)
    keys = [record.key for record in ledger.records()]
    replicates = sum(len(ledger.replicates(key)) for key in keys)
    damaged = f", {len(summary.damaged)} damaged left" if summary.damaged else ""
    typer.echo(f"{summary.copied} copied, {summary.present} there already{damaged}")
    typer.echo(f"{results}: {_count(len(keys), 'trial')}, {_count(replicates, 'replicate')} beside them")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
