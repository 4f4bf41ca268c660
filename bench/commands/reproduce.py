"""`bench reproduce`: run trials again and say whether their figures agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bench.commands.data import datasets_of
from bench.commands.options import RESULTS, DataDir, Results
from bench.commands.run import git_commit

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.ledger.record import Predictions, Record
    from bench.report.agreement import Again
    from bench.suite.trial import Trial


def reproduce(
    keys: Annotated[list[str], typer.Argument(help="Keys of trials, or their first digits.", metavar="KEY...")],
    results: Results = RESULTS,
    data_dir: DataDir = None,
    folder: Annotated[
        Path,
        typer.Option("--from", help="The suite file's folder, for paths of your own model and data.", metavar="DIR"),
    ] = Path(),
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option("--device", help="Where to train; as the record, if it is here.")
    ] = None,
) -> None:
    """Run trials again, from their records alone, and say whether the figures agree; nothing is written."""
    from bench.ledger.ledger import Ledger

    ledger = Ledger(results)
    records = {record.key: record for record in map(ledger.record, keys)}
    # All of them before the first is trained, so that a mistake shows at once.
    from bench.execution.repeat import rebuilt

    trials = [rebuilt(record, folder) for record in records.values()]
    datasets = datasets_of(trials, data_dir)
    differs = False
    for trial in trials:
        found = _again(trial, records[trial.key], ledger, datasets[trial.data], device)
        differs |= not found.agrees
    raise typer.Exit(1 if differs else 0)


def _again(trial: Trial, record: Record, ledger: Ledger, data: Any, device: str | None) -> Again:
    from bench.execution.repeat import train
    from bench.report.agreement import again, seed_noise, to_text

    def report(progress: Any) -> None:
        stage = "refit, " if progress.refit else ""
        typer.echo(f"{trial.key}: {stage}epoch {progress.epoch} of {progress.epochs}", err=True)

    threads = record.measured.threads or 1
    message, on_cpu = train(trial, data, threads, record.measured.device, device, report)
    stored: Predictions | None = ledger.predictions(record.key) if record.status == "complete" else None
    found = again(
        record,
        stored,
        message["result"],
        message["measured"],
        message["predictions"],
        message["status"],
        seed_noise(record, ledger.records()),
        on_cpu,
    )
    typer.echo(to_text(record, found, git_commit()))
    return found
