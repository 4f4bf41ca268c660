"""`bench export`: the ledger's trials for TensorBoard, after the run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.load_results import existing, warn_damaged
from bench.commands.load_suites import load, trials_of
from bench.commands.options import RESULTS, Results
from bench.errors import UserError, plural
from bench.report.exported import Run, runs

MAX_NAME = 200
"""Characters of a folder's name; file systems allow 255 bytes."""


def export(
    suite: Annotated[str | None, typer.Argument(help="A suite file or name; everything in the ledger without.")] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Folder for TensorBoard's event files.", metavar="DIR")
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Write the ledger's trials for TensorBoard: parameters, curves and final figures."""
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
                for metric, value in run.figures.items():
                    writer.add_scalar(metric, value, 0)
            unfinished.rename(target)
        except OSError as error:
            raise UserError(f"{target}: cannot be written: {error.strerror}; choose another folder") from error
        n_written += 1
    return n_written
