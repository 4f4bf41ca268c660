"""`bench import`, `bench export`, `bench merge`, `bench pack`: results from and to other programs and machines."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from bench.commands.load_results import existing, undamaged, warn_damaged
from bench.commands.load_suites import load, proposed_trials_of
from bench.commands.networks import export_network
from bench.commands.options import RESULTS, DataDir, Log, Results, SuiteFolder
from bench.completion import complete_dataset
from bench.data import load as load_dataset
from bench.data.catalogue import find
from bench.errors import UserError, escaped_line, plural
from bench.execution.trackers.tracker import destinations
from bench.execution.trackers.tracking import export_records
from bench.jsonutil import JsonObject
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.packed_ledger import write_pack
from bench.ledger.prediction_files import predictions_of, read
from bench.ledger.record import Record, Result, RunInfo, external_config, external_key
from bench.ledger.store import with_results
from bench.metrics import PREDICTION_COLUMNS, compute_metrics

if TYPE_CHECKING:
    from bench.metrics import Predictions


def export(
    suite: Annotated[
        str | None,
        typer.Argument(
            help="A suite file or name, everything in the ledger without; with --weights a trial's key.",
            metavar="[SUITE|KEY]",
        ),
    ] = None,
    log: Log = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="Folder for a network that works without bench: weights, program, configuration, load.py.",
            metavar="DIR",
        ),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="With --weights, write model.onnx, too.")] = False,
    folder: SuiteFolder = Path(),
    data_dir: DataDir = None,
    results: Results = RESULTS,
) -> None:
    """Write the ledger's trials to TensorBoard, MLflow or Weights & Biases; or a network for use without bench."""
    if weights is not None:
        if log or suite is None:
            raise UserError("--weights DIR writes one trial's network: bench export KEY --weights DIR")
        export_network(suite, weights, results, folder, data_dir, onnx=onnx)
        return
    if onnx:
        raise UserError("--onnx goes with --weights DIR, the folder that it writes model.onnx to")
    if not log:
        raise UserError(
            "say where to: --log tensorboard=DIR, --log mlflow=http://HOST:5000 or --log wandb=PROJECT; "
            "or --weights DIR for one trial's network"
        )
    loaded = load(suite, None, None, None) if suite else None
    ledger = existing(results)
    keys = {trial.key for trial in proposed_trials_of(loaded, ledger)} if loaded else None
    trackers = destinations(log, ledger.store.local)
    warn_damaged(ledger)
    records = [record for record in ledger.records() if keys is None or record.key in keys]
    if not records:
        raise UserError(f"{results}: holds no trial{f' of {suite}' if suite else ''}; run a suite first")
    for destination in trackers:
        written, present = export_records(records, destination)
        already = f", {present:,} were there" if present else ""
        typer.echo(f"{destination.title}: wrote {plural(written, 'trial')}{already}")
        if destination.tracker == "tensorboard":
            typer.echo(f"  tensorboard --logdir {shlex.quote(destination.location)}")


MAX_NAME_LENGTH = 100


def import_predictions(
    files: Annotated[
        list[Path], typer.Argument(help="An .npz or CSV of test predictions; one for each seed.", metavar="FILE...")
    ],
    name: Annotated[str, typer.Option("--name", help="Its name in the leaderboard.")],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", help="The data set whose test part it is, e.g. fashion-mnist.", autocompletion=complete_dataset
        ),
    ],
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="The seed of each FILE; 0, 1, ... without.")
    ] = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Add test predictions of any framework, classes or probabilities, to the leaderboard."""
    if not name.strip() or not name.isprintable() or len(name.strip()) > MAX_NAME_LENGTH:
        short_name = name if len(name) <= MAX_NAME_LENGTH else f"{name[:20]}..."
        raise UserError(f"--name {short_name!r}: give a printable name of at most {MAX_NAME_LENGTH} characters")
    seeds = seed or list(range(len(files)))
    if len(seeds) != len(files) or len(set(seeds)) != len(seeds):
        raise UserError(f"{len(files)} files and the seeds {seeds}: give a different --seed for each FILE, or none")
    info = find(dataset)
    for file in files:
        if not os.path.isfile(file):  # noqa: PTH113 (a Path's own raises for names that are too long)
            what = "is not a file" if os.path.lexists(file) else "there is no such file"
            raise UserError(f"{file}: {what}; give an .npz or CSV of test predictions")

    ledger = Ledger(results)
    warn_damaged(ledger)
    ledger.check_writable()
    config = external_config(name.strip(), _entry(info.name))
    data = load_dataset(info.name, data_dir, lambda line: typer.echo(line, err=True))
    files_read = [
        (predictions_of(read(path, data.classes, len(data.test_labels)), data.test_labels, data.classes, path))
        for path in files
    ]
    for _, warnings in files_read:
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
    # All are checked before the first is stored.
    records = [
        _record(
            external_key(config, data.sha256, number),
            external_key(config, data.sha256, None),
            config,
            number,
            predictions,
            data,
        )
        for number, (predictions, _) in zip(seeds, files_read, strict=True)
    ]
    undamaged(lambda: _check_seeds(records, files_read, ledger))
    is_new = undamaged(
        lambda: [
            _is_new(record, predictions, ledger) for record, (predictions, _) in zip(records, files_read, strict=True)
        ]
    )
    for record, (predictions, _), new in zip(records, files_read, is_new, strict=True):
        path = ledger.publish(record, predictions) if new else None
        accuracy = (record.result.test or {})["accuracy"]
        where = f"wrote {path}" if path else "already stored"
        typer.echo(f"{record.key}  {name.strip()}, seed {record.seed}: {100 * accuracy:.2f} %, {where}")
    typer.echo(
        f"It is in `{with_results('bench report', results)}` in every table of {info.title}, marked as imported; "
        "to undo this, remove its files."
    )


def _entry(name: str) -> JsonObject:
    """A data set's entry as a suite file would have it."""
    head, _, split = name.partition("_")
    return {"name": head, "split": split} if head == "emnist" else {"name": name}


def _record(key: str, config_key: str, config: JsonObject, seed: int, predictions: Predictions, data: Any) -> Record:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    test = compute_metrics(predictions, len(data.classes))
    result = Result(curves={}, epochs_run=0, test=test, classes=list(data.classes))
    return Record(key, config, seed, "complete", result, RunInfo(finished=now), config_key)


def _check_seeds(records: list[Record], files_read: list[tuple[Predictions, list[str]]], ledger: Ledger) -> None:
    """UserError where two seeds have equal predictions: one training given twice, without seed noise."""

    new_keys = {record.key for record in records}
    by_seed = {
        other.seed: ledger.predictions(other.key).predicted
        for other in ledger.records()
        if other.config_key == records[0].config_key and other.key not in new_keys
    }
    for record, (predictions, _) in zip(records, files_read, strict=True):
        for seed, predicted in by_seed.items():
            if np.array_equal(predicted, predictions.predicted):
                raise UserError(
                    f"seed {record.seed}: the same predictions as seed {seed}; each seed must be another training, so "
                    "give each file once, and one file of a deterministic method"
                )
        by_seed[record.seed] = predictions.predicted


def _is_new(record: Record, predictions: Predictions, ledger: Ledger) -> bool:
    """Whether the ledger lacks it; UserError where it has other predictions under this name and seed."""

    if all(other.key != record.key for other in ledger.records()):
        return True
    stored = ledger.predictions(record.key)
    columns = ((getattr(stored, name), getattr(predictions, name)) for name in PREDICTION_COLUMNS)
    if all(np.array_equal(old, new, equal_nan=old.dtype.kind == "f") for old, new in columns):
        return False
    name = record.config["model"]["name"]
    raise UserError(
        f"--name {name!r}, seed {record.seed}: {ledger.root} has other predictions under this name and seed "
        f"({record.key}); give another --seed or another --name, or remove that entry's file"
    )


def pack(
    ledger: Annotated[str, typer.Argument(help="The ledger: a folder, or a URL.", metavar="LEDGER")] = RESULTS,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file; the ledger's name and .zip by default.", metavar="FILE"),
    ] = None,
) -> None:
    """Write a ledger's entries into one file to send, which `bench merge` takes; equal ledgers give equal files."""
    opened = existing(ledger)
    path = out or Path(f"{Path(ledger).resolve().name or 'results'}.zip")
    written, damaged = write_pack(opened.store, path)
    for location, reason in damaged:
        typer.echo(f"left {escaped_line(str(location))}: {reason}", err=True)
    if waiting := opened.pending():
        raise UserError(
            f"{path} lacks {waiting} finished trials, which are only on this machine, in {opened.store.local}: "
            "pack that folder too, or run `bench run` again, which uploads them"
        )
    entries = f"{written:,} entr{'y' if written == 1 else 'ies'}"
    typer.echo(f"wrote {path}: {entries}, {path.stat().st_size:,} bytes")
    typer.echo(f"  elsewhere: bench merge {shlex.quote(path.name)} --results LEDGER")


def merge(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Ledgers to copy from: folders, URLs, files of `bench pack`.", metavar="FROM...", show_default=False
        ),
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
    weights = f", and weights of {_count(summary.weights, 'run')}" if summary.weights else ""
    typer.echo(f"{summary.copied} copied, {summary.present} there already{damaged}{weights}")
    typer.echo(f"{results}: {_count(len(keys), 'trial')}, {_count(replicates, 'replicate')} beside them")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
