"""One task of a SLURM array: a driver that runs, with the others, what the ledger lacks of a submitted run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.cluster.bundle import RunBundle, unpack
from bench.execution.cluster.events import EventFile, EventRecorder
from bench.execution.keep_weights import settle
from bench.execution.messages import RunOptions
from bench.execution.run_trials import run_trials
from bench.execution.signals import INTERRUPTED, is_stop, stop_on_signals
from bench.execution.slurm_array import TASKS
from bench.execution.user_dataset import load_dataset
from bench.ledger.ledger import Ledger
from bench.streams import tolerant_streams
from bench.system import slots


def drive_task(folder: Path, task: str) -> int:
    """Run what `folder` holds; the exit code. What happens is written to the task's events, errors too."""
    events = EventFile(folder / TASKS / task)
    with tolerant_streams(), stop_on_signals():
        try:
            failed = _drive(unpack(folder), events)
        except BaseException as error:
            if is_stop(error):
                events.close("stopped")
                return INTERRUPTED
            events.close("error", message=f"task {task}: {error if isinstance(error, UserError) else repr(error)}")
            if isinstance(error, UserError):
                print(error, file=sys.stderr)
                return 2
            raise
    events.close("done", failed=failed)
    return 1 if failed else 0


def _drive(bundle: RunBundle, events: EventFile) -> bool:
    """Run all suites; whether trials failed."""
    ledger = Ledger(bundle.results)
    ledger.check_writable()

    def note(text: str) -> None:
        events.write("note", text=text)

    datasets: dict[str, Dataset] = {}
    for trial in bundle.trials:
        if trial.data not in datasets:
            datasets[trial.data] = load_dataset(trial, None, note)
    workers = max(trial.config.workers for trial in bundle.trials)
    options = node_options(bundle.options, workers)
    failed = False
    for suite in bundle.suites:
        console, suite_options = Console(markup=False, highlight=False), suite.options(options)
        records = run_trials(suite.trials, datasets, ledger, console, suite_options, display=_recorder(events))
        settle(suite.trials, ledger, suite_options)
        failed |= any(record.status == "failed" for record in records)
    return failed


def _recorder(events: EventFile) -> Callable[..., EventRecorder]:
    return lambda stats: EventRecorder(stats, events, lambda _: None)


def node_options(options: RunOptions, workers: int) -> RunOptions:
    """The run's options on this node: as many trials side by side as SLURM gave CPUs; one alone needs no Ray."""
    n_slots = slots(options.cpus_per_trial, options.gpus_per_trial, options.jobs)
    allocated = os.environ.get("SLURM_CPUS_ON_NODE")
    if allocated and options.jobs is None:
        n_slots = max(1, min(n_slots, int(int(allocated) / options.cpus_per_trial)))
    alone = n_slots == 1 and workers == 1
    return replace(options, jobs=None if alone else n_slots, use_ray=not alone)


if __name__ == "__main__":
    sys.exit(drive_task(Path(sys.argv[1]).resolve(), sys.argv[2]))
