"""`bench reproduce`: run trials again and compare them with their records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bench.commands.data import datasets_of
from bench.commands.load_results import existing
from bench.commands.options import RESULTS, DataDir, NoUserCode, Results
from bench.commands.run import git_commit
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.ledger.record import Record
    from bench.metrics import Predictions
    from bench.report.compare.reproduction import Reproduction
    from bench.suite.trial import Trial


def reproduce(
    keys: Annotated[list[str], typer.Argument(help="Keys of trials, or their first digits.", metavar="KEY...")],
    results: Results = RESULTS,
    data_dir: DataDir = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--from",
            exists=True,
            file_okay=False,
            help="The suite file's folder, for paths of your model and data.",
            metavar="DIR",
        ),
    ] = Path(),
    device: Annotated[
        Literal["cpu", "cuda"] | None,
        typer.Option("--device", help="Where to train; the record's device, if this machine has it."),
    ] = None,
    no_user_code: NoUserCode = False,
) -> None:
    """Run trials again from their records and report whether the results agree; nothing is written."""
    ledger = existing(results)
    records = {record.key: record for record in map(ledger.record, keys)}
    if no_user_code:
        _refuse_user_code(records.values())
    # All are rebuilt before the first is trained, so that a mistake is reported at once.
    from bench.execution.rerun import rebuild_trial

    trials = [rebuild_trial(record, folder) for record in records.values()]
    datasets = datasets_of(trials, data_dir)
    differs = False
    for trial in trials:
        reproduction = _reproduce(trial, records[trial.key], ledger, datasets[trial.data], device)
        differs |= not reproduction.agrees
    raise typer.Exit(1 if differs else 0)


def _refuse_user_code(records: Iterable[Record]) -> None:
    from bench.components import AXES, is_user_defined

    for record in records:
        values = [(axis, record.config.get(axis, [])) for axis in AXES]
        entries = [(axis, entry) for axis, value in values for entry in (value if isinstance(value, list) else [value])]
        for axis, name in ((axis, entry["name"]) for axis, entry in entries if is_user_defined(entry["name"])):
            raise UserError(
                f"{record.key}: {name!r} is a user's {axis}, which --no-user-code does not run\n"
                "  leave the option out if you trust that code, or name another trial"
            )


def _reproduce(trial: Trial, record: Record, ledger: Ledger, data: Any, device: str | None) -> Reproduction:
    from bench.execution.rerun import train
    from bench.report.compare.reproduction import check_reproduction, reproduction_text, seed_noise

    def report(progress: Any) -> None:
        stage = "refit, " if progress.refit else ""
        typer.echo(f"{trial.key}: {stage}epoch {progress.epoch} of {progress.epochs}", err=True)

    threads = record.run_info.threads or 1
    stored: Predictions | None = ledger.predictions(record.key) if record.status == "complete" else None
    trained, on_cpu = train(trial, data, threads, record.run_info.device, device, report)
    reproduction = check_reproduction(
        record,
        stored,
        trained.result,
        trained.run_info,
        trained.predictions,
        trained.status,
        seed_noise(record, ledger.records()),
        on_cpu,
    )
    typer.echo(reproduction_text(record, reproduction, git_commit()))
    return reproduction
