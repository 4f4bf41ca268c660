"""`bench import`, `bench export`, `bench merge`, `bench pack`: results from and to other programs and machines."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.load_results import existing, undamaged, warn_damaged
from bench.commands.load_suites import load, trials_of
from bench.commands.options import RESULTS, DataDir, Results
from bench.components import AXES
from bench.data import load as load_dataset
from bench.data.catalogue import find
from bench.errors import UserError, escaped_line, plural
from bench.jsonutil import JsonObject
from bench.ledger.ledger import Ledger, merge_ledgers
from bench.ledger.packed_ledger import write_pack
from bench.ledger.record import PARTS, Record, Result, RunInfo, external_config, external_key
from bench.ledger.store import with_results
from bench.metrics import PREDICTION_COLUMNS, compute_metrics
from bench.suite.labels import axis_label

if TYPE_CHECKING:
    from bench.metrics import Predictions


MAX_NAME = 200
"""Characters of a folder's name; file systems allow 255 bytes."""


def export(
    suite: Annotated[str | None, typer.Argument(help="A suite file or name; everything in the ledger without.")] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Folder for TensorBoard's event files.", metavar="DIR")
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Write the ledger's trials for TensorBoard: parameters, curves and final metrics."""
    if tensorboard is None:
        raise UserError("say where to: --tensorboard DIR")
    keys = {trial.key for trial in trials_of(load(suite, None, None, None))} if suite else None

    ledger = existing(results)
    warn_damaged(ledger)
    event_runs = list(runs([record for record in ledger.records() if keys is None or record.key in keys]))
    if not event_runs:
        raise UserError(f"{results}: holds no trial{f' of {suite}' if suite else ''}; run a suite first")
    n_written = _to_tensorboard(event_runs, tensorboard)
    present = f", {len(event_runs) - n_written} were there" if n_written < len(event_runs) else ""
    typer.echo(f"wrote {plural(n_written, 'trial')}{present}: tensorboard --logdir {shlex.quote(str(tensorboard))}")


def _to_tensorboard(event_runs: list[Run], folder: Path) -> int:
    """Those that are not there yet, a folder each."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard needs tensorboardX: pip install tensorboardX") from error

    n_written = 0
    for run in event_runs:
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", run.name)[-MAX_NAME:]  # the seed and the key stand at its end
        target, unfinished = folder / name, folder / f".{name}"
        try:
            if target.exists():
                continue
            # Aside first: a folder that is there counts as written.
            shutil.rmtree(unfinished, ignore_errors=True)
            with SummaryWriter(str(unfinished), write_to_disk=True) as writer:
                writer.add_text("configuration", "\n".join(f"- {k}: {v}" for k, v in run.parameters.items() if v))
                for metric, curve in run.curves.items():
                    for epoch, value in enumerate(curve, 1):
                        if value is not None:
                            writer.add_scalar(f"curves/{metric}", value, epoch)
                for metric, value in run.metrics.items():
                    writer.add_scalar(metric, value, 0)
            unfinished.rename(target)
        except OSError as error:
            raise UserError(f"{target}: cannot be written: {error.strerror}; choose another folder") from error
        n_written += 1
    return n_written


MAX_NAME_LENGTH = 100


def import_predictions(
    files: Annotated[
        list[Path], typer.Argument(help="An .npz or CSV of test predictions; one for each seed.", metavar="FILE...")
    ],
    name: Annotated[str, typer.Option("--name", help="Its name in the leaderboard.")],
    dataset: Annotated[str, typer.Option("--dataset", help="The data set whose test part it is, e.g. fashion-mnist.")],
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
    from bench.ledger.prediction_files import predictions_of, read

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
    import numpy as np

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
    import numpy as np

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
    typer.echo(f"{summary.copied} copied, {summary.present} there already{damaged}")
    typer.echo(f"{results}: {_count(len(keys), 'trial')}, {_count(replicates, 'replicate')} beside them")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Run:
    """One trial: `parameters` are text, `metrics` the final ones (``test/accuracy``), `curves` by name and epoch."""

    name: str
    parameters: dict[str, str]
    metrics: dict[str, float]
    curves: dict[str, list[float | None]]


def runs(records: list[Record]) -> Iterator[Run]:
    """Every trial of any status, in the order given."""
    for record in records:
        metrics = {
            f"{part}/{metric}": value
            for part in PARTS
            for metric, value in (getattr(record.result, part) or {}).items()
        }
        yield Run(
            name=f"{record.config['model']['name']}-seed{record.seed}-{record.key}",
            parameters={
                **{key: _text(value, key) for key, value in record.config.items()},
                "seed": str(record.seed),
                "status": record.status,
                "key": record.key,
                "suite": record.suite,
            },
            metrics=metrics,
            curves=record.result.curves,
        )


def _text(value: Any, key: str) -> str:
    return axis_label(value, key if key in AXES else None)
